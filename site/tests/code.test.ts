import { build as bundle } from 'esbuild';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { HTTPRequest } from 'puppeteer-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeBlocks } from '../../scripts/blocks.mjs';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { onnxModel, tensor, type Node } from '../../tests/formats/onnx/build.ts';
import { serve, Visitor } from './harness.ts';
import { printedByNode } from '../../tests/run-node.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const WORD = [8, 5, 12, 12, 15];
const blocks = codeBlocks();

/** A GRU of 3 units that reads (20, 1, 4), of a name that a graph of several needs. */
const onnx = (initializers: Uint8Array[]) =>
  onnxModel({
    nodes: [
      { op: 'GRU', name: 'GRU_153', inputs: ['X', 'W', 'R'], outputs: ['Y', 'Y_h'], attributes: { hidden_size: 3 } },
    ],
    inputs: [
      { name: 'X', shape: [20, 1, 4] },
      { name: 'W', shape: [1, 9, 4] },
      { name: 'R', shape: [1, 9, 3] },
    ],
    outputs: ['Y_h'],
    initializers,
  });
/** What stands for two forms of a voice activity detector: its inputs and outputs, by their names. */
const vad = () =>
  onnxModel({
    nodes: [
      { op: 'Unsqueeze', inputs: ['input', 'one'], outputs: ['wave'] },
      { op: 'Conv', inputs: ['wave', 'W'], outputs: ['sums'] },
      { op: 'Squeeze', inputs: ['sums', 'two'], outputs: ['output'] },
      ...['first', 'second'].flatMap((name): Node[] => [
        { op: 'Gather', inputs: ['state', name], outputs: [`${name}.of`], attributes: { axis: 0 } },
        { op: 'MatMul', inputs: [`${name}.of`, 'M'], outputs: [`${name}.on`] },
        { op: 'Unsqueeze', inputs: [`${name}.on`, 'zero'], outputs: [`${name}.row`] },
      ]),
      { op: 'Concat', inputs: ['first.row', 'second.row'], outputs: ['stateN'], attributes: { axis: 0 } },
    ],
    inputs: [
      { name: 'input', shape: ['batch', 'samples'] },
      { name: 'state', shape: [2, 'batch', 128] },
      { name: 'sr', dtype: 7, shape: [] },
    ],
    outputs: ['output', 'stateN'],
    initializers: [
      ...[tensor('zero', [1], [0], 7), tensor('one', [1], [1], 7), tensor('two', [1], [2], 7)],
      ...[tensor('first', [], [0], 7), tensor('second', [], [1], 7), tensor('W', [1, 1, 576], random(576))],
      tensor('M', [128, 128], random(128 * 128)),
    ],
  });
const vadOfFrames = () =>
  onnxModel({
    nodes: [
      { op: 'Unsqueeze', inputs: ['input', 'one'], outputs: ['frames'] },
      {
        op: 'LSTM',
        inputs: ['frames', 'W', 'R', '', '', 'h', 'c'],
        outputs: ['Y', 'hn', 'cn'],
        attributes: { hidden_size: 128 },
      },
      { op: 'ReduceMean', inputs: ['Y'], outputs: ['speech_probs'], attributes: { axes: [3], keepdims: 0 } },
    ],
    inputs: [
      { name: 'input', shape: ['sequence_length', 576] },
      { name: 'h', shape: [1, 1, 128] },
      { name: 'c', shape: [1, 1, 128] },
    ],
    outputs: ['speech_probs', 'hn', 'cn'],
    initializers: [tensor('one', [1], [1], 7), tensor('W', [1, 512, 576], random(512 * 576)), tensor('R', [1, 512, 128], random(512 * 128))], // prettier-ignore
  });
const random = (length: number) => Float32Array.from({ length }, () => Math.random() - 0.5);
const WEIGHTS = [tensor('W', [1, 9, 4], random(36)), tensor('R', [1, 9, 3], random(27))];

