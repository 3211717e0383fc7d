import { describe, expect, test } from 'vitest';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { Random } from '../random.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, gruLayer, numbers, oneGru, twoInputs } from './helpers.ts';

const [{ api }] = BACKENDS as [(typeof BACKENDS)[number]];

describe('masks', () => {
  const [SIZE, STEPS] = [2, 6];

  test('of any steps, of each sequence others: what is left of each runs as if the rest were not there', async () => {
    using model = await api.createModel(oneGru(SIZE, 3));
    const random = new Random(5);
    for (let round = 0; round < 40; round++) {
      const batch = 1 + (round % 3);
      const data = numbers(batch * STEPS * SIZE, round);
      const mask = Array.from({ length: batch * STEPS }, () => random.int(0, 1));
      const rowOf = (b: number, t: number) => data.subarray((b * STEPS + t) * SIZE, (b * STEPS + t + 1) * SIZE);
      const kept = Array.from({ length: batch }, (_, b) => [...Array(STEPS).keys()].filter((t) => mask[b * STEPS + t]));
      const alone = kept.map((steps, b) => Float32Array.from(steps.flatMap((t) => [...rowOf(b, t)])));
      const want = model.run(alone, { padding: 'none' }).output;
      for (const padding of ['zero', 'hold'] as const) {
        const { data: got } = model.run({ data, shape: [batch, STEPS, SIZE] }, { mask, padding }).output;
        let row = 0;
        for (let b = 0; b < batch; b++) {
          let last = new Float32Array(3);
          for (let t = 0; t < STEPS; t++) {
            const y = got.subarray((b * STEPS + t) * 3, (b * STEPS + t + 1) * 3);
            if (kept[b]!.includes(t)) expect(y).toEqual((last = want.data.slice(row * 3, ++row * 3)));
            else expect(y).toEqual(padding === 'hold' ? last : new Float32Array(3));
          }
        }
      }
    }
  });

  test('are numbers, booleans or bigints, as many as there are steps', async () => {
    using model = await api.createModel(oneGru(SIZE, 3));
    const x = { data: numbers(2 * STEPS * SIZE), shape: [2, STEPS, SIZE] };
    const mask = [1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1];
    const want = model.run(x, { mask });
    expect(model.run(x, { mask: mask.map(Boolean) as never })).toEqual(want);
    expect(model.run(x, { mask: BigInt64Array.from(mask, BigInt) as never })).toEqual(want);
    for (const odd of ['1', NaN, null, undefined, {}]) {
      const given = mask.with(3, odd as never);
      await expectError(() => model.run(x, { mask: given }), 'dtype_mismatch', 'mask: value 3');
    }
    // One row stands for one sequence.
    await expectError(() => model.run(x, { mask: mask.slice(0, STEPS) }), 'shape_mismatch', 'mask', '[2, 6]');
    const one = { data: x.data.slice(0, STEPS * SIZE), shape: [1, STEPS, SIZE] };
    expect(model.run(one, { mask: { data: mask.slice(0, STEPS), shape: [STEPS] } as never }).output.data).toEqual(want.output.data.slice(0, STEPS * 3)); // prettier-ignore
    await expectError(
      () => model.run(one, { mask: mask.slice(0, 5) }),
      'shape_mismatch',
      'mask',
      'a flat array of 6, data has 5',
    );
  });
});

test('arrays in arrays where a flat one is wanted', async () => {
  using model = await api.createModel(oneGru(2, 3));
  const frames = [[1, 2], [3, 4]]; // prettier-ignore
  const x = { data: numbers(8), shape: [2, 2, 2] };
  const rows = [[1, 1], [1, 0]]; // prettier-ignore
  for (const mask of [rows, rows.map((row) => Uint8Array.from(row)), { data: rows, shape: [2, 2] }])
    await expectError(() => model.run(x, { mask } as never), 'shape_mismatch', 'mask', 'a flat array of 4, data has 2');
  await expectError(() => model.run([frames, frames] as never), 'dtype_mismatch', "'x', sequence 0", 'a flat array of numbers', 'Array of length 2'); // prettier-ignore
  await expectError(() => model.run({ data: frames, shape: [1, 2, 2] }), 'shape_mismatch', "'x'", 'a flat array of 4, data has 2'); // prettier-ignore
  await expectError(() => model.run(x, { initialStates: { gru: [[1, 2, 3], [4, 5, 6]] } } as never), 'dtype_mismatch', "['gru']", 'a flat array of numbers'); // prettier-ignore
});

test('a record of data without a shape: what the model has is said', async () => {
  using one = await api.createModel(oneGru(2, 3));
  await expectError(() => one.run({ data: numbers(4) }), 'shape_mismatch', "'x'", 'has no shape');
  using two = await api.createModel(twoInputs());
  await expectError(() => two.run({ data: numbers(4) }), 'invalid_argument', "no input 'data'; it has 'frames', 'more', 'speaker'"); // prettier-ignore
});

test('initial states: of no recurrent layer, of several, of one that is not there', async () => {
  const dense = { name: 'd', type: 'dense', inputSize: 2, outputSize: 1, weights: { kernel: numbers(2) } } as const;
  using none = await api.createModel({ inputs: [{ name: 'x', dtype: 'float32', size: 2 }], layers: [dense] });
  const run = (model: typeof none, initialStates: unknown) => () =>
    model.run(numbers(2), { initialStates: initialStates as never });
  await expectError(run(none, numbers(3)), 'invalid_argument', 'run: initialStates: the model has no recurrent layer');
  await expectError(run(none, { d: numbers(3) }), 'invalid_argument', "no recurrent layer 'd'; there is none");
  const spec: ModelSpec = { inputs: [{ name: 'x', dtype: 'float32', size: 2 }], layers: [gruLayer('a', 2, 3), gruLayer('b', 3, 3)] }; // prettier-ignore
  using several = await api.createModel(spec);
  await expectError(run(several, numbers(3)), 'invalid_argument', 'several recurrent layers: give a record');
  await expectError(run(several, { c: numbers(3) }), 'invalid_argument', "no recurrent layer 'c'; there is 'a', 'b'");
});
