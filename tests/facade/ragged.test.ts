import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../ts/base/tensor.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, numbers, oneGru, textModel, twoInputs } from './helpers.ts';

const LENGTHS = [3, 0, 7, 1, 7];
const STEPS = 7;

/** Row (b, t) of a tensor (batch, steps, size). */
function row({ data, shape }: Tensor, b: number, t: number): number[] {
  const [, steps, size] = shape as [number, number, number];
  return Array.from(data.subarray((b * steps + t) * size, (b * steps + t + 1) * size));
}

describe.each(BACKENDS)('sequences of different lengths on $name', ({ api }) => {
  const bidirectional = oneGru(2, 5, { direction: 'bidirectional' });

  test('each gives the bits that it gives alone; the rest is zero, or held', async () => {
    using model = await api.createModel(bidirectional);
    const sequences = LENGTHS.map((length, b) => numbers(2 * length, 40 + b));
    const { output, states } = model.run(sequences);
    const held = model.run(sequences, { padding: 'hold' });
    expect(output.shape).toEqual([5, STEPS, 10]);
    const rows = model.run(sequences, { padding: 'none' }).output;
    const kept = LENGTHS.flatMap((length, b) => Array.from({ length }, (_, t) => row(output, b, t)));
    expect(rows.shape).toEqual([18, 10]);
    expect(Array.from(rows.data)).toEqual(kept.flat());
    LENGTHS.forEach((length, b) => {
      const alone = model.run({ data: sequences[b]!, shape: [1, length, 2] });
      for (let t = 0; t < STEPS; t++) {
        const zeros = new Array<number>(10).fill(0);
        const expected = t < length ? row(alone.output, 0, t) : zeros;
        expect(row(output, b, t)).toEqual(expected);
        const last = length > 0 ? row(alone.output, 0, length - 1) : zeros;
        expect(row(held.output, b, t)).toEqual(t < length ? expected : last);
      }
      for (const direction of [0, 1]) {
        const at = (tensor: Tensor, batch: number, b: number) =>
          Array.from(tensor.data.subarray((direction * batch + b) * 5, (direction * batch + b + 1) * 5));
        expect(at(states['gru']!, 5, b)).toEqual(at(alone.states['gru']!, 1, 0));
      }
    });
  });

  test('lengths, a mask, and time-major arrays say the same', async () => {
    using model = await api.createModel(bidirectional);
    const sequences = LENGTHS.map((length, b) => numbers(2 * length, 40 + b));
    const want = model.run(sequences);
    const data = new Float32Array(5 * STEPS * 2).fill(NaN);
    const timeMajor = data.slice();
    const mask = new Uint8Array(5 * STEPS);
    sequences.forEach((sequence, b) => {
      data.set(sequence, b * STEPS * 2);
      mask.fill(1, b * STEPS, b * STEPS + LENGTHS[b]!);
      for (let t = 0; t < LENGTHS[b]!; t++) timeMajor.set(sequence.subarray(2 * t, 2 * t + 2), (t * 5 + b) * 2);
    });
    const x = { data, shape: [5, STEPS, 2] };
    expect(model.run(x, { lengths: LENGTHS })).toEqual(want);
    expect(model.run(x, { mask })).toEqual(want);
    const major = model.run({ data: timeMajor, shape: [STEPS, 5, 2] }, { lengths: LENGTHS, timeMajor: true });
    expect(major.states).toEqual(want.states);
    for (let b = 0; b < 5; b++) {
      for (let t = 0; t < STEPS; t++) {
        const at = (t * 5 + b) * 10;
        expect(Array.from(major.output.data.subarray(at, at + 10))).toEqual(row(want.output, b, t));
      }
    }
  });

  test('a mask with holes: the state passes over them', async () => {
    using model = await api.createModel(textModel());
    const whole = model.run([5, 6, 7]);
    const mask = [0, 1, 0, 1, 1, 0];
    const { outputs } = model.run([9, 5, 9, 6, 7, 9], { mask, padding: 'hold' });
    expect(outputs['summary']!).toEqual(whole.outputs['summary']);
    const [a, b, c] = [0, 1, 2].map((t) => Array.from(whole.outputs['logits']!.data.subarray(2 * t, 2 * t + 2)));
    expect(Array.from(outputs['logits']!.data)).toEqual([[0, 0], a, a, b, c, c].flat());
  });

  test('several inputs, and inputs of one row a sequence', async () => {
    using model = await api.createModel(twoInputs());
    const lengths = [2, 5];
    const part = (size: number, seed: number) => lengths.map((length, b) => numbers(length * size, seed + b));
    const [frames, more, speaker] = [part(3, 1), part(2, 5), [numbers(4, 8), numbers(4, 9)]];
    const together = model.run({ frames, more, speaker });
    const alone = model.run({ frames: frames[0]!, more: more[0]!, speaker: speaker[0]! });
    expect(row(together.outputs['states']!, 0, 1)).toEqual(Array.from(alone.outputs['states']!.data.subarray(6)));
    expect(Array.from(together.outputs['voice']!.data.subarray(0, 2))).toEqual(
      Array.from(alone.outputs['voice']!.data),
    );
    await expectError(() => model.run({ frames, more: more.toReversed(), speaker }), 'shape_mismatch', 'lengths');
    await expectError(() => model.run({ frames, more, speaker: speaker[0]! }), 'shape_mismatch', 'batch dimension');
  });

  test('what is refused, and that the model stays usable', async () => {
    using model = await api.createModel(bidirectional);
    const x = { data: numbers(12), shape: [2, 3, 2] };
    const want = model.run(x);
    const run = (options: object) => () => model.run(x, options);
    await expectError(run({ lengths: [1] }), 'shape_mismatch', 'run: lengths: ', 'expected 2', 'got 1');
    await expectError(run({ lengths: [1, 4] }), 'invalid_argument', 'lengths[1]', '0 to 3', 'got 4');
    await expectError(run({ lengths: [1, NaN] }), 'invalid_argument', 'lengths[1]', 'NaN');
    await expectError(run({ lengths: 3 }), 'dtype_mismatch', 'lengths');
    await expectError(run({ mask: [1, 0] }), 'shape_mismatch', 'mask', '[2, 3]', 'data has 2');
    await expectError(run({ mask: {} }), 'dtype_mismatch', 'mask');
    await expectError(run({ mask: [1, 0, 1, NaN, 1, 0] }), 'dtype_mismatch', 'run: mask: value 3', 'NaN');
    await expectError(run({ mask: [1, 0, 1, 0, 1, 0], lengths: [1, 2] }), 'invalid_argument', 'one of');
    await expectError(run({ padding: 'same' }), 'invalid_argument', 'zero, hold or none', 'same');
    await expectError(run({ padding: 'none' }), 'invalid_argument', "run: padding 'none'", 'array of sequences');
    await expectError(
      () => model.run([numbers(4), numbers(3)]),
      'shape_mismatch',
      'sequence 1',
      'multiple of 2',
      'got 3',
    );
    await expectError(() => model.run([numbers(4)], { timeMajor: true }), 'invalid_argument', 'run: timeMajor');
    await expectError(() => model.run([numbers(4)], { lengths: [2] }), 'invalid_argument', 'one of');
    expect(model.run(x)).toEqual(want);
  });
});
