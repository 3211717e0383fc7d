import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tryInput } from '../../scripts/fuzz/trial.mjs';
import { unzip, zip } from '../../scripts/fuzz/zip.mjs';
import { type Api, counted, MOST_MS } from './counted.ts';

/** Every field of every class of layer that the recorded models have, with odd values one after the other: a model, or a GruError, soon, in little memory. */

type Input = Parameters<typeof tryInput>[1];
type Path = (string | number)[];
interface Model {
  name: string;
  json: unknown;
  /** The file of another JSON. */
  of: (json: string) => Input;
}

const CASES = new URL('../fixtures/cases/', import.meta.url);
/** Larger models have no more fields, and take longer. */
const LARGEST = 12_000;
const ODD: unknown[] = [
  ...['', '__proto__', 'constructor', '\ud800'],
  ...[null, true, -1, 0, 0.5, 2 ** 22, 2 ** 24, 2 ** 32, 2 ** 53, 1e308],
  ...[[], {}, [[]], [null], [{}], [1, [2]]],
  ...[
    { class_name: 'constructor', config: {} },
    { config: {} },
    { module: 'keras.layers', class_name: '', config: null },
  ],
];

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const read = (path: string) => new Uint8Array(readFileSync(new URL(path, CASES)));
const folders = readdirSync(CASES).sort();

/** What is a part of a class is told by the class and the way to it; places in lists are all alike. */
function nameOf(root: unknown, path: Path): string {
  let [at, name] = [root, ''];
  for (const step of path) {
    const { class_name: named, type } = at as Record<string, unknown>;
    const className = named ?? type;
    if (typeof className === 'string') name = className;
    name += `/${typeof step === 'number' ? '#' : step}`;
    at = (at as Record<string | number, unknown>)[step];
  }
  return name;
}

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path;
  if (typeof value !== 'object' || value === null) return;
  // Of lists of numbers, as weights are, the first are enough.
  if (Array.isArray(value)) for (const i of value.slice(0, 20).keys()) yield* pathsOf(value[i], [...path, i]);
  else for (const [key, inner] of Object.entries(value)) yield* pathsOf(inner, [...path, key]);
}

/** A copy in which there is something else at the end of the path; undefined: nothing. */
function changed(value: unknown, [step, ...rest]: Path, other: unknown): unknown {
  if (step === undefined) return other;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>;
  copy[step] = changed(copy[step], rest, other);
  return copy;
}

const FORMATS: Record<string, (api: Api) => Model[] | Promise<Model[]>> = {
  keras: () =>
    folders.flatMap((folder) =>
      readdirSync(new URL(folder, CASES))
        .filter((file) => file.endsWith('.keras'))
        .map((file) => {
          const { 'config.json': config, ...rest } = unzip(read(`${folder}/${file}`));
          const of = (json: string) => ({ bytes: zip({ ...rest, 'config.json': encode(json) }) });
          return { name: `${folder}/${file}`, json: JSON.parse(decode(config!)) as unknown, of };
        }),
    ),
  tfjs: () =>
    folders
      .filter((folder) => folder.startsWith('tfjs') && existsSync(new URL(`${folder}/model.json`, CASES)))
      .map((folder) => {
        const shards = readdirSync(new URL(folder, CASES)).filter((file) => file.endsWith('.bin'));
        const files = Object.fromEntries(shards.map((file) => [file, read(`${folder}/${file}`)]));
        const of = (json: string) => ({ bytes: encode(json), options: { files } });
        return { name: folder, json: JSON.parse(decode(read(`${folder}/model.json`))) as unknown, of };
      }),
  rtneural: () =>
    folders
      .filter((folder) => /^(rtneural|guitarml)/.test(folder))
      .flatMap((folder) => {
        const files = readdirSync(new URL(folder, CASES)).filter((f) => f.endsWith('.json') && f !== 'case.json');
        return files.map((file) => ({
          name: `${folder}/${file}`,
          json: JSON.parse(decode(read(`${folder}/${file}`))) as unknown,
          of: (json: string) => ({ bytes: encode(json) }),
        }));
      }),
  'gru-wasm': async (api) => {
    const model = await api.createModel(SPEC);
    const bytes = model.save();
    model.dispose();
    const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(decode(bytes.subarray(8, end))) as Record<string, Record<string, string>>;
    const file = (json: string) => {
      const text = encode(json);
      const out = new Uint8Array(8 + text.length + bytes.length - end);
      new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
      out.set(text, 8);
      out.set(bytes.subarray(end), 8 + text.length);
      return { bytes: out };
    };
    const { __metadata__: metadata, ...tensors } = header;
    const ofSpec = (json: string) =>
      file(JSON.stringify({ __metadata__: { ...metadata, 'gru-wasm': json }, ...tensors }));
    return [
      { name: 'the spec', json: JSON.parse(metadata!['gru-wasm']!) as unknown, of: ofSpec },
      { name: 'the header', json: header, of: file },
    ];
  },
};

