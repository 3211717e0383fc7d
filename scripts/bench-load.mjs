import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  readRaw,
  RTNEURAL_SIZE,
  SIZE,
  writeOnnx,
  writeRaw,
  writeRtneural,
  writeTfjs,
  writeTorchSafetensors,
} from '../bench/load/models.mjs';
import { at, main, output } from './lib.mjs';
import { setup } from './setup.mjs';

const HELP = `node scripts/bench-load.mjs [--models FOLDER] [--rounds N] [--record] [--no-setup]

Loads a model of 9.8 MB in each format, in turns with reading and packing the raw numbers. bench/load/make_models.py FOLDER
writes the files of PyTorch and Keras into the folder; those of other formats are written here.`;

/** What issue 5 asks for. */
const TARGET = 3;
const CONFIG = { inputSize: SIZE, hiddenSize: SIZE, resetAfter: true };

async function writeModels(/** @type {string} */ folder, /** @type {typeof import('../ts/index.ts')} */ { createGru }) {
  const path = (/** @type {string} */ name) => join(folder, name);
  writeRaw(path('raw.bin'));
  const model = await createGru(CONFIG, { layout: 'pytorch', ...readRaw(await readFile(path('raw.bin'))) });
  writeFileSync(path('ours.safetensors'), model.save());
  writeFileSync(path('ours-f16.safetensors'), model.save({ dtype: 'float16' }));
  model.dispose();
  writeTorchSafetensors(path('torch.safetensors'));
  writeOnnx(path('onnx.onnx'));
  writeOnnx(path('onnx-list.onnx'), 4);
  writeRtneural(path('rtneural.json'));
  for (const [name, quantized] of /** @type {const} */ ([
    ['tfjs', undefined],
    ['tfjs-uint8', 'uint8'],
    ['tfjs-f16', 'float16'],
  ])) {
    mkdirSync(path(name), { recursive: true });
    writeTfjs(path(name), quantized);
  }
}

/** A model of a quarter of the numbers. */
const RTNEURAL = `RTNeural .json, GRU(${RTNEURAL_SIZE}, ${RTNEURAL_SIZE})`;

const FORMATS = [
  ['gru-wasm', 'ours.safetensors'],
  ['gru-wasm, float16', 'ours-f16.safetensors'],
  ['PyTorch .safetensors', 'torch.safetensors'],
  ['PyTorch .pt', 'torch.pt'],
  ['PyTorch .pt, legacy', 'torch-legacy.pt'],
  ['PyTorch .pt, float16', 'torch-f16.pt'],
  ['TorchScript .pt', 'torchscript.pt'],
  ['NumPy .npz', 'numpy.npz'],
  ['NumPy .npz, compressed', 'numpy-compressed.npz'],
  ['Keras .keras', 'keras.keras'],
  ['Keras .h5', 'keras.h5'],
  ['Keras .weights.h5', 'keras.weights.h5'],
  ['ONNX', 'onnx.onnx'],
  ['ONNX, float_data', 'onnx-list.onnx'],
  ['TensorFlow.js', 'tfjs/model.json'],
  ['TensorFlow.js, uint8', 'tfjs-uint8/model.json'],
  ['TensorFlow.js, float16', 'tfjs-f16/model.json'],
  [RTNEURAL, 'rtneural.json'],
];

/** Formats whose numbers are text or deflated: what that takes is measured, and no target is set for it. */
const UNPACKED = ['NumPy .npz, compressed', RTNEURAL];

function quantile(/** @type {number[]} */ values, /** @type {number} */ q) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(q * (sorted.length - 1))];
}

