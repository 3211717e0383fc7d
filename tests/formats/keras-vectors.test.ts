import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../backends.ts';
import { expectClose, numbers } from '../facade/helpers.ts';
import { KERAS2, KERAS3, from, layer, read, TFJS, type Setting } from './keras-made.ts';

/** Dot of vectors, and Flatten: their numbers, and the shapes in which they come. Compared with Keras 3.15 on models of all their arguments. */

const api = BACKENDS[0]!.api;
const TOLERANCE = { atol: 1e-6, rtol: 1e-5 };
const input = (name: string, ...shape: (number | null)[]) =>
  layer('InputLayer', name, { batch_input_shape: [null, ...shape] });

async function run(
  layers: object[],
  inputs: Record<string, { data: Float32Array; shape: number[] }>,
  setting?: Setting,
) {
  using model = await api.createModel(read(layers, setting).spec);
  const [only] = Object.values(inputs);
  return model.run(Object.keys(inputs).length > 1 ? inputs : only!).output;
}

/** Products of the rows of two arrays of rows of `size`, made of length 1 but for shorter ones than `least`. */
function dots(a: Float32Array, b: Float32Array, size: number, least?: number): number[] {
  const unit = (row: Float32Array) => {
    const length = least === undefined ? 1 : Math.max(Math.sqrt(row.reduce((sum, v) => sum + v * v, 0)), least);
    return Array.from(row, (v) => v / length);
  };
  return Array.from({ length: a.length / size }, (_, i) => {
    const [x, y] = [a, b].map((all) => unit(all.subarray(i * size, (i + 1) * size)));
    return x!.reduce((sum, v, j) => sum + v * y![j]!, 0);
  });
}

describe('Dot of two vectors', () => {
  const [a, b] = [numbers(8, 3), numbers(8, 4)];
  // Shorter than what Keras divides by at least.
  for (let j = 4; j < 8; j++) a[j]! *= 1e-8;
  const given = { a: { data: a, shape: [2, 4] }, b: { data: b, shape: [2, 4] } };
  const layers = (config: object) => [
    input('a', 4),
    input('b', 4),
    layer('Dot', 'g', { ...config }, from('a'), from('b')),
  ];

  test.each([1, -1, [1, 1], [-1, 1]])('along axes %j', async (axes) => {
    const { data, shape } = await run(layers({ axes, normalize: false }), given);
    expect(shape).toEqual([2, 1]);
    expectClose(data, dots(a, b, 4), TOLERANCE);
  });

  test.each([
    ['Keras 3', KERAS3, 1e-7],
    ['Keras 2', KERAS2, 1e-6],
    ['TensorFlow.js', TFJS, Math.sqrt(1e-7)],
  ])('normalized, of %s', async (_, dialect, least) => {
    const { data, shape } = await run(layers({ axes: 1, normalize: true }), given, { dialect });
    expect(shape).toEqual([2, 1]);
    expectClose(data, dots(a, b, 4, least), TOLERANCE);
  });

  test('of one number a step, flattened', async () => {
    const one = (name: string) => [input(name, 4, 1), layer('Flatten', `${name}_flat`, {}, from(name))];
    const dot = layer('Dot', 'g', { axes: 1, normalize: true }, from('a_flat'), from('b_flat'));
    const steps = { a: { data: a, shape: [2, 4, 1] }, b: { data: b, shape: [2, 4, 1] } };
    expectClose((await run([...one('a'), ...one('b'), dot], steps)).data, dots(a, b, 4, 1e-7), TOLERANCE);
  });

  test('normalized weights of steps', async () => {
    // (1, 3 steps, 2 features), one number a step: weights along the steps.
    const [x, w] = [numbers(6, 5), numbers(3, 6)];
    const made = [
      input('w', 3, 1),
      input('x', 3, 2),
      layer('Flatten', 'flat', {}, from('w')),
      layer('Dot', 'g', { axes: [1, 1], normalize: true }, from('flat'), from('x')),
    ];
    const columns = [0, 1].map((j) => Float32Array.from([0, 1, 2], (t) => x[2 * t + j]!));
    const want = columns.flatMap((column) => dots(w, column, 3, 1e-7));
    const { data } = await run(made, { w: { data: w, shape: [1, 3, 1] }, x: { data: x, shape: [1, 3, 2] } });
    expectClose(data, want, TOLERANCE);
  });
});

describe('Flatten', () => {
  test.each([
    ['an output', []],
    ['read by Add', [layer('Add', 'g', {}, from('flat'), from('flat'))]],
    ['read by Flatten', [layer('Flatten', 'g', {}, from('flat'))]],
  ] as const)('of one number a step, %s: a row a sequence', async (_, more) => {
    const x = numbers(12);
    const layers = [input('x', 6, 1), layer('Flatten', more.length > 0 ? 'flat' : 'g', {}, from('x')), ...more];
    const { data, shape } = await run(layers, { x: { data: x, shape: [2, 6, 1] } });
    expect(shape).toEqual([2, 6]);
    const factor = more[0]?.class_name === 'Add' ? 2 : 1;
    expect(data).toEqual(x.map((value) => factor * value));
  });

  test('features first', async () => {
    const x = numbers(6);
    const layers = [input('x', 3, 2), layer('Flatten', 'g', { data_format: 'channels_first' }, from('x'))];
    const { data, shape } = await run(layers, { x: { data: x, shape: [1, 3, 2] } });
    expect(shape).toEqual([1, 6]);
    expect([...data]).toEqual([0, 2, 4, 1, 3, 5].map((i) => x[i]!));
  });

  test('of a vector, alone in a model', async () => {
    const x = numbers(6);
    const layers = [input('x', 3), layer('Flatten', 'g', {}, from('x'))];
    expect((await run(layers, { x: { data: x, shape: [2, 3] } })).data).toEqual(x);
  });

  test.each([[1], [2]])('at each step, of steps of %i number(s)', async (size) => {
    const x = numbers(2 * 4 * 3 * size);
    const each = { layer: { class_name: 'Flatten', config: { name: 'flatten' } } };
    const layers = [input('x', 4, 3, size), layer('TimeDistributed', 'g', each, from('x'))];
    const { data, shape } = await run(layers, { x: { data: x, shape: [2, 4, 3, size] } });
    expect(shape).toEqual([2, 4, 3 * size]);
    expect(data).toEqual(x);
  });
});
