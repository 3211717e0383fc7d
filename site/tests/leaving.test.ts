import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BrowserName, serve, Visitor } from './harness.ts';

let site: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  site = await serve();
});
afterAll(() => {
  site.close();
});

/** What a page has opened since `watchSound`. */
interface Opened {
  contexts: AudioContext[];
  tracks: MediaStreamTrack[];
  /** How many renderings ahead of time were begun. */
  rendered: number;
}

/** Keeps what the page opens, and has it open that no faster than a visitor leaves. */
async function watchSound(visitor: Visitor): Promise<void> {
  await visitor.page.evaluate(() => {
    const opened: Opened = { contexts: [], tracks: [], rendered: 0 };
    const { AudioContext: Context, OfflineAudioContext: Offline } = globalThis;
    Object.assign(globalThis, {
      opened,
      AudioContext: class extends Context {
        constructor(options?: AudioContextOptions) {
          super(options);
          opened.contexts.push(this);
        }
      },
      OfflineAudioContext: class extends Offline {
        constructor(channels: number, length: number, rate: number) {
          super(channels, length, rate);
          opened.rendered++;
        }
      },
    });
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (asked) => {
      const stream = await ask(asked);
      opened.tracks.push(...stream.getTracks());
      return stream;
    };
  });
}

const opened = (visitor: Visitor) =>
  visitor.page.evaluate(() => {
    const { contexts, tracks, rendered } = (globalThis as unknown as { opened: Opened }).opened;
    return {
      contexts: contexts.map(({ state }) => state),
      tracks: tracks.map(({ readyState }) => readyState),
      rendered,
    };
  });

/** Clicks these in one tick: what the first begins has not come far when the last is clicked. */
const clickAtOnce = (visitor: Visitor, ...selectors: string[]) =>
  visitor.page.evaluate((all) => {
    for (const selector of all) document.querySelector<HTMLElement>(selector)!.click();
  }, selectors);

const LINK = '.VPSidebar a[href*="words"]';
/** For a machine that does much else. */
const SLOW = { timeout: 100_000, interval: 200 };
const seconds = (n: number) => new Promise((resolve) => setTimeout(resolve, 1000 * n));

describe.each<BrowserName>(['chromium', 'firefox'])('%s', (name) => {
  let visitor: Visitor;
  beforeAll(async () => {
    visitor = await Visitor.start(name, site.url);
  });
  afterAll(async () => {
    await visitor.close();
    expect(visitor.problems).toEqual([]);
  });

  async function opens(page: string): Promise<void> {
    await visitor.open(`try/${page}.html`);
    await visitor.page.waitForSelector('button[name=microphone]:not(:disabled)');
    // What is measured and drawn at first is no part of this.
    await visitor.page.waitForSelector('.plot canvas');
    if (page === 'audio') await visitor.textWith('.load', /%/);
    await seconds(1);
    await watchSound(visitor);
  }

  describe.each(['audio', 'keywords'])('%s', (page) => {
    test.each(['microphone', 'play'])('left in the tick in which it starts by %s, it ends', async (button) => {
      await opens(page);
      await clickAtOnce(visitor, `button[name=${button}]`, LINK);
      await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
      // What would start does so meanwhile.
      await seconds(page === 'audio' ? 5 : 2);
      const left = async () => {
        const { contexts, tracks, rendered } = await opened(visitor);
        const open = contexts.filter((state) => state !== 'closed');
        return { open, live: tracks.filter((state) => state !== 'ended'), rendered };
      };
      await expect.poll(left, SLOW).toEqual({ open: [], live: [], rendered: 0 });
    });

    test('a double click makes one sound, which Stop ends', async () => {
      await opens(page);
      await clickAtOnce(visitor, 'button[name=play]', 'button[name=play]');
      await seconds(2);
      const open = async () => (await opened(visitor)).contexts.filter((state) => state !== 'closed').length;
      await expect.poll(open, SLOW).toBe(1);
      await visitor.click('button[name=stop]');
      await visitor.page.waitForSelector('button[name=stop]:disabled');
      await expect.poll(open, SLOW).toBe(0);
    });

    test('without a microphone it says why', async () => {
      await opens(page);
      await visitor.page.evaluate(() => {
        Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
      });
      await visitor.click('button[name=microphone]');
      expect(await visitor.textWith('[role=alert]', /./)).toBe(
        'Error: this page has no microphone: browsers give it only to pages that come by https or from localhost',
      );
      expect((await opened(visitor)).contexts).toEqual([]);
    });
  });

  // Firefox is given no such host.
  (name === 'chromium' ? describe : describe.skip)('by http', () => {
    const openInsecure = (page: string) =>
      visitor.page.goto(`${site.url.replace('127.0.0.1', 'insecure.test')}try/${page}.html`);

    test.each(['audio', 'keywords'])('%s says what the page lacks', async (page) => {
      await openInsecure(page);
      expect(await visitor.textWith('[role=alert]', /./)).toBe(
        'Error: this page has no AudioWorklet: browsers give it only to pages that come by https or from localhost',
      );
    });

    test('so does copying', async () => {
      await openInsecure('benchmark');
      await visitor.click('button[name=start]');
      await visitor.page.waitForSelector('tbody tr');
      await visitor.click('button[name=stop]');
      await visitor.click('button[name=copy]');
      expect(await visitor.textWith('[role=alert]', /./)).toBe(
        'Error: this page has no clipboard: browsers give it only to pages that come by https or from localhost',
      );
    });
  });

  /** How often the page looks at the clock within a second: engines are timed by it. */
  const timed = () =>
    visitor.page.evaluate(async () => {
      const now = performance.now.bind(performance);
      let count = 0;
      performance.now = () => (count++, now());
      await new Promise((resolve) => setTimeout(resolve, 1000));
      performance.now = now;
      return count;
    });

  test('a benchmark that is left ends; a double click measures once', async () => {
    await visitor.open('try/benchmark.html');
    await visitor.page.waitForSelector('button[name=start]');
    await clickAtOnce(visitor, 'button[name=start]', 'button[name=start]');
    await visitor.page.waitForSelector('tbody tr:nth-child(2)');
    const units = await visitor.page.$$eval('tbody td:first-child', (cells) => cells.map((cell) => cell.textContent));
    expect(units.slice(0, 2)).toEqual(['16', '64']);
    await expect.poll(timed, SLOW).toBeGreaterThan(100);
    await visitor.click(LINK);
    await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
    await expect.poll(timed, SLOW).toBeLessThan(20);
  });
});