/** A GRU from `size` features to `size` ones. */
const gru = async (size: number) => {
  const { createGru } = (await import(pathToFileURL(at('../../dist/index.js')).href)) as typeof import('gru-wasm');
  const weights = {
    kernel: new Float32Array(size * 3 * size).fill(0.1),
    recurrentKernel: new Float32Array(size * 3 * size),
  };
  return (await createGru({ inputSize: size, hiddenSize: size, resetAfter: false }, weights)).save();
};

/** The state dict of docs/formats/pytorch.md. */
const classifier = () => {
  const linear = (name: string, outputs: number, inputs: number) => [
    [`${name}.weight`, [outputs, inputs]],
    [`${name}.bias`, [outputs]],
  ];
  const cell = ['l0', 'l0_reverse'].flatMap((end) => [
    [`rnn.weight_ih_${end}`, [36, 16]],
    [`rnn.weight_hh_${end}`, [36, 12]],
  ]);
  const shapes = [
    ...[['embedding.weight', [100, 16]], ['scale', [24]], ...cell],
    ...[...linear('score.0', 8, 24), ...linear('score.2', 1, 8), ...linear('head.0', 8, 24), ...linear('head.3', 3, 8)],
  ] as [string, number[]][];
  const filled = (shape: number[]) => new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.1);
  return writeSafetensors(
    Object.fromEntries(shapes.map(([name, shape]) => [name, { dtype: 'F32' as const, shape, data: filled(shape) }])),
  );
};

