import { describe, expect, test } from 'vitest';
import { numbersOf, type WeightDtype, type WeightTensor } from '../../ts/base/weights.ts';
import { inspect, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createModel as createJsModel, loadModel as loadJsModel } from '../../ts/js.ts';
import { quantize } from '../../ts/formats/quantize.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const [I, H] = [9, 21];

type Weights = Record<string, WeightTensor | undefined>;
const weightsOf = (spec: ModelSpec, name: string) =>
  (spec.layers.find((layer) => layer.name === name) as { weights: Weights }).weights;
const dtypeOf = (tensor: WeightTensor | undefined) => (tensor instanceof Float32Array ? 'f32' : tensor?.dtype);

/** Ids through a table, each cell, a convolution and a dense layer; an activation, which has no weights. */
function spec(random = new Random(5)): ModelSpec {
  const recurrent = (gates: number, size: number, more: Record<string, Float32Array> = {}) => ({
    'forward.input': random.floats(gates * H * size, 0.3),
    'forward.recurrent': random.floats(gates * H * H, 0.3),
    'forward.bias': random.floats(gates * H, 0.1),
    ...more,
  });
  const sizes = { inputSize: H, hiddenSize: H };
  return {
    inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
    layers: [
      {
        name: 'table',
        type: 'embedding',
        vocabularySize: 11,
        outputSize: I,
        weights: { embeddings: random.floats(11 * I) },
      },
      {
        name: 'after',
        type: 'gru',
        inputSize: I,
        hiddenSize: H,
        resetAfter: true,
        weights: recurrent(3, I, { 'forward.recurrentBias': random.floats(H, 0.1) }),
      },
      { name: 'before', type: 'gru', ...sizes, resetAfter: false, weights: recurrent(3, H) },
      {
        name: 'lstm',
        type: 'lstm',
        ...sizes,
        weights: recurrent(4, H, { 'forward.peepholes': random.floats(3 * H, 0.1) }),
      },
      { name: 'rnn', type: 'rnn', ...sizes, weights: recurrent(1, H) },
      {
        name: 'conv',
        type: 'conv1d',
        inputSize: H,
        outputSize: H,
        kernelSize: 3,
        padding: 'causal',
        weights: { kernel: random.floats(H * 3 * H, 0.2) },
      },
      { name: 'act', type: 'activation', activation: 'tanh' },
      { name: 'dense', type: 'dense', inputSize: H, outputSize: 4, weights: { kernel: random.floats(4 * H, 0.3) } },
    ],
  };
}

const ids = Int32Array.from({ length: 30 }, (_, t) => (t * 7) % 11);
const file = (await createJsModel(spec())).save();
const BACKENDS = [
  { name: 'wasm', load: loadModel },
  { name: 'js', load: loadJsModel },
];