/** A layer of many kinds. */
const zeros = (n: number) => new Float32Array(n);
const SPEC: Parameters<Api['createModel']>[0] = {
  inputs: [
    { name: 'x', dtype: 'float32', size: 4 },
    { name: 'ids', dtype: 'int32', size: 1 },
  ],
  layers: [
    {
      name: 'e',
      type: 'embedding',
      inputs: ['ids'],
      vocabularySize: 5,
      outputSize: 4,
      weights: { embeddings: zeros(20) },
    },
    { name: 's', type: 'scale', inputs: ['x'], inputSize: 4, weights: { scale: zeros(4) } },
    { name: 'm', type: 'merge', inputs: ['s', 'e'], merge: 'sum' },
    {
      ...{ name: 'c', type: 'conv1d', inputs: ['m'], inputSize: 4, outputSize: 3, kernelSize: 3, dilation: 2 },
      padding: 'causal',
      weights: { kernel: zeros(36), bias: zeros(3) },
    },
    {
      ...{ name: 'g', type: 'gru', inputs: ['c'], inputSize: 3, hiddenSize: 2, resetAfter: true },
      weights: { 'forward.input': zeros(18), 'forward.recurrent': zeros(12) },
    },
    { name: 'a', type: 'activation', inputs: ['g'], activation: { name: 'leaky_relu', alpha: 0.1 } },
    { name: 'p', type: 'pad', inputs: ['a'], before: 1 },
    {
      name: 'd',
      type: 'dense',
      inputs: ['p'],
      inputSize: 2,
      outputSize: 2,
      activation: 'softmax',
      weights: { kernel: zeros(4) },
    },
  ],
  outputs: ['d', { name: 'last', from: 'g:last' }],
};

const run = counted();

test.each(Object.keys(FORMATS))('%s', async (format) => {
  const models = await FORMATS[format]!(run.api);
  const small = models
    .map((model) => ({ ...model, length: JSON.stringify(model.json).length }))
    .filter(({ length }) => length <= LARGEST)
    .sort((a, b) => a.length - b.length);
  const seen = new Set<string>();
  const failures: string[] = [];
  let [read, n, refused] = [0, 0, 0];
  for (const { name, json, of } of small) {
    const plain = await tryInput(run.api, of(JSON.stringify(json)), run.take, MOST_MS);
    if (plain.code !== 'accepted') continue;
    read++;
    for (const path of pathsOf(json)) {
      const field = nameOf(json, path);
      if (seen.has(field)) continue;
      seen.add(field);
      for (const odd of [undefined, ...ODD]) {
        const { failure, code } = await tryInput(
          run.api,
          of(JSON.stringify(changed(json, path, odd))),
          run.take,
          MOST_MS,
        );
        n++;
        if (code !== 'accepted') refused++;
        if (failure !== undefined) failures.push(`${name}: ${path.join('/')} = ${JSON.stringify(odd)}: ${failure}`);
      }
    }
  }
  expect(failures).toEqual([]);
  expect(read).toBeGreaterThan(1);
  expect(refused / n).toBeGreaterThan(0.2);
});
