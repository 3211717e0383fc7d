import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../backends.ts';
import { expectClose, numbers } from '../facade/helpers.ts';
import { KERAS2, KERAS3, from, layer, read, refusal, TFJS, type Setting } from './keras-made.ts';

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

describe('Reshape of one number a step, of any number of steps', () => {
  const reshape = (name: string, of: string, ...target: number[]) =>
    layer('Reshape', name, { target_shape: target }, from(of));

  test.each<[string, object[], number[]]>([
    ['(-1)', [reshape('g', 'x', -1)], [2, 6]],
    ['(-1) twice', [reshape('a', 'x', -1), reshape('g', 'a', -1)], [2, 6]],
    ['(-1) and (-1, 1)', [reshape('a', 'x', -1), reshape('g', 'a', -1, 1)], [2, 6, 1]],
  ])('%s', async (_, more, shape) => {
    const x = numbers(12);
    for (const dialect of [KERAS2, KERAS3, TFJS]) {
      const made = await run([input('x', null, 1), ...more], { x: { data: x, shape: [2, 6, 1] } }, { dialect });
      expect(made).toEqual({ data: x, shape });
    }
  });

  test.each<[string, object[], RegExp]>([
    ['of two numbers a step', [input('x', null, 2), reshape('g', 'x', -1)], /makes another shape of steps/],
    ['in rows of two', [input('x', null, 1), reshape('g', 'x', -1, 2)], /makes another shape of steps/],
    ['a field that is unknown', [input('x', null, 1), layer('Reshape', 'g', { target_shape: [-1], order: 'F' }, from('x'))], /order/],
  ])('%s is refused', (_, layers, message) => {
    expect(refusal(layers)).toMatch(message);
  }); // prettier-ignore
});

describe('global pooling with channels first: over the features of each step', () => {
  const x = numbers(12);
  const given = { x: { data: x, shape: [2, 3, 2] } };
  const mean = [0, 1, 2, 3, 4, 5].map((i) => (x[2 * i]! + x[2 * i + 1]!) / 2);
  const most = [0, 1, 2, 3, 4, 5].map((i) => Math.max(x[2 * i]!, x[2 * i + 1]!));
  const pool = (className: string, config: object, ...of: unknown[]) =>
    layer(className, 'g', { data_format: 'channels_first', ...config }, ...(of.length > 0 ? of : [from('x')]));

  test.each<[string, object, number[], number[]]>([
    ['GlobalAveragePooling1D', {}, mean, [2, 3]],
    ['GlobalMaxPooling1D', {}, most, [2, 3]],
    ['GlobalAveragePooling1D', { keepdims: true }, mean, [2, 3, 1]],
  ])('%s %j', async (className, config, wanted, shape) => {
    const result = await run([input('x', 3, 2), pool(className, config)], given);
    expect(result.shape).toEqual(shape);
    expectClose(result.data, wanted, TOLERANCE);
  });

  test('as the features of a Dense layer', () => {
    const dense = layer('Dense', 'g', { units: 1, use_bias: false, activation: 'linear' }, from('pooled'));
    const pooled = { ...pool('GlobalAveragePooling1D', {}), config: { name: 'pooled', data_format: 'channels_first' } };
    const { spec } = read([input('x', 3, 2), pooled, dense], { shapes: { kernel: [3, 1] } });
    expect(spec.layers.map(({ type }) => type)).toEqual(['reduceFeatures', 'flatten', 'dense']);
  });

  test('of what has a mask, the mean is refused', () => {
    const masked = layer('Masking', 'm', { mask_value: 0 }, from('x'));
    const layers = [input('x', 3, 2), masked, pool('GlobalAveragePooling1D', {}, from('m'))];
    expect(refusal(layers)).toMatch(/data_format "channels_first" is not supported/);
    expect(read([input('x', 3, 2), masked, pool('GlobalMaxPooling1D', {}, from('m'))]).spec.layers).not.toHaveLength(0);
  });
});

test('a context of attention, one vector a sequence, is a step of what reads steps', async () => {
  // (2, 3 steps, 2 features) weighted by one number a step
  const [x, w] = [numbers(12, 5), numbers(6, 6)];
  const layers = [
    input('w', 3, 1),
    input('x', 3, 2),
    layer('Dot', 'context', { axes: 1 }, from('w'), from('x')),
    layer('UpSampling1D', 'g', { size: 2 }, from('context')),
  ];
  const { data, shape } = await run(layers, { w: { data: w, shape: [2, 3, 1] }, x: { data: x, shape: [2, 3, 2] } });
  expect(shape).toEqual([2, 2, 2]);
  const context = [0, 1].map((b) => [0, 1].map((j) => [0, 1, 2].reduce((sum, t) => sum + w[3 * b + t]! * x[6 * b + 2 * t + j]!, 0))); // prettier-ignore
  expectClose(data, context.flatMap((row) => [...row, ...row]), TOLERANCE); // prettier-ignore
});
