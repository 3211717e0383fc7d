import { numbersOf } from '../../ts/base/weights.ts';
import { describe, expect, test } from 'vitest';
import type { GruErrorCode } from '../../ts/base/errors.ts';
import type { RunOptions } from '../../ts/run/options.ts';
import type { RunResult } from '../../ts/run/result.ts';
import { BACKENDS } from '../backends.ts';
import { FLOAT64_REFERENCE, SAME_BITS } from '../tolerances.ts';
import { expectClose, expectError, gruLayer, numbers, oneGru, tensor, textModel, twoInputs } from './helpers.ts';

/** One step of the second form of GruSpec's equations, in float64. */
function step(spec: ReturnType<typeof gruLayer>, x: number[], h: number[]): number[] {
  const { hiddenSize: H, inputSize: I } = spec;
  const sum = (m: Float32Array, row: number, v: number[], n: number) =>
    v.reduce((total, value, k) => total + m[row * n + k]! * value, 0);
  const gate = (g: number, j: number) => {
    const row = g * H + j;
    const input = sum(numbersOf(spec.weights['forward.input']!), row, x, I) + spec.weights['forward.bias']![row]!;
    return { input, recurrent: sum(numbersOf(spec.weights['forward.recurrent']!), row, h, H) };
  };
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
  return h.map((value, j) => {
    const [z, r, n] = [gate(0, j), gate(1, j), gate(2, j)];
    const reset = sigmoid(r.input + r.recurrent);
    const update = sigmoid(z.input + z.recurrent);
    const candidate = Math.tanh(n.input + reset * (n.recurrent + spec.weights['forward.recurrentBias']![j]!));
    return update * value + (1 - update) * candidate;
  });
}

/** (a, b, width) -> (b, a, width). */
function swap(data: Float32Array, a: number, b: number, width: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++)
      out.set(data.subarray((i * b + j) * width, (i * b + j + 1) * width), (j * a + i) * width);
  }
  return out;
}

