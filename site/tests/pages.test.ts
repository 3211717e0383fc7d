import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BrowserName, DIST, pages, serve, Visitor } from './harness.ts';

let site: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  site = await serve();
});
afterAll(() => {
  site.close();
});

describe.each<BrowserName>(['chromium', 'firefox'])('%s', (name) => {
  let visitor: Visitor;
  beforeAll(async () => {
    visitor = await Visitor.start(name, site.url);
  });
  afterAll(async () => {
    await visitor.close();
    // What the last test asks for, and is refused.
    expect(visitor.problems.filter((problem) => !problem.includes('127.0.0.1:9/'))).toEqual([]);
  });

  test('pages lead to each other in whatever folder they lie', async () => {
    await visitor.open('');
    await visitor.page.waitForSelector('.VPHero');
    await visitor.page.click('a.VPButton[href*="how-a-gru"]');
    await visitor.page.waitForSelector('.plot canvas');
    expect(visitor.page.url()).toBe(`${site.url}how-a-gru-works.html`);
    await visitor.click('a[href*="benchmark"]');
    await visitor.page.waitForSelector('button[name=start]');
    expect(visitor.page.url()).toBe(`${site.url}try/benchmark.html`);
  });

  test('the search finds a page, and opens it', async () => {
    await visitor.open('start.html');
    await visitor.page.waitForSelector('.VPNavBarSearch button');
    await visitor.page.keyboard.down('Control');
    await visitor.page.keyboard.press('k');
    await visitor.page.keyboard.up('Control');
    const field = await visitor.page.waitForSelector('.VPLocalSearchBox input');
    await field!.type('audioworklet');
    await visitor.click('.VPLocalSearchBox .result[href*="/audio.html#"]');
    await visitor.textWith('h1', /in an AudioWorkletProcessor/);
    expect(visitor.page.url()).toContain(`${site.url}audio.html#`);
  });

  test('the cell follows its weights', async () => {
    await visitor.open('how-a-gru-works.html');
    const before = await visitor.textWith('.playground output', /h = /);
    await visitor.set('input[name="z.b"]', '4');
    await visitor.page.waitForFunction(
      (old) => document.querySelector('.playground output')!.textContent !== old,
      {},
      before,
    );
    await visitor.page.select('select[name=cell]', 'lstm');
    await visitor.textWith('.playground output', /cell = /);
  });

  test('a word becomes phonemes', async () => {
    await visitor.open('try/words.html');
    await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
    await visitor.set('input[name=word]', 'cat');
    await visitor.textWith('.phonemes', /K AE1 T/);
    expect((await visitor.page.$$('figure canvas')).length).toBe(2);
  });

  test('the effect is drawn and timed in the audio thread, and plays', async () => {
    await visitor.open('try/audio.html');
    await visitor.page.waitForSelector('.plot canvas');
    expect(await visitor.textWith('.load', /%/)).toMatch(/^\s*Load: \d+\.\d % of a quantum, \d+ of 2667 µs/);
    await visitor.click('button[name=play]');
    await visitor.click('button[name=stop]');
    await visitor.page.waitForSelector('button[name=stop]:disabled');
    expect(await visitor.page.$('[role=alert]')).toBeNull();
  });

  test('the spotter hears its sample, and whoever speaks', async () => {
    await visitor.open('try/keywords.html');
    const heard = await visitor.textWith('.heard', /go/);
    expect(heard.match(/[a-z]{2,}/g)).toEqual(['yes', 'stop', 'left', 'go']);
    // Headless Firefox has no microphone that hears a file, and no device that its sound goes to.
    if (name === 'firefox') return;
    await visitor.click('button[name=microphone]');
    await visitor.textWith('.words', /yes.*stop.*left.*go/);
    await visitor.click('button[name=stop]');
  });

  test('a model that is dropped is inspected, run and plotted; a broken one is told', async () => {
    await visitor.open('try/model.html');
    await visitor.textWith('.drop', /Drop a model here/);
    await visitor.drop('input[name=model]', '../../examples/g2p/decoder.safetensors');
    await visitor.page.waitForSelector('.plot canvas');
    expect(await visitor.text('section h3')).toContain('parameters');
    await visitor.drop('input[name=model]', 'pages.test.ts');
    expect(await visitor.textWith('.panel [role=alert]', /./)).toMatch(/^\w+: /);
  });

  test.each([
    ['.keras', 'k3_lstm_default/model.keras'],
    ['.h5', 'k3_lstm_default/model.h5'],
    ['.onnx', 'onnx_bidirectional_lbr1/model.onnx'],
    ['model.json and its weights', 'tfjsnode_simplernn/model.json', 'tfjsnode_simplernn/model.weights.bin'],
    ["RTNeural's .json", 'rtneural_aidax_lstm_skip/model.json'],
  ])('%s is read', async (_, ...files) => {
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', ...files.map((file) => `../../tests/fixtures/cases/${file}`));
    await visitor.page.waitForSelector('.plot canvas, .panel [role=alert]');
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
    expect((await visitor.page.$$('.graph rect')).length).toBeGreaterThan(2);
  });

  // Tried in Chromium alone.
  const inChromium = name === 'chromium' ? test : test.skip;
  inChromium('a state dict of PyTorch is wired, by hand and from the keyboard', async () => {
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', '../../tests/fixtures/cases/pt_rnn_tanh_cell/model.pt');
    await visitor.textWith('.panel [role=alert]', /pytorch/);
    await visitor.set('textarea[name=wiring]', '[{ "rnn": "cell" }, { "linear": "fc" }]');
    await visitor.page.focus('textarea[name=wiring]');
    await visitor.page.keyboard.press('Tab');
    await visitor.page.keyboard.press('Enter');
    await visitor.page.waitForSelector('.plot canvas');
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
  });

  inChromium('without wasm the JavaScript backend computes', async () => {
    const { identifier } = await visitor.page.evaluateOnNewDocument(() => {
      Reflect.deleteProperty(globalThis, 'WebAssembly');
    });
    await visitor.open('try/words.html');
    await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
    expect(await visitor.text('.panel')).toContain('gru-wasm (js)');
    await visitor.page.removeScriptToEvaluateOnNewDocument(identifier);
  });

  test('the benchmark checks, then measures; it can be stopped', async () => {
    await visitor.open('try/benchmark.html');
    await visitor.click('button[name=start]');
    await visitor.page.waitForSelector('tbody tr');
    await visitor.click('button[name=stop]');
    await visitor.page.waitForSelector('button[name=copy]');
    expect(await visitor.text('tbody tr')).toMatch(/e-\d/);
  });

  test('other engines are loaded when they are asked for, and their outputs agree', async () => {
    await visitor.open('try/benchmark.html');
    await visitor.click('input[value=onnxruntime]');
    await visitor.click('input[value=tensorflow]');
    await visitor.page.select('select[name=form]', 'before');
    await visitor.click('button[name=start]');
    expect(await visitor.textWith('.panel', /e-\d|Error/)).not.toContain('Error');
    await visitor.click('button[name=stop]');
    expect(await visitor.text('thead')).toMatch(/wasm.*ONNX Runtime Web 1\..*TensorFlow\.js 4\..*JavaScript/);
    expect((await visitor.text('tbody tr')).match(/×\s\d/g)).toHaveLength(4);
  });

  test('nothing is asked of another origin', async () => {
    await visitor.open('try/model.html');
    const blocked = await visitor.page.evaluate(async () => {
      try {
        await fetch('http://127.0.0.1:9/');
        return '';
      } catch (error) {
        return String(error);
      }
    });
    expect(blocked).not.toBe('');
    const policy = await visitor.page.$eval('meta[http-equiv="Content-Security-Policy"]', (meta) =>
      meta.getAttribute('content'),
    );
    expect(policy).toContain("connect-src 'self'");
  });
});

test('every page holds its title, and no address of the time it was built', () => {
  expect(pages.length).toBeGreaterThan(20);
  for (const name of pages) {
    const html = readFileSync(join(DIST, name), 'utf8');
    expect(html, name).toMatch(/<title>[^<]+<\/title>/);
    expect(
      html.replaceAll('replaceAll("/__base__/"', '').replaceAll(String.raw`\"base\":\"/__base__/\"`, ''),
      name,
    ).not.toContain('/__base__/');
  }
});