function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe.each(BACKENDS)('precision on $name', ({ load }) => {
  // Measured, on both: i16 7.1e-5, i8 1.4e-3.
  test.each([
    ['i16', 1e-6, 2e-4],
    ['i8', 1e-4, 5e-3],
  ] as const)('%s: all weights of products, near what they were', async (precision, least, most) => {
    const exact = (await load(file)).run(ids).output.data;
    const model = await load(file, { precision });
    for (const { name } of model.spec.layers.filter(({ name }) => name !== 'act')) {
      for (const [key, tensor] of Object.entries(weightsOf(model.spec, name))) {
        const wanted = /bias|peepholes/i.test(key) ? 'f32' : precision;
        expect([name, key, dtypeOf(tensor)]).toEqual([name, key, wanted]);
      }
    }
    const error = furthest(model.run(ids).output.data, exact);
    expect(error).toBeGreaterThan(least);
    expect(error).toBeLessThan(most);
  });

  test.each(['i16', 'i8'] as const)('%s: saved and loaded, the same bits', async (precision) => {
    const loaded = await load(file, { precision });
    const stored = (await load(file)).save({ dtype: precision });
    expect(stored.length).toBeLessThan(file.length * (precision === 'i16' ? 0.7 : 0.5));
    const again = await load(stored);
    expect(again.spec).toEqual(loaded.spec);
    expect(again.run(ids).output.data).toEqual(loaded.run(ids).output.data);
    expect(again.save()).toEqual(stored);
    expect(loaded.save()).toEqual(stored);
    // A stream and a batch too: the same bits as alone.
    const stream = again.createStream();
    const steps = Array.from(ids, (id) => stream.step(Int32Array.of(id)).slice());
    expect(Float32Array.from(steps.flatMap((row) => [...row]))).toEqual(loaded.run(ids).output.data);
    const batch = loaded.run([ids, ids.slice(3), ids.slice(0, 1)]).output.data;
    expect(batch.slice(0, ids.length * 4)).toEqual(again.run(ids).output.data);
  });

  test('the gates that trace shows are those of the integers', async () => {
    const model = await load(file, { precision: 'i8' });
    for (const layer of ['after', 'before']) {
      const traced = await model.trace(ids, { layer });
      const [z, n, h] = ['z', 'candidate', 'h'].map((name) => traced[name]!.data) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const made = h.map((_, i) => z[i]! * (i < H ? 0 : h[i - H]!) + (1 - z[i]!) * n[i]!);
      // Gates of the numbers that they stand for are 7.6e-6 away.
      expect(furthest(made, h)).toBeLessThan(2e-6);
    }
  });

  test('by layer; the others stay', async () => {
    const model = await load(file, { precision: { before: 'i8', dense: 'i16', after: 'f32', act: 'f32' } });
    const dtypes = Object.fromEntries(
      ['table', 'after', 'before', 'dense'].map((name) => [
        name,
        [...new Set(Object.values(weightsOf(model.spec, name)).map(dtypeOf))].sort(),
      ]),
    );
    expect(dtypes).toEqual({ table: ['f32'], after: ['f32'], before: ['f32', 'i8'], dense: ['i16'] });
    expect(weightsOf(model.spec, 'after')).toEqual(weightsOf((await load(file)).spec, 'after'));
  });

  test('weights that are integers: no wider ones, narrower and numbers where they are asked for', async () => {
    const [wide, narrow] = await Promise.all((['i16', 'i8'] as const).map((precision) => load(file, { precision })));
    const kernel = async (bytes: Uint8Array, precision: WeightDtype) =>
      weightsOf((await load(bytes, { precision })).spec, 'dense')['kernel']!;
    const stored = {
      wide: weightsOf(wide!.spec, 'dense')['kernel']!,
      narrow: weightsOf(narrow!.spec, 'dense')['kernel']!,
    };
    expect(await kernel(narrow!.save(), 'i16')).toEqual(stored.narrow);
    expect(await kernel(narrow!.save(), 'f32')).toEqual(numbersOf(stored.narrow));
    expect(await kernel(wide!.save(), 'i8')).toEqual(quantize('', numbersOf(stored.wide), 4, 'i8'));
    expect(wide!.save({ dtype: 'i8' }).length).toBe(narrow!.save().length);
  });
});

test('states that are far from 1, and activations without bounds', async () => {
  const random = new Random(9);
  const weights = { 'forward.input': random.floats(H * I, 0.3), 'forward.recurrent': random.floats(H * H, 0.15) };
  const unbounded = {
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [{ name: 'rnn', type: 'rnn', inputSize: I, hiddenSize: H, activation: 'relu', weights }],
  } as ModelSpec;
  const bytes = (await createJsModel(unbounded)).save();
  const x = random.floats(12 * I, 1e4);
  const initialStates = random.floats(H, 1e6);
  const [exact, rounded] = await Promise.all(
    [{}, { precision: 'i16' as const }].map(async (options) =>
      (await loadModel(bytes, options)).run(x, { initialStates }),
    ),
  );
  const most = exact!.output.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  expect(most).toBeGreaterThan(1e4);
  expect(furthest(exact!.output.data, rounded!.output.data)).toBeLessThan(2e-3 * most);
});

