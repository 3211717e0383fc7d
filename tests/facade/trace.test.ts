import { describe, expect, test, vi } from 'vitest';
import { GruModel as Model } from '../../ts/api/model.ts';
import { createModel, type GruModel, type ModelSpec } from '../../ts/index.ts';
import { createModel as createJs } from '../../ts/js.ts';
import { gruLayer } from './helpers.ts';

const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin((i + 1) * (seed + 0.7)) * 0.8);
const SIZE = 5;
const GATES = { gru: 3, lstm: 4, rnn: 1 } as const;

function weights(type: keyof typeof GATES, inputSize: number, directions: string[], resetAfter = false) {
  return Object.fromEntries<Float32Array>(
    directions.flatMap((direction, d): [string, Float32Array][] => [
      [`${direction}.input`, numbers(GATES[type] * SIZE * inputSize, d)],
      [`${direction}.recurrent`, numbers(GATES[type] * SIZE * SIZE, d + 2)],
      [`${direction}.bias`, numbers(GATES[type] * SIZE, d + 3)],
      ...(resetAfter ? [[`${direction}.recurrentBias`, numbers(SIZE, d + 5)] as [string, Float32Array]] : []),
    ]),
  );
}

type Fields = Record<string, unknown>;

/** A dense layer, then a recurrent one named `cell` with these fields, then another dense layer. */
function spec(type: keyof typeof GATES, fields: Fields = {}): ModelSpec {
  const both = fields['direction'] === 'bidirectional';
  const directions = both ? ['forward', 'reverse'] : [(fields['direction'] as string | undefined) ?? 'forward'];
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
    layers: [
      { name: 'first', type: 'dense', inputSize: 3, outputSize: 4, weights: { kernel: numbers(12, 9) } },
      {
        name: 'cell',
        type,
        inputSize: 4,
        hiddenSize: SIZE,
        ...(type === 'gru' ? { resetAfter: false } : {}),
        ...fields,
        weights: weights(type, 4, directions, fields['resetAfter'] === true),
      },
    ],
  } as ModelSpec;
}

const BACKENDS: [string, (spec: ModelSpec) => Promise<GruModel>][] = [
  ['js', (model) => createJs(model)],
  ['baseline', (model) => createModel(model, { backend: 'wasm', deterministic: true })],
  ['wasm', (model) => createModel(model, { backend: 'wasm' })],
];

const x = { data: numbers(2 * 6 * 3, 1), shape: [2, 6, 3] };
const near = (got: Float32Array, want: ArrayLike<number>) => {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - want[i]!), `value ${i}`).toBeLessThan(2e-6);
  });
};

describe.each(BACKENDS)('%s', (_, create) => {
  test.each<[string, keyof typeof GATES, Fields]>([
    ['gru, reset gate before the matmul', 'gru', {}],
    ['gru, reset gate after the matmul', 'gru', { resetAfter: true }],
    ['gru, other functions and a clip', 'gru', { activation: 'relu', recurrentActivation: 'hard_sigmoid', clip: 0.9 }],
    ['lstm', 'lstm', {}],
    ['lstm with one gate for input and forgetting', 'lstm', { inputForget: true, outputActivation: 'softsign' }],
    ['rnn', 'rnn', {}],
  ])('%s: h is what the run gave, and follows from the gates', async (_, type, fields) => {
    const model = await create(spec(type, fields));
    const traced = await model.trace(x, { layer: 'cell' });
    expect(traced['h']).toEqual(model.run(x).output);
    const h = traced['h']!.data;
    const before = (b: number, t: number, j: number, of = h) => (t === 0 ? 0 : of[(b * 6 + t - 1) * SIZE + j]!);
    const at = (name: string, i: number) => traced[name]!.data[i]!;
    const want = Float32Array.from(h, (value, i) => {
      const [b, t, j] = [Math.floor(i / SIZE / 6), Math.floor(i / SIZE) % 6, i % SIZE];
      if (type === 'gru') return at('z', i) * before(b, t, j) + (1 - at('z', i)) * at('candidate', i);
      if (type === 'rnn') return value;
      const c = at('f', i) * before(b, t, j, traced['c']!.data) + at('i', i) * at('g', i);
      near(Float32Array.of(at('c', i)), [c]);
      return at('o', i) * (fields['outputActivation'] === 'softsign' ? c / (1 + Math.abs(c)) : Math.tanh(c));
    });
    near(h, want);
    if (type === 'gru') {
      expect(Object.keys(traced)).toEqual(['z', 'r', 'candidate', 'h']);
      for (const i of [0, 17, 59]) expect(at('r', i)).not.toBe(at('z', i));
    }
  });

  test.each(['concat', 'sum'] as const)('both directions, merged by %s, of ragged sequences', async (merge) => {
    const fields = { direction: 'bidirectional' };
    const model = await create(spec('gru', { ...fields, merge }));
    const want = (await create(spec('gru', fields))).run(x, { lengths: [6, 4] }).output.data;
    for (const [d, direction] of (['forward', 'reverse'] as const).entries()) {
      const { h, z } = await model.trace(x, { layer: 'cell', direction, lengths: [6, 4] });
      expect(h!.shape).toEqual([2, 6, SIZE]);
      const column = Float32Array.from(
        h!.data,
        (_, i) => want[Math.floor(i / SIZE) * 2 * SIZE + d * SIZE + (i % SIZE)]!,
      );
      expect(h!.data).toEqual(column);
      // The second sequence ends after four steps.
      expect(z!.data.subarray(10 * SIZE).every((value) => value === 0)).toBe(true);
      expect(z!.data.subarray(0, 10 * SIZE).every((value) => value > 0)).toBe(true);
    }
  });

  test('what is given is copied at once', async () => {
    using model = await create(spec('gru'));
    const [x, h] = [numbers(12, 1), numbers(SIZE, 2)];
    const want = await model.trace(x.slice(), { initialStates: h.slice() });
    const traced = model.trace(x, { initialStates: h });
    x.fill(9);
    h.fill(9);
    expect(await traced).toEqual(want);
  });

  test('a mask and initial states are those of the run', async () => {
    const model = await create(spec('lstm'));
    const states = { cell: { hidden: numbers(2 * SIZE, 4), cell: numbers(2 * SIZE, 6) } };
    const mask = { data: [1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1], shape: [2, 6] };
    const options = { mask, initialStates: states };
    const run = model.run(x, options);
    const { h } = await model.trace(x, options);
    expect(h).toEqual(run.output);
  });

  test('a layer that a mask of the model passes over holds its state', async () => {
    const { inputs, layers } = spec('gru', { mask: 'masking:mask' });
    const masking = { name: 'masking', type: 'masking', inputs: ['x'], maskValue: 0 } as never;
    const model = await create({ inputs, layers: [masking, { ...layers[0]!, inputs: ['masking'] }, layers[1]!] });
    const data = x.data.slice();
    data.fill(0, 6, 12);
    const { h, z } = await model.trace({ data, shape: x.shape });
    expect(h).toEqual(model.run({ data, shape: x.shape }).output);
    expect(z!.data.subarray(2 * SIZE, 4 * SIZE).every((value) => value === 0)).toBe(true);
  });

  test('one sequence has no batch', async () => {
    const model = await create(spec('rnn'));
    const { h } = await model.trace(x.data.subarray(0, 18));
    expect(h!.shape).toEqual([6, SIZE]);
  });
});

