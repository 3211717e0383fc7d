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
    await visitor.select('select[name=cell]', 'lstm');
    await visitor.textWith('.playground output', /cell = /);
  });

  test('two cells stand side by side at a desk, one below the other on a phone', async () => {
    const boxes = async (width: number) => {
      await visitor.page.setViewport({ width, height: 900 });
      await visitor.open('how-a-gru-works.html');
      await visitor.page.waitForFunction(() => document.querySelectorAll('.playground .plot canvas').length === 2);
      return visitor.page.$$eval('.playground .plot', (plots) =>
        plots.map((plot) => plot.getBoundingClientRect()).map(({ x, y, width: wide }) => ({ x, y, right: x + wide })),
      );
    };
    const [left, right] = await boxes(1280);
    expect(left!.y).toBe(right!.y);
    expect(left!.right).toBeLessThanOrEqual(right!.x);
    const titles = await visitor.page.$$eval('.playground figcaption', (all) => all.map((one) => one.textContent));
    expect(titles).toEqual([expect.stringContaining('textbook'), expect.stringContaining('reset after')]);
    const values = await visitor.page.$$eval('.playground output', (all) => all.map((one) => one.textContent));
    expect(values[0]).not.toBe(values[1]);
    await visitor.select('select[name=cell]', 'after');
    await visitor.page.waitForFunction(() =>
      document.querySelectorAll('.playground figcaption')[1]!.textContent.includes('textbook'),
    );
    const [above, below] = await boxes(400);
    expect(above!.x).toBe(below!.x);
    expect(above!.y).toBeLessThan(below!.y);
    await visitor.page.setViewport({ width: 1280, height: 900 });
  });

  test('a word becomes phonemes', async () => {
    await visitor.open('try/words.html');
    await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
    await visitor.set('input[name=word]', 'cat');
    await visitor.textWith('.phonemes', /K AE1 T/);
    expect((await visitor.page.$$('figure canvas')).length).toBe(2);
    await visitor.set('input[name=word]', 'cät7 7');
    await visitor.textWith('.unknown', /Left out.*“ä” “7” “ ”/);
    await visitor.set('input[name=word]', 'cat');
    await visitor.page.waitForSelector('.unknown', { hidden: true });
  });

  test('the gates of the encoder are drawn over the letters', async () => {
    await visitor.open('try/words.html');
    const drawn: string[] = [];
    for (const [look, title] of [
      ['h', 'hidden state'],
      ['z', 'update gate z'],
      ['r', 'reset gate r'],
      ['candidate', 'candidate'],
    ] as const) {
      await visitor.select('select[name=look]', look);
      await visitor.textWith('figcaption', new RegExp(`The encoder's ${title} at each letter`));
      const { pixels, blue, size } = await visitor.page.$eval('figure canvas', (element) => {
        const canvas = element;
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        // Blue is below zero.
        const blue = data.filter((_, i) => i % 4 === 3 && data[i - 1]! > data[i - 3]!).length;
        return { pixels: data.join(), blue, size: [canvas.width, canvas.height] };
      });
      expect(size).toEqual(['recurrent'.length, 256]);
      // Gates lie between 0 and 1, states and candidates on both sides of 0.
      if (look === 'z' || look === 'r') expect(blue).toBe(0);
      else expect(blue).toBeGreaterThan(0);
      drawn.push(pixels);
    }
    expect(new Set(drawn).size).toBe(4);
    await visitor.set('input[name=word]', 'cat');
    await visitor.textWith('.labels', /^cat$/);
    expect(await visitor.text('figcaption')).toContain("The encoder's candidate");
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

  test.each(['float32', 'float16', 'i16', 'i8'])('what is saved in %s opens again', async (dtype) => {
    await visitor.open('try/model.html');
    await visitor.click('button[name=example]');
    await visitor.textWith('.time', /ms on/);
    await visitor.select('select[name=dtype]', dtype);
    // The file goes back into the page in place of a folder.
    await visitor.page.evaluate(() => {
      let saved: Blob | undefined;
      URL.createObjectURL = (blob: Blob) => {
        saved = blob;
        return '';
      };
      HTMLAnchorElement.prototype.click = function () {
        Object.assign(globalThis, { bytes: saved!.size });
        const data = new DataTransfer();
        data.items.add(new File([saved!], this.download));
        const input = document.querySelector<HTMLInputElement>('input[name=model]')!;
        input.files = data.files;
        input.dispatchEvent(new Event('change'));
      };
    });
    await visitor.click('button[name=save]');
    const suffix = dtype === 'float32' ? '' : `.${dtype}`;
    await visitor.textWith('section h3', new RegExp(`^decoder${suffix}\\.gru\\.safetensors: [\\d,]+ parameters`));
    await visitor.textWith('.time', /ms on/);
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
    const bytes = await visitor.page.evaluate(() => (globalThis as unknown as { bytes: number }).bytes);
    const shares: Record<string, number> = { float32: 1, float16: 0.5, i16: 0.5, i8: 0.25 };
    expect(bytes / 1_590_280).toBeCloseTo(shares[dtype]!, 1);
  });

  test('a long run leaves the page free, says how far it is, and can be stopped', async () => {
    await visitor.open('try/model.html');
    await visitor.click('button[name=example]');
    await visitor.textWith('.time', /ms on/);
    await visitor.set('input[name=steps]', '100001');
    await visitor.click('button[name=run]');
    expect(await visitor.textWith('.panel [role=alert]', /./)).toMatch(/whole number from 1 to 100,000, got 100001/);
    await visitor.page.evaluate(() => {
      const seen = { ticks: 0 };
      Object.assign(globalThis, { seen });
      setInterval(() => {
        if ((document.querySelector('.panel [role=status]')?.textContent ?? '').includes('Running')) seen.ticks++;
      }, 10);
    });
    await visitor.set('input[name=steps]', '100000');
    await visitor.click('button[name=run]');
    await visitor.textWith('.panel [role=status]', /Running: \d+ s of about \d+/);
    // Where the run holds the page none comes before it ends (5.8 s), and there is nothing to stop then.
    await visitor.page.waitForFunction('seen.ticks > 10');
    await visitor.click('button[name=stop]');
    await visitor.textWith('.panel [role=alert]', /stopped/);
    await visitor.set('input[name=steps]', '50');
    await visitor.click('button[name=run]');
    await visitor.textWith('.plot figcaption', /\(50 x/);
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
  });

  test('a model of one length runs at that', async () => {
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', '../../tests/fixtures/cases/k3_td_model/model.keras');
    await visitor.textWith('.time', /ms on/);
    expect(await visitor.page.$eval('input[name=steps]', (input) => input.value)).toBe('20');
  });

  test('data are drawn', async () => {
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', '../../tests/fixtures/cases/k3_lstm_default/model.keras');
    await visitor.textWith('.time', /ms on/);
    await visitor.select('select[name=signal]', 'drawn');
    const surface = (await visitor.page.waitForSelector('.surface'))!;
    await surface.scrollIntoView();
    const { x, y, width, height } = (await surface.boundingBox())!;
    await visitor.page.mouse.move(x + 2, y + height / 4);
    await visitor.page.mouse.down();
    await visitor.page.mouse.move(x + width - 2, y + height / 4, { steps: 5 });
    await visitor.page.mouse.up();
    const points = await visitor.page.$eval('.surface polyline', (line) => line.getAttribute('points')!);
    const heights = points.split(' ').map((point) => Number(point.split(',')[1]));
    expect(heights).toHaveLength(100);
    for (const value of heights) expect(value).toBeCloseTo(25, -1);
    const wide = (await visitor.page.$$('select[name=feature] option')).length;
    expect(wide).toBeGreaterThan(1);
    await visitor.click('button[name=run]');
    await visitor.textWith('.time', /ms on/);
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
  });

  test('what is dropped and is not one model is told, and takes no one away', async () => {
    await visitor.open('try/model.html');
    const cases = '../../tests/fixtures/cases';
    const both = [`${cases}/k3_lstm_default/model.keras`, `${cases}/onnx_bidirectional_lbr1/model.onnx`];
    await visitor.drop('input[name=model]', ...both);
    await visitor.textWith('.note', /2 models at once/);
    const kept = await visitor.page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(['x'], 'model.keras'));
      const event = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
      document.querySelector('h1')!.dispatchEvent(event);
      return event.defaultPrevented;
    });
    expect(kept).toBe(true);
    await visitor.textWith('.note', /beside the field/);
    // No script can make a folder: this is what a browser gives of one.
    await visitor.page.evaluate(() => {
      const data = {
        types: ['Files'],
        files: [],
        items: [{ webkitGetAsEntry: () => ({ isDirectory: true, name: 'saved' }) }],
      };
      const event = new Event('drop', { bubbles: true, cancelable: true });
      Object.defineProperty(event, 'dataTransfer', { value: data });
      document.querySelector('.drop')!.dispatchEvent(event);
    });
    await visitor.textWith('.panel [role=alert]', /'saved' is a folder/);
    // The model that was being read meanwhile takes the place of none of this.
    await visitor.textWith('.time', /ms on/);
    expect(await visitor.text('.panel [role=alert]')).toMatch(/'saved' is a folder/);
    await visitor.page.waitForFunction(() => !document.querySelector('.panel .row[role=status]'));
  });

  test('of two models, the one that was given last is shown, though it is read sooner', async () => {
    await visitor.open('try/model.html');
    await visitor.page.evaluate(() => {
      // The first file is read once `go` is called.
      const { stream } = Object.getOwnPropertyDescriptors(Blob.prototype);
      Blob.prototype.stream = function () {
        const whole = stream.value!.call(this);
        if (!(this instanceof File) || 'go' in globalThis) return whole;
        const start = () => new Promise<void>((resolve) => Object.assign(globalThis, { go: resolve }));
        return whole.pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({ start }));
      };
    });
    const cases = '../../tests/fixtures/cases';
    await visitor.drop('input[name=model]', `${cases}/onnx_bidirectional_lbr1/model.onnx`);
    await visitor.page.waitForFunction(() => 'go' in globalThis);
    await visitor.drop('input[name=model]', `${cases}/k3_lstm_default/model.keras`);
    await visitor.textWith('.time', /ms on/);
    await visitor.page.evaluate(() => {
      (globalThis as unknown as { go: () => void }).go();
    });
    await visitor.page.waitForFunction(() => !document.querySelector('.panel .row[role=status]'));
    expect(await visitor.text('.panel h3')).toMatch(/^model.keras/);
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
  });

  test('a wiring that cannot run says so before it is asked for; it is chosen from a table', async () => {
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', '../../tests/fixtures/cases/pt_comp_bn_vector/model.pt');
    // g, its last step, b, f: f in front of b does not run. Then as it was, but for the step: the GRU gives its last state.
    await visitor.click('button[name="up.3"]');
    await visitor.textWith('.wiring-error', /It does not run/);
    await visitor.click('button[name="up.3"]');
    await visitor.page.waitForFunction(() => !document.querySelector('.wiring-error')?.textContent);
    await visitor.click('input[name="on.1"]');
    await visitor.select('select[name="returns.0"]', 'last');
    await visitor.page.waitForFunction(() => !document.querySelector('.wiring-error'));
    await visitor.click('button[name=wire]');
    await visitor.textWith('.time', /ms on/);
    // One row a sequence: along its features.
    await visitor.textWith('.plot .u-legend', /^feature/);
    const json = await visitor.page.$eval('textarea[name=wiring]', (area) => area.value);
    expect(JSON.parse(json)).toEqual([{ gru: 'g', returns: 'last' }, { batchnorm: 'b' }, { linear: 'f' }]);
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', '../../tests/fixtures/cases/pt_comp_attention_pool/model.pt');
    await visitor.textWith('.wiring-error', /inputSize is 6/);
    await visitor.page.setViewport({ width: 390, height: 900 });
    expect(await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    await visitor.page.setViewport({ width: 1280, height: 900 });
    // g, its last step, a, f to g, a, the attention of a over g, f.
    await visitor.click('input[name="on.1"]');
    await visitor.select('select[name=add]', 'attention: one line weighs the steps of another');
    await visitor.select('select[name="part.4.0"]', 'a');
    await visitor.select('select[name="part.4.1"]', 'g');
    await visitor.click('button[name="up.4"]');
    await visitor.page.waitForFunction(() => !document.querySelector('.wiring-error'));
    await visitor.click('button[name=wire]');
    await visitor.textWith('.time', /ms on/);
    expect(await visitor.page.$$eval('.graph rect', (boxes) => boxes.length)).toBeGreaterThan(4);
  });

  test('a state dict of PyTorch is wired, by hand and from the keyboard', async () => {
    await visitor.open('try/model.html');
    await visitor.drop('input[name=model]', '../../tests/fixtures/cases/pt_rnn_tanh_cell/model.pt');
    await visitor.textWith('.panel [role=alert]', /pytorch/);
    await visitor.set('textarea[name=wiring]', '[{ "rnn": "cell" }, { "linear": "fc" }]');
    await visitor.page.focus('textarea[name=wiring]');
    await visitor.page.keyboard.press('Tab');
    await visitor.page.keyboard.press('Enter');
    await visitor.page.waitForSelector('.plot canvas');
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
    await visitor.textWith('.plot .u-legend', /^step/);
  });

  test('without wasm the JavaScript backend computes', async () => {
    const { identifier } = await visitor.page.evaluateOnNewDocument(() => {
      Reflect.deleteProperty(globalThis, 'WebAssembly');
    });
    await visitor.open('try/words.html');
    await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
    expect(await visitor.text('.panel')).toContain('gru-wasm (js)');
    await visitor.open('try/benchmark.html');
    await visitor.click('button[name=start]');
    await visitor.page.waitForSelector('tbody tr');
    await visitor.click('button[name=stop]');
    expect(await visitor.text('.without')).toMatch(/JavaScript alone.*WebAssembly/);
    expect(await visitor.page.$('.panel [role=alert]')).toBeNull();
    expect(await visitor.text('tbody tr')).toMatch(/\d\.\d\d/);
    await visitor.page.removeScriptToEvaluateOnNewDocument(identifier);
  });

  test('the benchmark checks, then measures; it can be stopped', async () => {
    await visitor.open('try/benchmark.html');
    await visitor.click('button[name=start]');
    await visitor.page.waitForSelector('tbody tr');
    await visitor.click('button[name=stop]');
    await visitor.page.waitForSelector('button[name=copy]');
    expect(await visitor.text('tbody tr')).toMatch(/e-\d; i16:\s\d.*e-\d; i8:\s\d.*e-\d/);
    expect(await visitor.text('thead')).toMatch(/wasm, i16.*wasm, i8/);
    expect(await visitor.text('.about')).toMatch(/Mozilla.*, \d+ threads, \d{4}-\d\d-\d\d/);
    expect(await visitor.text('.stopped')).toMatch(/Stopped after \d of \d sizes/);
  });

  test('other engines are loaded when they are asked for, and their outputs agree', async () => {
    await visitor.open('try/benchmark.html');
    await visitor.click('input[value=onnxruntime]');
    await visitor.click('input[value=tensorflow]');
    await visitor.select('select[name=form]', 'before');
    await visitor.click('button[name=start]');
    expect(await visitor.textWith('.panel', /e-\d|Error/)).not.toContain('Error');
    await visitor.click('button[name=stop]');
    expect(await visitor.text('thead')).toMatch(/wasm.*ONNX Runtime Web 1\..*TensorFlow\.js 4\..*JavaScript/);
    expect((await visitor.text('tbody tr')).match(/×\s\d/g)).toHaveLength(6);
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
