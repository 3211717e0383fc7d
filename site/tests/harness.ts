import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { browserPath } from '../../scripts/browsers.mjs';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
export const DIST = at('../dist');
/** Where it is served: the site must not mind. */
const FOLDER = '/some/folder/';
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};
/** Chromium's microphone hears a recording, again and again, and may be asked without a dialog. */
const CHROMIUM = [
  '--disable-background-networking',
  '--disable-sync',
  '--no-sandbox',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  // A host that is neither localhost nor https: an insecure context.
  '--host-resolver-rules=MAP insecure.test 127.0.0.1',
  `--use-file-for-fake-audio-capture=${at('../../examples/keywords/sample.wav')}`,
];

export type BrowserName = 'chromium' | 'firefox';

if (!existsSync(DIST)) throw new Error('site/dist is missing: build it by `npm run site`');

/** Every page that was built, by its address below the site. */
export const pages = readdirSync(DIST, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.html') && name !== '404.html')
  .sort();

/** A folder, the built site's, on 127.0.0.1, in a folder of a server. */
export async function serve(root = DIST): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const name = pathname.startsWith(FOLDER) ? pathname.slice(FOLDER.length) : '..';
    const file = [name, `${name}.html`, join(name, 'index.html')]
      .map((path) => join(root, path))
      .find((path) => path.startsWith(root) && existsSync(path) && statSync(path).isFile());
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${FOLDER}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What a first visit of a page took. */
export interface FirstVisit {
  /** Files of the site. */
  paths: string[];
  /** How many of them the first paint waited for. */
  blocking: number;
  /** The cumulative layout shift. */
  moved: number;
  /** The text of what was painted largest. */
  largest: string;
}

/** A page of a browser, with what tests ask of it. */
export class Visitor {
  readonly page: Page;
  /** Errors of scripts, and answers of 400 and above. */
  readonly problems: string[] = [];
  private readonly browser: Browser;
  private readonly url: string;

  private constructor(browser: Browser, page: Page, url: string) {
    this.browser = browser;
    this.page = page;
    this.url = url;
    page.setDefaultTimeout(120_000);
    page.on('pageerror', (error) => this.problems.push(String(error)));
    page.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`HTTP status ${response.status()} for ${response.url()}`);
    });
  }

  /** @param url of the site */
  static async start(name: BrowserName, url: string): Promise<Visitor> {
    const browser = await puppeteer.launch({
      browser: name === 'firefox' ? 'firefox' : 'chrome',
      executablePath: await browserPath(name),
      headless: true,
      args: name === 'firefox' ? [] : CHROMIUM,
      // Pages may play sound without having been touched.
      extraPrefsFirefox: { 'media.autoplay.default': 0 },
    });
    return new Visitor(browser, await browser.newPage(), url);
  }

  /**
   * Waits until the page's script has taken over the HTML: what is pressed before that is lost.
   *
   * @param path below the site
   */
  async open(path: string): Promise<void> {
    await this.page.goto(this.url + path, { waitUntil: 'load' });
    await this.page.waitForFunction(() => {
      const app = document.querySelector('#app');
      return !app || '__vue_app__' in app;
    });
  }

  /** A page as who has never been on the site sees it, until nothing more is asked for. Chromium alone. */
  async firstVisit(path: string, width: number, height: number): Promise<FirstVisit> {
    const context = await this.browser.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport({ width, height });
    await page.evaluateOnNewDocument(() => {
      const seen = { moved: 0, largest: '' };
      Object.assign(globalThis, { seen });
      new PerformanceObserver((list) => {
        for (const { value } of list.getEntries() as (PerformanceEntry & { value: number })[]) seen.moved += value;
      }).observe({ type: 'layout-shift', buffered: true });
      new PerformanceObserver((list) => {
        // A picture has no text, and is in the HTML by its address alone.
        const { element } = list.getEntries().at(-1) as PerformanceEntry & { element: Element | null };
        seen.largest = element?.textContent ?? '';
      }).observe({ type: 'largest-contentful-paint', buffered: true });
    });
    await page.goto(this.url + path, { waitUntil: 'networkidle0' });
    const visit = await page.evaluate(() => {
      const files = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
      const { seen } = globalThis as unknown as { seen: Pick<FirstVisit, 'moved' | 'largest'> };
      const blocking = files.filter(
        (file) => 'renderBlockingStatus' in file && file.renderBlockingStatus === 'blocking',
      );
      return { ...seen, blocking: blocking.length, urls: files.map(({ name }) => name) };
    });
    await context.close();
    const ours = [this.url + path, ...visit.urls].filter((url) => url.startsWith(this.url));
    return { ...visit, paths: [...new Set(ours)].map((url) => url.slice(this.url.length)) };
  }

  /** The page's own click: that of the mouse may miss what moves while the page grows. */
  async click(selector: string): Promise<void> {
    await this.page.waitForSelector(`${selector}:not(:disabled)`);
    await this.page.$eval(selector, (element) => {
      (element as HTMLElement).click();
    });
  }

  /** The text of an element, once there is one: what a page draws comes when its script has come. */
  async text(selector: string): Promise<string> {
    await this.page.waitForSelector(selector);
    return this.page.$eval(selector, (element) => element.textContent);
  }

  /** Waits until the text of an element holds a match of `pattern`; gives all of it. */
  async textWith(selector: string, pattern: RegExp): Promise<string> {
    await this.page.waitForFunction(
      (s, source) => new RegExp(source).test(document.querySelector(s)?.textContent ?? ''),
      {},
      selector,
      pattern.source,
    );
    return this.text(selector);
  }

  /** Puts a value into a field, as typing or dragging does. */
  async set(selector: string, value: string): Promise<void> {
    await this.page.waitForSelector(selector);
    await this.page.$eval(
      selector,
      (element, next) => {
        (element as HTMLInputElement).value = next;
        element.dispatchEvent(new Event('input', { bubbles: true }));
      },
      value,
    );
  }

  async select(selector: string, value: string): Promise<void> {
    await this.page.waitForSelector(selector);
    await this.page.select(selector, value);
  }

  /** @param files relative to the folder of the tests */
  async drop(selector: string, ...files: string[]): Promise<void> {
    const input = await this.page.waitForSelector(selector);
    await (input as unknown as { uploadFile: (...paths: string[]) => Promise<void> }).uploadFile(...files.map(at));
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}
