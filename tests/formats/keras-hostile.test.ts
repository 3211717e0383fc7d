import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readKeras } from '../../ts/formats/keras.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { openZip } from '../../ts/io/zip.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { from, layer, read as made } from './keras-made.ts';
import { random } from '../random.ts';
import { mutate, survives } from './mutate.ts';
import { refusalOf } from './refusal.ts';

const CASES = new URL('../fixtures/cases/', import.meta.url);
const load = (path: string) => new Uint8Array(readFileSync(new URL(path, CASES)));
const encode = (text: string) => new TextEncoder().encode(text);

const h5 = load('keras_functional_masking/model.h5');
const weights = load('keras_functional_masking/model.weights.h5');
const keras = load('keras_rnn_grucell/model.keras');
const config = new TextDecoder().decode(
  await (await openZip(load('keras_functional_masking/model.keras'), 'model.keras')).read('config.json'),
);
const modelJson = load('tfjs_text_classifier/model.json');
const shard = load('tfjs_text_classifier/weights.bin');

const READERS: Record<string, [bytes: Uint8Array, read: (bytes: Uint8Array) => Promise<unknown>]> = {
  '.h5': [h5, (bytes) => readKeras(bytes).then(({ spec }) => resolveGraph(spec))],
  '.keras': [keras, (bytes) => readKeras(bytes)],
  '.weights.h5': [weights, (bytes) => readKeras(bytes, { options: { keras: { config } } })],
  config: [
    encode(config),
    (bytes) => readKeras(weights, { options: { keras: { config: new TextDecoder().decode(bytes) } } }),
  ],
  'model.json': [modelJson, (bytes) => readTfjs(bytes, { sidecar: () => Promise.resolve(shard) })],
  shard: [shard, (bytes) => readTfjs(modelJson, { sidecar: () => Promise.resolve(bytes) })],
};

/** Offsets at which a pattern occurs. */
function offsetsOf(bytes: Uint8Array, pattern: string): number[] {
  const text = new TextDecoder('latin1').decode(bytes);
  return [...text.matchAll(new RegExp(pattern, 'g'))].map(({ index }) => index);
}

describe.each(Object.entries(READERS))('damaged %s', (_, [bytes, read]) => {
  test('the whole file is read', async () => {
    await read(bytes);
  });

  test('cut off anywhere', async () => {
    const step = Math.max(1, Math.floor(bytes.length / 500));
    for (let length = 0; length < bytes.length; length += step) await survives(read, bytes.slice(0, length));
  });

  test('changed anywhere', async () => {
    const next = random(11);
    for (let i = 0; i < 800; i++) await survives(read, mutate(bytes, next));
  });
});

describe('hostile HDF5', () => {
  const read = READERS['.h5']![1];

  test('numbers of its structures changed to extremes', async () => {
    const starts = ['TREE', 'SNOD', 'HEAP', 'GCOL'].flatMap((signature) => offsetsOf(h5, signature));
    expect(starts.length).toBeGreaterThan(20);
    for (const start of starts) {
      for (let offset = start + 4; offset < start + 48; offset += 4) {
        for (const value of [0, 0xff]) {
          await survives(read, h5.slice().fill(value, offset, offset + 2));
          await survives(read, h5.slice().fill(value, offset, offset + 8));
        }
      }
    }
  });

  test('addresses of its structures swapped, so that it has cycles', async () => {
    const starts = ['TREE', 'SNOD', 'HEAP'].flatMap((signature) => offsetsOf(h5, signature));
    const next = random(5);
    const view = new DataView(h5.buffer, h5.byteOffset, h5.byteLength);
    const places: number[] = [];
    for (let at = 0; at + 8 <= h5.length; at += 8) {
      if (starts.includes(Number(view.getBigUint64(at, true)))) places.push(at);
    }
    expect(places.length).toBeGreaterThan(10);
    for (let i = 0; i < 1000; i++) {
      const bytes = h5.slice();
      const copy = new DataView(bytes.buffer);
      const place = places[Math.floor(next() * places.length)]!;
      copy.setBigUint64(place, BigInt(starts[Math.floor(next() * starts.length)]!), true);
      await survives(read, bytes);
    }
  });

  test('a B-tree that has one child many times over', async () => {
    // A leaf of 65535 entries that are all its first symbol table, at the end of the file; the root group's tree is it.
    const [tree] = offsetsOf(h5, 'TREE') as [number];
    const [table] = offsetsOf(h5, 'SNOD') as [number];
    const bytes = new Uint8Array(h5.length + 24 + 16 * 65_536);
    bytes.set(h5);
    const view = new DataView(bytes.buffer);
    bytes.set(h5.subarray(tree, tree + 24), h5.length);
    view.setUint16(h5.length + 6, 65_535, true);
    for (let i = 0; i < 65_535; i++) view.setBigUint64(h5.length + 24 + 16 * i + 8, BigInt(table), true);
    for (let at = 0; at < h5.length; at += 8) {
      if (view.getBigUint64(at, true) === BigInt(tree)) view.setBigUint64(at, BigInt(h5.length), true);
    }
    await survives(read, bytes);
    await expect(read(bytes)).rejects.toThrow(/repeat or overlap/);
  });

  test.each([
    ['superblock version', 8, 2, /^invalid_file: .*addresses or lengths of 0 bytes/],
    ['superblock version', 8, 4, /^unsupported: .*superblock version 4; supported: 0 to 3/],
    ['size of addresses', 13, 5, /^invalid_file: .*addresses or lengths of 5 bytes/],
  ])('%s', async (_, offset, value, words) => {
    const bytes = h5.slice();
    bytes[offset] = value;
    expect(await refusalOf(read(bytes))).toMatch(words);
  });
});