describe('of what the caller hands in', () => {
  test('each property is read once: a shape that is another when it is read again, a getter that runs the model', async () => {
    const model = await createJs(spec('gru'));
    const want = await model.trace(x, {
      lengths: [6, 4],
      initialStates: { cell: { data: numbers(10, 3), shape: [1, 2, 5] } },
    });
    const reads: string[] = [];
    const once = <T>(name: string, value: T, after: T) => ({
      enumerable: true,
      get() {
        model.run(x.data.subarray(0, 3));
        reads.push(name);
        return reads.filter((read) => read === name).length > 1 ? after : value;
      },
    });
    const input = Object.defineProperties(
      {},
      {
        data: once('data', x.data, numbers(3, 1)),
        shape: once('shape', x.shape, [1, 1, 3]),
      },
    ) as typeof x;
    const state = { data: numbers(10, 3), shape: [1, 2, 5] };
    const options = Object.defineProperties(
      {},
      {
        lengths: once('lengths', [6, 4], [1]),
        initialStates: once('initialStates', { cell: state }, { cell: { ...state, data: numbers(10, 8) } }),
      },
    );
    expect(await model.trace(input, options)).toEqual(want);
    expect(reads.sort()).toEqual(['data', 'initialStates', 'lengths', 'shape']);
  });

  test('many sequences take one stream, and work that grows with them', async () => {
    const model = await createJs(spec('gru'));
    const streams = vi.spyOn(Model.prototype, 'createStream');
    const typed = Object.getPrototypeOf(Int32Array.prototype) as Int32Array;
    const parts = vi.spyOn(typed, 'subarray');
    try {
      const batch = 2 ** 12;
      const { h } = await model.trace(
        { data: new Float32Array(batch * 3), shape: [batch, 1, 3] },
        { lengths: new Int32Array(batch) },
      );
      expect(h!.data.every((value) => value === 0)).toBe(true);
      expect(streams.mock.calls.length).toBeLessThan(3);
      const values = parts.mock.results.reduce((sum, { value }) => sum + (value as Int32Array).length, 0);
      expect(values).toBeLessThan(8 * batch);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

test('says what cannot be traced', async () => {
  const model = await createJs(spec('gru'));
  await expect(model.trace(x, { layer: 'first' })).rejects.toThrow(/no recurrent layer 'first'; there is 'cell'/);
  await expect(model.trace(x, { direction: 'reverse' })).rejects.toThrow(/layer 'cell' runs forward/);
  await expect(model.trace(x, { lengths: [9, 9] })).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('of several inputs, a layer that reads some', async () => {
  const cell = (name: string, input: string, more: object = {}) => ({
    ...gruLayer(name, 2, 3),
    inputs: [input],
    ...more,
  });
  const inputs = ['source', 'target'].map((name) => ({ name, dtype: 'float32' as const, size: 2, axis: name }));
  const model = await createJs({
    inputs,
    layers: [
      cell('encoder', 'source', { returns: 'last' }),
      cell('decoder', 'target', { initialState: ['encoder:forwardState'] }),
    ],
  });
  const given = { source: numbers(8, 1), target: numbers(6, 2) };
  const { h } = await model.trace(given, { layer: 'encoder' });
  expect(h!.shape).toEqual([4, 3]);
  const { h: later } = await model.trace(given, { layer: 'decoder' });
  expect([...later!.data.subarray(6)]).toEqual([...model.run(given).output.data.subarray(6)]);
});

test('a layer to which each step is a sequence', async () => {
  const cut = { type: 'unflatten' as const, name: 'cut', steps: 2, each: true };
  const inner = { ...gruLayer('inner', 2, 3), inputs: ['cut'] };
  const model = await createJs({
    inputs: [{ name: 'x', dtype: 'float32', size: 4 }],
    layers: [cut, inner],
    outputs: ['inner:last'],
  });
  await expect(model.trace(numbers(8, 1), { layer: 'inner' })).rejects.toThrow(/'inner' takes each step as a sequence/);
});