const CASES = '../../tests/fixtures/cases/';
const TAGGER = `${CASES}torch_module_embedding_gru_linear/`;
/** What the pages call models of their readers', by the file of ours that stands for it. */
const MODELS = {
  'model.safetensors': '../../examples/g2p/encoder.safetensors',
  'decoder.safetensors': '../../examples/g2p/decoder.safetensors',
  'model.keras': `${CASES}keras_gru_after_seq/model.keras`,
  'speech.keras': `${CASES}keras_gru_after_seq/model.keras`,
  'model.weights.h5': `${CASES}k3_lstm_weights_only/w.weights.h5`,
  'gru.pt': `${CASES}torch_gru_1layer/model.pt`,
  'tagger.pt': `${TAGGER}model.pt`,
  'step.onnx': `${CASES}onnx_cells_gru/legacy.onnx`,
  'amp.json': `${CASES}rtneural_lstm/model.json`,
  'my-model': `${CASES}tfjs_lstm/plain`,
};

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gru-wasm-start-'));
  mkdirSync(join(folder, 'node_modules/gru-wasm'), { recursive: true });
  // The page's server follows no links out of its folder.
  cpSync(at('../../dist'), join(folder, 'node_modules/gru-wasm/dist'), { recursive: true });
  cpSync(at('../../package.json'), join(folder, 'node_modules/gru-wasm/package.json'));
  cpSync(at('../../dist/pool-worker.js'), join(folder, 'static/pool-worker.js'));
  for (const [name, path] of Object.entries(MODELS)) cpSync(at(path), join(folder, name), { recursive: true });
  const [weightsOnly] = JSON.parse(readFileSync(at(`${CASES}k3_lstm_weights_only/case.json`), 'utf8')) as [
    { load: { keras: { config: object } } },
  ];
  writeFileSync(join(folder, 'config.json'), JSON.stringify(weightsOnly.load.keras.config));
  for (const name of ['model.onnx', 'speech.onnx', 'weather.onnx']) writeFileSync(join(folder, name), onnx(WEIGHTS));
  writeFileSync(join(folder, 'gru.onnx'), onnx([]));
  writeFileSync(join(folder, 'silero_vad.onnx'), vad());
  writeFileSync(join(folder, 'silero_vad_16k_sequence.onnx'), vadOfFrames());
  writeFileSync(join(folder, 'classifier.safetensors'), classifier());
  writeFileSync(join(folder, 'speech.safetensors'), await gru(64));
  writeFileSync(join(folder, 'amp.safetensors'), await gru(1));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "dependencies": { "gru-wasm": "*" } }');
  for (const [name, code] of blocks) writeFileSync(join(folder, name), code);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const IN_NODE: [name: string, prints: RegExp][] = [
  ['first.mjs', /^\[ 20, 8 \] wasm-/],
  ['model.mjs', /Float32Array\(320\)/],
  ['load.mjs', /^$/],
  ['static.mjs', /^$/],
  ['use.mjs', /^Float32Array\(8\)/],
  ['stream.mjs', /Float32Array\(4\)/],
  ['backends.mjs', /^wasm-baseline\njs\n$/],
  ['onnx.mjs', /Float32Array\(/],
  ['streams.mjs', /^216 320\n$/],
  ['many-streams.mjs', /^216 144 72\n$/],
  ['flows.mjs', /^(72\n){6}$/],
  ['batch.mjs', /^\[ 20, 4 \]\n\[ 8, 20, 4 \] \[ 1, 8, 4 \]\n\[ 20, 8, 4 \]\n$/],
  ['ragged.mjs', /^\[ 3, 20, 4 \]\n\[ 30, 4 \]\ntrue\n$/],
  ['axes.mjs', /^\[ 5, 4 \] \[ 1, 4 \]\n$/],
  ['lstm.mjs', /^512 8\n$/],
  ['pool.mjs', /^\[ 512, 100, 64 \]\n$/],
  ['precision.mjs', /^$/],
  ['sensitivity.mjs', /GRU_153|Y_h|index/],
  ['calibrate.mjs', /^\S+ \S+\n$/],
  ['keras.mjs', /^$/],
  ['onnx-files.mjs', /^$/],
  ['vad.mjs', /^0\n$/],
  ['states.mjs', /^$/],
  ['cells.mjs', /^$/],
  ['pytorch.mjs', /^$/],
  ['tagger.mjs', /^$/],
  ['classifier.mjs', /^\[ 3 \]\n$/],
  ['rtneural.mjs', /^$/],
  ['tfjs.mjs', /^$/],
];
const IN_CHROMIUM = [
  'page.html',
  'cdn.html',
  'main.js',
  'worker.js',
  'sw.js',
  'own-worker.js',
  'amp.js',
  'processor.js',
];
/** Run by `npm run consumers`, in hosts that it installs: scripts/consumers/recipes.mjs. */
const IN_CONSUMERS = ['deno.mjs', 'bun.mjs', 'cloudflare.mjs', 'page.jsx', 'client.jsx'];

test('every block of code is a file that a test runs, but for those of other languages', () => {
  const others = ['sh', 'text', 'python'];
  expect([...blocks.keys()].sort()).toEqual(
    [...IN_NODE.map(([name]) => name), ...IN_CHROMIUM, ...IN_CONSUMERS, ...others].sort(),
  );
  expect(blocks.get('sh')).toBe('npm install gru-wasm\n');
});

describe('in Node', () => {
  test.each(IN_NODE)('%s', (name, prints) => {
    expect(printedByNode([name], { cwd: folder })).toMatch(prints);
  });

  test('cloudflare.mjs, as its host calls it', async () => {
    const worker = (await import(pathToFileURL(join(folder, 'cloudflare.mjs')).href)) as {
      default: { fetch: (request: Request, env: object) => Promise<Response> };
    };
    const ASSETS = { fetch: () => Promise.resolve(new Response(readFileSync(join(folder, 'model.safetensors')))) };
    const request = new Request('https://example.invalid', { method: 'POST', body: JSON.stringify(WORD) });
    const answer = (await (await worker.default.fetch(request, { ASSETS })).json()) as { shape: number[] };
    expect(answer.shape).toEqual([320]);
  });
});

/** Whether the node of the page has given anything but silence. */
async function heard(): Promise<boolean> {
  const { amp } = window as { amp?: AudioWorkletNode };
  if (!amp) return false;
  const analyser = amp.context.createAnalyser();
  amp.connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return samples.some((sample) => sample !== 0);
}

describe('in Chromium', () => {
  let visitor: Visitor;
  let site: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    const out = join(folder, 'built');
    writeFileSync(join(folder, 'index.html'), '<!doctype html><script type="module" src="main.js"></script>');
    // Top-level await needs browsers of 2021.
    await build({ root: folder, base: './', logLevel: 'error', build: { outDir: out, target: 'es2022' } });
    const one = { bundle: true, format: 'esm', target: 'es2022', absWorkingDir: folder } as const;
    await bundle({ ...one, entryPoints: ['worker.js', 'sw.js'], outdir: out });
    cpSync(join(folder, 'model.safetensors'), join(out, 'model.safetensors'));
    site = await serve(folder);
    visitor = await Visitor.start('chromium', site.url);
  });
  afterAll(async () => {
    expect(visitor.problems.filter((problem) => !problem.includes('favicon'))).toEqual([]);
    await visitor.close();
    site.close();
  });

  test('page.html', async () => {
    await visitor.open('page.html');
    await visitor.textWith('body', /^320$/);
  });

  test('cdn.html', async () => {
    const CDN = 'https://cdn.jsdelivr.net/npm/gru-wasm/';
    await visitor.page.setRequestInterception(true);
    const answer = (request: HTTPRequest) => {
      if (!request.url().startsWith(CDN)) return void request.continue();
      const body = readFileSync(join(folder, 'node_modules/gru-wasm', request.url().slice(CDN.length)));
      void request.respond({ body, contentType: 'text/javascript', headers: { 'access-control-allow-origin': '*' } });
    };
    visitor.page.on('request', answer);
    await visitor.open('cdn.html');
    await visitor.textWith('body', /^320$/);
    visitor.page.off('request', answer);
    await visitor.page.setRequestInterception(false);
  });

  test.each(['own-worker.js', 'amp.js'])('%s', async (name) => {
    // As bundlers find the entries.
    const entry = (path: string) => `./node_modules/gru-wasm/dist/${path}.js`;
    const imports = {
      'gru-wasm': entry('index'),
      'gru-wasm/pool': entry('pool'),
      'gru-wasm/worklet': entry('worklet'),
    };
    const scripts = [
      `<script type="importmap">${JSON.stringify({ imports })}</script>`,
      // What is heard is heard by a test.
      `<script>const Node = AudioWorkletNode; AudioWorkletNode = class extends Node { constructor(...a) { super(...a); window.amp = this; } }</script>`,
      `<script type="module" src="${name}"></script>`,
    ];
    writeFileSync(join(folder, 'blank.html'), `<!doctype html><body>${scripts.join('')}`);
    await visitor.open('blank.html');
    if (name === 'own-worker.js') await visitor.textWith('body', /^1 x 1 x 64$/);
    else await visitor.page.waitForFunction(heard);
  });

  test('main.js, by Vite', async () => {
    await visitor.open('built/index.html');
    await visitor.textWith('body', /^320$/);
  });

  test('worker.js', async () => {
    await visitor.open('built/index.html');
    const shape = await visitor.page.evaluate(async (word) => {
      const worker = new Worker('worker.js', { type: 'module' });
      worker.postMessage(word);
      const { data } = await new Promise<MessageEvent<{ shape: number[] }>>((resolve) => (worker.onmessage = resolve));
      return data.shape;
    }, WORD);
    expect(shape).toEqual([320]);
  });

  test('sw.js', async () => {
    await visitor.open('built/index.html');
    const shape = await visitor.page.evaluate(async (word) => {
      await navigator.serviceWorker.register('sw.js');
      const { active } = await navigator.serviceWorker.ready;
      const answer = new Promise<MessageEvent<{ shape: number[] }>>(
        (resolve) => (navigator.serviceWorker.onmessage = resolve),
      );
      active!.postMessage(word);
      return (await answer).data.shape;
    }, WORD);
    expect(shape).toEqual([320]);
  });
});