describe('hostile configs', () => {
  const read = (text: string) => readKeras(weights, { options: { keras: { config: text } } });

  test('deep nesting', async () => {
    const deep = (n: number) => '['.repeat(n) + ']'.repeat(n);
    for (const n of [10, 10_000, 200_000]) {
      await survives(
        () => read(config.replace('"inbound_nodes": []', `"inbound_nodes": [{"args": ${deep(n)}, "kwargs": {}}]`)),
        h5,
      );
      await survives(() => read(`{"class_name":"Sequential","config":{"layers":${deep(n)}}}`), h5);
    }
  });

  test('a layer that reads itself, and long chains', async () => {
    const model = (layers: object[], last: string) =>
      JSON.stringify({
        class_name: 'Functional',
        config: { layers, input_layers: [['x', 0, 0]], output_layers: [[last, 0, 0]] },
      });
    const input = {
      class_name: 'InputLayer',
      name: 'x',
      config: { name: 'x', batch_shape: [null, 3, 4] },
      inbound_nodes: [],
    };
    const drop = (name: string, reads: string) => ({
      class_name: 'Dropout',
      name,
      config: { name, trainable: true, rate: 0.1 },
      inbound_nodes: [[[reads, 0, 0, {}]]],
    });
    await expect(read(model([input, drop('a', 'b'), drop('b', 'a')], 'b'))).rejects.toThrow(/reads its own output/);
    const chain = Array.from({ length: 5000 }, (_, i) => drop(`d${i}`, i === 4999 ? 'x' : `d${i + 1}`));
    await expect(read(model([input, ...chain], 'd4999'))).rejects.toThrow(/in a chain/);
  });

  test('huge sizes', async () => {
    await survives(() => read(config.replaceAll(/"units": \d+/g, '"units": 4000000000')), h5);
    await survives(
      () => read(config.replaceAll('6, 4]', '6, 4000000000]').replaceAll('"mask_value": 0.0', '"mask_value": 1.0')),
      h5,
    );
  });

  test('numbers that are the same for all features are written out for so many features, whatever the layer', () => {
    const many = (size: number, count: number, make: (name: string, reads: string) => object[]) => {
      const names = Array.from({ length: count }, (_, i) => `l${i}`);
      const x = layer('InputLayer', 'x', { batch_input_shape: [null, 3, size] });
      const layers = names.flatMap((name, i) => make(name, names[i - 1] ?? 'x'));
      return () => made([x, ...layers], { outputs: [[names.at(-1)!, 0, 0]], shapes: { alpha: [3, 1] } });
    };
    const rescaling = (name: string, reads: string) => [layer('Rescaling', name, { scale: 2 }, from(reads))];
    const prelu = (name: string, reads: string) => [layer('PReLU', name, { shared_axes: [2] }, from(reads))];
    expect(many(1000, 20, rescaling)).not.toThrow();
    expect(many(100_000, 100, rescaling)).toThrow(/Rescaling layer 'l83': it and .* 8400000 numbers/);
    expect(many(2 ** 53 - 1, 1, rescaling)).toThrow(/Rescaling layer 'l0': it and/);
    expect(many(100_000, 40, prelu)).toThrow(/PReLU layer 'l27': it and .* 8400000 numbers/);
  });
});