/** @param {Record<string, number[]>} times */
function table(times, /** @type {Map<string, number>} */ sizes) {
  const raw = times.raw;
  const lines = Object.entries(times).map(([name, values]) => {
    const ms = [0.5, 0.25, 0.75].map((q) => quantile(values, q).toFixed(1));
    const ratio = quantile(
      values.map((value, i) => value / raw[i]),
      0.5,
    );
    const verdict = name === 'raw' || UNPACKED.includes(name) ? '' : ratio <= TARGET ? 'met' : 'missed';
    return `| ${name} | ${((sizes.get(name) ?? 0) / 1e6).toFixed(1)} | ${ms[0]} | ${ms[1]} to ${ms[2]} | ${name === RTNEURAL ? '' : ratio.toFixed(2)} | ${verdict} |`;
  });
  return [
    '| format | MB | median, ms | quartiles | x raw, median of the rounds | at most 3 |',
    '|---|---:|---:|---|---:|---|',
    ...lines,
  ];
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      models: { type: 'string', default: join(tmpdir(), 'gru-wasm-load') },
      rounds: { type: 'string', default: '31' },
      record: { type: 'boolean' },
      'no-setup': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (!values['no-setup']) await setup();
  const api = await import(new URL('../dist/index.js', import.meta.url).href);
  const { models: folder } = values;
  mkdirSync(folder, { recursive: true });
  await writeModels(folder, api);

  const config = existsSync(join(folder, 'config.json')) ? readFileSync(join(folder, 'config.json'), 'utf8') : '';
  const present = FORMATS.filter(([, file]) => existsSync(join(folder, file)));
  /** @type {[string, () => Promise<{ dispose(): void }>][]} */
  const loads = [
    [
      'raw',
      async () => api.createGru(CONFIG, { layout: 'pytorch', ...readRaw(await readFile(join(folder, 'raw.bin'))) }),
    ],
    ...present.map(([name, file]) => {
      const options = file.endsWith('.weights.h5') ? { keras: { config } } : {};
      return /** @type {[string, () => Promise<any>]} */ ([name, () => api.loadModel(join(folder, file), options)]);
    }),
  ];
  const sizes = new Map(
    [['raw', 'raw.bin'], ...present].map(([name, file]) => {
      const size = (/** @type {string} */ path) => statSync(join(folder, path)).size;
      const shards = file.endsWith('model.json')
        ? JSON.parse(readFileSync(join(folder, file), 'utf8')).weightsManifest[0].paths
        : [];
      return [
        name,
        size(file) +
          shards.reduce(
            (/** @type {number} */ sum, /** @type {string} */ shard) => sum + size(join(file, '..', shard)),
            0,
          ),
      ];
    }),
  );

  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(loads.map(([name]) => [name, []]));
  const rounds = Number(values.rounds);
  const before = loadavg()[0];
  // The first rounds compile and read the disk.
  for (let round = -3; round < rounds; round++) {
    for (let i = 0; i < loads.length; i++) {
      const [name, load] = loads[(i + Math.max(round, 0)) % loads.length];
      globalThis.gc?.();
      const start = performance.now();
      const model = await load();
      if (round >= 0) times[name].push(performance.now() - start);
      model.dispose();
    }
  }
  const lines = table(times, sizes);
  console.log(lines.join('\n'));
  const left = FORMATS.filter((format) => !present.includes(format)).map(([name]) => name);
  if (left.length > 0) console.log(`left out, for bench/load/make_models.py has not made them: ${left.join(', ')}`);
  if (values.record) {
    mkdirSync(at('bench', 'records'), { recursive: true });
    const writers = ['torch', 'keras'].flatMap((name) => {
      const file = join(folder, `${name}.version`);
      return existsSync(file) ? [`${name} ${readFileSync(file, 'utf8')}`] : [];
    });
    const page = [
      '# Loading',
      '',
      `- ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${output('git', 'rev-parse', '--short=12', 'HEAD')}`,
      `- ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${before.toFixed(1)} before and ${loadavg()[0].toFixed(1)} after; Node ${process.versions.node}`,
      `- \`node${process.execArgv.map((arg) => ` ${arg}`).join('')} scripts/bench-load.mjs ${process.argv.slice(2).join(' ')}\`, ${rounds} rounds in turns; backend auto (wasm)`,
      '',
      `A model of one GRU(${SIZE}, ${SIZE}): path to model, the file in the system's cache${writers.length > 0 ? `; written by ${writers.join(' and ')} where it is their format` : ''}. \`raw\` reads the bare numbers and calls createGru.`,
      ...(left.length > 0 ? ['', `Left out, their files were not at hand: ${left.join(', ')}.`] : []),
      '',
      ...lines,
      '',
    ];
    writeFileSync(at('bench', 'records', 'load.md'), page.join('\n'));
  }
  return 0;
});
