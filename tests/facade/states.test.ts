import { describe, expect, test } from 'vitest';
import type { LstmSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { looks } from '../formats/looks.ts';
import { expectError, gruLayer, numbers } from './helpers.ts';

function lstmLayer(name: string, inputSize: number, hiddenSize: number, options: Partial<LstmSpec> = {}): LstmSpec {
  const { direction = 'forward' } = options;
  const directions = direction === 'bidirectional' ? (['forward', 'reverse'] as const) : [direction];
  const weights = directions.flatMap((d, i) => [
    [`${d}.input`, numbers(4 * hiddenSize * inputSize, 50 + i, 0.7)],
    [`${d}.recurrent`, numbers(4 * hiddenSize * hiddenSize, 60 + i, 0.7)],
    [`${d}.bias`, numbers(4 * hiddenSize, 70 + i, 0.3)],
  ]);
  return {
    name,
    type: 'lstm',
    inputSize,
    hiddenSize,
    ...options,
    weights: Object.fromEntries(weights) as LstmSpec['weights'],
  };
}

const inputs: ModelSpec['inputs'] = [{ name: 'x', dtype: 'float32', size: 2 }];
const one: ModelSpec = { inputs, layers: [lstmLayer('lstm', 2, 3)] };
const both: ModelSpec = { inputs, layers: [lstmLayer('lstm', 2, 3, { direction: 'bidirectional' })] };
const stack: ModelSpec = { inputs, layers: [lstmLayer('a', 2, 3), gruLayer('b', 3, 4)] };

const x = (steps: number, seed = 1) => ({ data: numbers(2 * steps, seed), shape: [steps, 2] });

/** The states of the model `one`, whose types a spec does not tell. */
type States = Record<
  string,
  { hidden: { data: Float32Array; shape: number[] }; cell: { data: Float32Array; shape: number[] } }
>;

describe.each(BACKENDS)('states of an lstm on $name', ({ api }) => {
  test('both come back, by direction, and the model tells their shapes', async () => {
    using model = await api.createModel(both);
    const batch = { data: numbers(2 * 5 * 2), shape: [2, 5, 2] };
    const { lstm } = model.run(batch).states as unknown as States;
    expect(Object.keys(lstm!)).toEqual(['hidden', 'cell']);
    expect([lstm!.hidden.shape, lstm!.cell.shape]).toEqual([
      [2, 2, 3],
      [2, 2, 3],
    ]);
    expect(lstm!.hidden.data).not.toEqual(lstm!.cell.data);
    expect(model.states).toEqual([
      { name: 'lstm', slot: 'hidden', shape: [2, 'batch', 3], settable: true },
      { name: 'lstm', slot: 'cell', shape: [2, 'batch', 3], settable: true },
    ]);
  });

  test('a run goes on from both, given bare or by layer; one left out is zero', async () => {
    using model = await api.createModel(one);
    const whole = model.run(x(6));
    const lstm = (model.run({ data: x(6).data.slice(0, 6), shape: [3, 2] }).states as unknown as States)['lstm']!;
    const rest = { data: x(6).data.slice(6), shape: [3, 2] };
    for (const initialStates of [lstm, { lstm }]) {
      const got = model.run(rest, { initialStates });
      expect(got.output.data).toEqual(whole.output.data.slice(9));
      expect(got.states).toEqual(whole.states);
    }
    const zeros = new Float32Array(3);
    for (const slot of ['hidden', 'cell'] as const) {
      const given = { [slot]: lstm[slot] };
      const all = { hidden: zeros, cell: zeros, ...given };
      const got = model.run(rest, { initialStates: given }).output.data;
      expect(got).toEqual(model.run(rest, { initialStates: all }).output.data);
      expect(got).not.toEqual(model.run(rest).output.data);
    }
  });

  test('beside a gru, whose state stays the tensor that it is', async () => {
    using model = await api.createModel(stack);
    const whole = model.run(x(6));
    const { states } = model.run({ data: x(6).data.slice(0, 6), shape: [3, 2] });
    expect(Object.keys(states)).toEqual(['a', 'b']);
    expect((states['b'] as { shape: number[] }).shape).toEqual([1, 4]);
    const got = model.run({ data: x(6).data.slice(6), shape: [3, 2] }, { initialStates: states as never });
    expect(got.output.data).toEqual(whole.output.data.slice(12));
  });

  test('out takes both back', async () => {
    using model = await api.createModel(one);
    const out = model.run(x(3));
    const { lstm } = out.states as unknown as States;
    const want = model.run(x(3, 2));
    const got = model.run(x(3, 2), { out });
    expect(got).toBe(out);
    expect(lstm).toEqual((want.states as unknown as States)['lstm']);
  });

  test('refused by name', async () => {
    using model = await api.createModel(one);
    using two = await api.createModel(stack);
    const run = (initialStates: unknown) => () => model.run(x(3), { initialStates: initialStates as never });
    const good = new Float32Array(3);
    await expectError(run({ lstm: { hidden: good, sell: good } }), 'invalid_argument', "['lstm']", "'sell'", 'cell');
    await expectError(run({ hidden: good, sell: good }), 'invalid_argument', "['lstm']", "'sell'");
    await expectError(run({ lstm: good }), 'dtype_mismatch', "['lstm']", '{ hidden, cell }');
    await expectError(run(good), 'dtype_mismatch', "['lstm']", '{ hidden, cell }');
    await expectError(run({ data: good, shape: [1, 3] }), 'dtype_mismatch', "['lstm']", '{ hidden, cell }', 'a tensor');
    await expectError(run({ cell: new Float32Array(4) }), 'shape_mismatch', "['lstm'].cell", '3 values', 'got 4');
    await expectError(
      run({ lstm: { hidden: { data: good, shape: [3, 1] } } }),
      'shape_mismatch',
      "['lstm'].hidden",
      '[1, 3]',
      '[3, 1]',
    );
    await expectError(run({ cell: ['1', '2', '3'] }), 'dtype_mismatch', "['lstm'].cell");
    await expectError(
      () => two.run(x(3), { initialStates: { hidden: good } as never }),
      'invalid_argument',
      "'hidden'",
    );
    await expectError(
      () => two.run(x(3), { initialStates: { b: { hidden: good, cell: good } } as never }),
      'dtype_mismatch',
      "['b']",
    );
  });

  test('a state that the graph computes is not to be given', async () => {
    const start = { name: 'h', dtype: 'float32', size: 3, kind: 'vector' } as const;
    const layer = lstmLayer('lstm', 2, 3, { inputs: ['x'], initialState: ['h', 'h'] });
    using model = await api.createModel({ inputs: [...inputs, start], layers: [layer] });
    const given = { x: x(3), h: { data: numbers(3), shape: [3] } };
    const cell = new Float32Array(3);
    await expectError(
      () => model.run(given, { initialStates: { cell } }),
      'invalid_argument',
      "['lstm'].cell",
      'inside',
    );
  });

  test('streams keep both; a snapshot holds both', async () => {
    using model = await api.createModel(stack);
    const whole = model.run(x(6)).output.data;
    const frame = (t: number) => x(6).data.slice(2 * t, 2 * t + 2);
    using stream = model.createStream();
    using other = model.createStream();
    const streams = model.createStreams(3);
    for (let t = 0; t < 6; t++) {
      const want = whole.slice(4 * t, 4 * t + 4);
      expect(stream.step(frame(t))).toEqual(want);
      // The next step by another stream, from a snapshot; hidden and cell of the lstm, hidden of the gru.
      expect(streams.stepMany([t % 3], frame(t))).toEqual(want);
      expect(stream.hiddenState.length).toBe(3 + 3 + 4);
      other.restore(stream.snapshot());
      expect(other.hiddenState).toEqual(stream.hiddenState);
      streams.restore((t + 1) % 3, streams.snapshot(t % 3));
    }
    other.hiddenState = stream.hiddenState.fill(0, 3, 6);
    expect(other.step(frame(0))).not.toEqual(stream.step(frame(0)));
    streams.dispose();
  });

  test('of twice as many layers, runs and streams take twice as many looks', async () => {
    const of = async (layers: number) => {
      using model = await api.createModel({
        inputs,
        layers: Array.from({ length: layers }, (_, i) => lstmLayer(`lstm${i}`, 2, 2)),
      });
      const out = model.run(x(3));
      return await looks(() => {
        model.run(x(3), { initialStates: out.states, out });
        model.createStream().step(numbers(2));
      });
    };
    expect(await of(400)).toBeLessThan(2.5 * (await of(200)));
  });
});

test('states that are getters of a class, or inherited, count', async () => {
  class Given {
    get lstm() {
      return { hidden: [1, 2, 3] };
    }
  }
  const { createModel } = await import('../../ts/index.ts');
  using model = await createModel(one, { backend: 'js' });
  const expected = model.run(x(2), { initialStates: { lstm: { hidden: [1, 2, 3] } } }).output.data;
  expect(expected).not.toEqual(model.run(x(2)).output.data);
  for (const initialStates of [new Given(), Object.create({ lstm: { hidden: [1, 2, 3] } }) as Given]) {
    expect(model.run(x(2), { initialStates } as never).output.data).toEqual(expected);
  }
});