describe('the integers of a row', () => {
  const rows = (values: number[], count: number, dtype: 'i16' | 'i8') =>
    quantize('w', Float32Array.from(values), count, dtype) as Exclude<WeightTensor, Float32Array>;

  test('zeros, and rows of any size', () => {
    const { data, scales } = rows([0, -0, 0, 1e-45, -1e-45, 0, 3e38, -3e38, 1, 127, -127, 63.5], 4, 'i8');
    expect([...data]).toEqual([0, 0, 0, 0, 0, 0, 127, -127, 0, 127, -127, 64]);
    expect(scales[0]).toBe(0);
    expect(scales.every(Number.isFinite)).toBe(true);
  });

  test.each(['i16', 'i8'] as const)('that stand for the greatest numbers are finite, in %s', (dtype) => {
    const greatest = (2 - 2 ** -23) * 2 ** 127;
    // Sixteen numbers down from the greatest: a scale is rounded up for some of them.
    for (let ulps = 0; ulps < 16; ulps++) {
      const value = greatest - ulps * 2 ** 104;
      const [number] = numbersOf(rows([-value, 0], 1, dtype));
      expect(number! / -value).toBeCloseTo(1, 4);
    }
  });

  test.each([1, 7, 64, 300, 4096])('of %i weights they leave 12 bits', (depth) => {
    for (const dtype of ['i16', 'i8'] as const) {
      for (const values of [
        new Random(depth).floats(depth),
        new Float32Array(depth).fill(1),
        new Float32Array(depth).fill(1).map((_, i) => 0.0005 + (i === 0 ? 1 : 0)),
      ]) {
        const { data, scales } = rows([...values], 1, dtype);
        const sum = Array.from(data).reduce((total, q) => total + Math.abs(q), 0);
        expect(4095 * sum).toBeLessThan(2 ** 31);
        data.forEach((q, i) => {
          expect(Math.abs(q * scales[0]! - values[i]!)).toBeLessThan(0.51 * scales[0]!);
        });
      }
    }
  });
});

describe('what cannot be done is refused by name', () => {
  test.each([
    ['i4', "loadModel: precision must be f32, i16, i8, or an object of these by layer, got the string 'i4'"],
    [8, 'loadModel: precision must be f32, i16, i8, or an object of these by layer, got 8'],
    [{ dense: 'int8' }, "loadModel: precision['dense'] must be f32, i16, i8, got the string 'int8'"],
    [{ decoder: 'i8' }, "precision: there is no layer 'decoder'; there are 'table', 'after'"],
    [{ act: 'i8' }, "precision: the activation layer 'act' has no weights that can be i8"],
  ])('%j', async (precision, message) => {
    await expectError(() => loadModel(file, { precision: precision as never }), 'invalid_argument', message);
  });

  test('an option of inspect', async () => {
    await expectError(() => inspect(file, { precision: 'i8' } as never), 'invalid_argument', 'precision');
  });

  test.each([NaN, Infinity, -Infinity])('a weight of %d', async (value) => {
    const strange = spec();
    (weightsOf(strange, 'lstm')['forward.recurrent'] as Float32Array)[77] = value;
    const model = await createJsModel(strange);
    for (const dtype of ['i16', 'i8'] as const) {
      await expectError(
        () => loadModel(model.save(), { precision: dtype }),
        'unsupported',
        `weights['forward.recurrent'] of lstm layer 'lstm' cannot be ${dtype}: it holds ${value}`,
      );
      await expectError(
        () => model.save({ dtype }),
        'unsupported',
        `lstm/forward.recurrent cannot be ${dtype}: it holds ${value}`,
      );
    }
    await expectError(
      () => model.save({ dtype: 'i4' as never }),
      'invalid_argument',
      'save: dtype must be float32, float16, i16, i8',
    );
  });
});