describe.each(BACKENDS)('$name', ({ api, backend }) => {
  test('the equations', async () => {
    const spec = oneGru(3, 4);
    using model = await api.createModel(spec);
    const x = tensor([2, 6, 3]);
    const { output } = model.run(x);
    for (let b = 0; b < 2; b++) {
      let h = [0, 0, 0, 0];
      for (let t = 0; t < 6; t++) {
        const at = b * 6 + t;
        h = step(gruLayer('gru', 3, 4), [...x.data.subarray(3 * at, 3 * at + 3)], h);
        expectClose(output.data.subarray(4 * at, 4 * at + 4), h, FLOAT64_REFERENCE, `sequence ${b} step ${t}`);
      }
    }
    expect(model.backend).toBe(backend.name);
  });

  test('one sequence: an array, a shape without a batch, a batch of one', async () => {
    using model = await api.createModel(oneGru(3, 4, { direction: 'bidirectional' }));
    const x = tensor([5, 3]);
    const bare = model.run(x.data);
    expect(bare.output.shape).toEqual([5, 8]);
    expect(bare.states['gru']!.shape).toEqual([2, 4]);
    const shaped = model.run(x);
    const batched = model.run({ data: x.data, shape: [1, 5, 3] });
    expect(shaped).toEqual(bare);
    expect(batched.output).toEqual({ data: bare.output.data, shape: [1, 5, 8] });
    expect(batched.states['gru']!.shape).toEqual([2, 1, 4]);
    expect(model.run({ x: x.data })).toEqual(bare);
  });

  test('time-major is the transpose, for inputs, ids and outputs', async () => {
    using model = await api.createModel(oneGru(3, 4, { direction: 'bidirectional' }));
    const x = tensor([2, 5, 3]);
    const expected = model.run(x);
    const got = model.run({ data: swap(x.data, 2, 5, 3), shape: [5, 2, 3] }, { timeMajor: true });
    expect(got.output.shape).toEqual([5, 2, 8]);
    expectClose(got.output.data, swap(expected.output.data, 2, 5, 8), SAME_BITS);
    expect(got.states).toEqual(expected.states);
    expect(model.run(x)).toEqual(expected);

    using text = await api.createModel(textModel());
    const rows = text.run({ data: [1, 2, 3, 4, 5, 6], shape: [2, 3] });
    const columns = text.run({ data: [1, 4, 2, 5, 3, 6], shape: [3, 2] }, { timeMajor: true });
    expect(columns.outputs['summary']).toEqual(rows.outputs['summary']);
    expectClose(columns.output.data, swap(rows.output.data, 2, 3, 2), SAME_BITS);
  });

  test('states go out, and in again, so that a sequence can be cut', async () => {
    using model = await api.createModel(textModel());
    const ids = [3, 1, 4, 1, 5, 9, 2, 6];
    const whole = model.run(ids);
    const head = model.run(ids.slice(0, 3));
    const tail = model.run(ids.slice(3), { initialStates: head.states });
    expectClose(tail.output.data, whole.output.data.subarray(6), SAME_BITS);
    expect(tail.states).toEqual(whole.states);
    expect(Object.keys(whole.states)).toEqual(['first', 'second']);
    // Those left out are zero, also after a run that set them.
    const some = model.run(ids, { initialStates: { second: new Float32Array(5) } });
    expect(some).toEqual(whole);
    expect(model.run(ids)).toEqual(whole);
  });

  test('a model with one gru layer takes its states without a record', async () => {
    using model = await api.createModel(oneGru(3, 4));
    const h0 = tensor([1, 2, 4], 3);
    const record = model.run(tensor([2, 5, 3]), { initialStates: { gru: h0 } });
    expect(model.run(tensor([2, 5, 3]), { initialStates: h0 })).toEqual(record);
    expect(model.run(tensor([2, 5, 3]), { initialStates: h0.data })).toEqual(record);
    expect(model.run(tensor([2, 5, 3]))).not.toEqual(record);
  });

  test('no steps: outputs are empty, the states stay; no sequences: all is empty', async () => {
    using model = await api.createModel(textModel());
    const h0 = { first: tensor([1, 2, 4], 1), second: tensor([1, 2, 5], 2) };
    const none = model.run({ data: [], shape: [2, 0] }, { initialStates: h0 });
    expect(none.output).toEqual({ data: new Float32Array(0), shape: [2, 0, 2] });
    expect(none.states).toEqual(h0);
    expect(none.outputs['summary']).toEqual({ data: h0.second.data, shape: [2, 5] });
    expect(model.run(new Int32Array(0)).output.shape).toEqual([0, 2]);
    expect(model.run(new Int32Array(0)).states['second']).toEqual({ data: new Float32Array(5), shape: [1, 5] });
    const empty = model.run({ data: [], shape: [0, 7] });
    expect(empty.output).toEqual({ data: new Float32Array(0), shape: [0, 7, 2] });
    expect(empty.states['first']!.shape).toEqual([1, 0, 4]);
    expect(model.run([1, 2]).output.shape).toEqual([2, 2]);
  });

  test('an earlier result is filled again', async () => {
    using model = await api.createModel(textModel());
    const ids = (seed: number) => Array.from({ length: 12 }, (_, i) => (i * seed) % 11);
    const runs: [number[], RunOptions][] = [
      [[12], {}],
      [[3, 4], {}],
      [[3, 4], { timeMajor: true }],
      ...(['zero', 'hold', 'none'] as const).map((padding): [number[], RunOptions] => [
        [3, 4],
        { lengths: [2, 0, 4], padding },
      ]),
    ];
    for (const [shape, options] of runs) {
      const input = (seed: number) => ({ data: ids(seed), shape });
      const out = model.run(input(3), options);
      const arrays = [out.output.data, out.outputs['summary']!.data, out.states['first']!.data];
      arrays.forEach((array) => array.fill(NaN));
      expect(model.run(input(5), { ...options, out })).toBe(out);
      expect(out).toEqual(model.run(input(5), options));
      expect(out.output.data).toBe(arrays[0]);
      expect(out.outputs['summary']!.data).toBe(arrays[1]);
      expect(out.states['first']!.data).toBe(arrays[2]);
    }
    // A long sequence in pieces, without a new array.
    const whole = model.run(ids(7));
    const piece = model.run(ids(7).slice(0, 4));
    const { output, states } = piece;
    for (const at of [4, 8]) model.run(ids(7).slice(at, at + 4), { initialStates: piece.states, out: piece });
    expectClose(output.data, whole.output.data.subarray(16), SAME_BITS);
    expect(states).toEqual(whole.states);
    const none = model.run({ data: [], shape: [0, 4] });
    expect(model.run({ data: [], shape: [0, 4] }, { out: none })).toBe(none);
  });

  test('a result that does not fit is refused, untouched', async () => {
    using model = await api.createModel(textModel());
    const x = { data: [1, 2, 3, 4, 5, 6], shape: [2, 3] };
    const out = model.run(x);
    const before = structuredClone(out);
    const refuse = (given: unknown, code: GruErrorCode, text: string) =>
      expectError(() => model.run(x, { out: given as RunResult }), code, text);
    const shapes = "out.outputs['logits']: expected shape [3, 2], got [2, 3, 2]";
    await expectError(() => model.run([1, 2, 3], { out }), 'shape_mismatch', shapes);
    await refuse({ ...out, states: { first: out.states['first'] } }, 'dtype_mismatch', "out.states['second']");
    await refuse(
      { ...out, outputs: { ...out.outputs, summary: { data: [0], shape: [1] } } },
      'dtype_mismatch',
      'Array of length 1',
    );
    await refuse(out.output.data, 'invalid_argument', 'an earlier run');
    await refuse({ ...out, output: { ...out.output } }, 'invalid_argument', 'first of outputs');
    expect(out).toEqual(before);
    structuredClone(out.output.data, { transfer: [out.output.data.buffer as ArrayBuffer] });
    await refuse(out, 'dtype_mismatch', "out.outputs['logits']: its buffer has been transferred");
  });

  test('several inputs and outputs, sequences and vectors', async () => {
    using model = await api.createModel(twoInputs());
    const input = { frames: tensor([2, 4, 3]), more: tensor([2, 4, 2], 2), speaker: tensor([2, 4], 3) };
    const { output, outputs } = model.run(input);
    expect(output).toBe(outputs['states']);
    expect(outputs['states']!.shape).toEqual([2, 4, 6]);
    expect(outputs['voice']!.shape).toEqual([2, 2]);
    // The second sequence alone gives its row.
    const one = model.run({
      frames: input.frames.data.slice(12),
      more: input.more.data.slice(8),
      speaker: input.speaker.data.slice(4),
    });
    expect(one.outputs['voice']!.shape).toEqual([2]);
    expectClose(one.output.data, output.data.slice(24), SAME_BITS);
    expectClose(one.outputs['voice']!.data, outputs['voice']!.data.slice(2), SAME_BITS);
  });

  test('a model of vectors alone', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'v', dtype: 'float32', size: 2, kind: 'vector' }],
      layers: [{ name: 'd', type: 'dense', inputSize: 2, outputSize: 3, weights: { kernel: numbers(6) } }],
    });
    const both = model.run(tensor([4, 2]));
    expect(both.output.shape).toEqual([4, 3]);
    expect(model.run(tensor([4, 2]).data.slice(2, 4)).output).toEqual({
      data: both.output.data.slice(3, 6),
      shape: [3],
    });
    expect(both.states).toEqual({});
  });

  test('ids of one row a sequence: a bare number is one', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'id', dtype: 'int32', size: 1, kind: 'vector' }],
      layers: [{ name: 'e', type: 'embedding', vocabularySize: 3, outputSize: 2, weights: { embeddings: numbers(6) } }],
    });
    expect(model.run(2).output).toEqual({ data: numbers(6).slice(4), shape: [2] });
    expect(model.run({ data: [2, 0], shape: [2] }).output.shape).toEqual([2, 2]);
  });

  test('results belong to the caller, and NaN is a value', async () => {
    using model = await api.createModel(oneGru(3, 4));
    const x = tensor([2, 5, 3]);
    const first = model.run(x);
    const copy = structuredClone(first);
    x.data[0] = NaN;
    const second = model.run(x);
    expect(first).toEqual(copy);
    expect(second.output.data.subarray(0, 20).every(Number.isNaN)).toBe(true);
    expect(second.output.data.subarray(20)).toEqual(first.output.data.subarray(20));
  });

  test('descriptions', async () => {
    using model = await api.createModel(textModel());
    expect(model.inputs).toEqual([{ name: 'ids', dtype: 'int32', shape: ['batch', 'steps'], vocabularySize: 11 }]);
    expect(model.outputs).toEqual([
      { name: 'logits', dtype: 'float32', shape: ['batch', 'steps', 2] },
      { name: 'summary', dtype: 'float32', shape: ['batch', 5] },
    ]);
    expect(model.layers[2]).toEqual({
      name: 'second',
      type: 'gru',
      shape: ['batch', 'steps', 5],
      parameters: 60 + 75 + 15 + 5,
    });
    expect(model.states).toEqual([
      { name: 'first', slot: 'hidden', shape: [1, 'batch', 4], settable: true },
      { name: 'second', slot: 'hidden', shape: [1, 'batch', 5], settable: true },
    ]);
    expect(model.streamable).toBe(true);
  });
});
