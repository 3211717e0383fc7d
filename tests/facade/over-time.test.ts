import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/index.ts';
import type { LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError } from './helpers.ts';

const of = (...layers: object[]): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
  layers: layers.map((layer, i) => ({ name: `l${i}`, ...layer }) as LayerSpec),
});

describe.each(BACKENDS)('$name', ({ api }) => {
  const make = (...layers: object[]) => api.createModel(of(...layers));

  test('sequences of any lengths are reduced each by its own steps', async () => {
    using model = await make({ type: 'reduce', reduce: 'mean' });
    const { output } = model.run([new Float32Array([1, 2, 3, 6]), new Float32Array([5, 7]), new Float32Array(0)]);
    expect([output.shape, [...output.data]]).toEqual([
      [3, 2],
      [2, 4, 5, 7, 0, 0],
    ]);
    const padded = { data: new Float32Array([1, 2, 3, 6, 5, 7, NaN, NaN]), shape: [2, 2, 2] };
    expect([...model.run(padded, { lengths: [2, 1] }).output.data]).toEqual([2, 4, 5, 7]);
    const data = new Float32Array([1, 2, 5, 7, 3, 6, 9, 9]);
    expect([...model.run({ data, shape: [2, 2, 2] }, { timeMajor: true }).output.data]).toEqual([2, 4, 7, 8]);
  });

  test('masked steps do not count', async () => {
    const masking = { name: 'm', type: 'masking', inputs: ['x'], maskValue: 9 };
    using model = await make(masking, { type: 'reduce', inputs: ['x'], reduce: 'mean', mask: 'm:mask' });
    expect([...model.run(new Float32Array([9, 9, 1, 2, 9, 9, 3, 6])).output.data]).toEqual([2, 4]);
    expect([...model.run(new Float32Array([9, 9])).output.data]).toEqual([NaN, NaN]);
  });

  test('flatten takes its number of steps alone, and says so', async () => {
    using model = await make({ name: 'flat', type: 'flatten', steps: 3 });
    const x = Float32Array.from({ length: 6 }, (_, i) => i);
    expect([...model.run(x).output.data]).toEqual([...x]);
    const refused = (given: () => unknown) =>
      expectError(given, 'shape_mismatch', `flatten layer 'flat'`, '3 steps', 'of 2');
    await refused(() => model.run(x.subarray(2)));
    await refused(() => model.run([x, x.subarray(2)]));
    await refused(() => model.run({ data: x, shape: [1, 3, 2] }, { lengths: [2] }));
    expect([...model.run(x).output.data]).toEqual([...x]);
  });

  test('unflatten cuts, and repeat repeats, on the axis of another value', async () => {
    const like = { like: 'x' };
    const flat = { name: 'flat', type: 'flatten', steps: 3 };
    using cut = await make(flat, { type: 'unflatten', steps: 3, transposed: true, ...like });
    expect([...cut.run(new Float32Array([1, 2, 3, 4, 5, 6])).output.data]).toEqual([1, 4, 2, 5, 3, 6]);
    using repeated = await make({ type: 'step', index: -1 }, { type: 'repeat', ...like });
    const { output } = repeated.run([new Float32Array([1, 2, 3, 4]), new Float32Array([5, 6])]);
    expect([output.shape, [...output.data]]).toEqual([
      [2, 2, 2],
      [3, 4, 3, 4, 5, 6, 0, 0],
    ]);
  });

  test('vectors become steps of an axis of their own', async () => {
    const last = { name: 'last', type: 'step', inputs: ['x'], index: -1 };
    using repeated = await make(last, { type: 'repeat', steps: 3 });
    const x = [new Float32Array([1, 2, 3, 4]), new Float32Array([5, 6])];
    expect(repeated.run(x).output).toMatchObject({
      shape: [2, 3, 2],
      data: Float32Array.of(3, 4, 3, 4, 3, 4, 5, 6, 5, 6, 5, 6),
    });
    using cut = await make(last, { type: 'unflatten', steps: 2 }, { name: 'flat', type: 'flatten', steps: 2 });
    expect([...cut.run(x).output.data]).toEqual([3, 4, 5, 6]);
    using other = await make(last, { type: 'unflatten', steps: 2 }, { name: 'flat', type: 'flatten', steps: 3 });
    await expectError(() => other.run(x), 'shape_mismatch', `'flat'`, '3 steps', 'of 2');
  });

  test('none of them runs step by step', async () => {
    const last = { name: 'last', type: 'step', inputs: ['x'], index: -1 };
    for (const layers of [
      [{ type: 'reduce', reduce: 'max' }],
      [{ type: 'flatten', steps: 1 }],
      [last, { type: 'unflatten', steps: 2, like: 'x' }],
      [last, { type: 'repeat', like: 'x' }],
    ]) {
      using model = await make(...layers);
      expect(model.streamable).toBe(false);
      await expectError(() => model.createStream(), 'not_streamable', `'l${layers.length - 1}'`);
    }
  });
});

test('what does not fit is refused by name', async () => {
  const refused = (layers: object[], ...texts: string[]) =>
    expectError(() => createModel(of(...layers)), 'invalid_spec', ...texts);
  const last = { name: 'last', type: 'step', inputs: ['x'], index: -1 };
  await refused([{ type: 'reduce' }], `'l0'`, 'reduce is missing');
  await refused([{ type: 'reduce', reduce: 'mean', correction: 1 }], 'correction is for');
  await refused([{ type: 'reduce', reduce: 'std', correction: 2 }], 'correction must be 0 or 1');
  await refused([{ type: 'reduce', reduce: 'mean', mask: 'x' }], 'mask must be a float32 value of one number a step');
  await refused([last, { type: 'reduce', reduce: 'mean' }], 'one row a sequence');
  await refused([last, { type: 'flatten', steps: 2 }], 'one row a sequence');
  await refused([{ type: 'unflatten', steps: 2, like: 'x' }], 'one a step');
  await refused([last, { type: 'unflatten', steps: 3, like: 'x' }], 'cannot cut 2 values into 3 steps');
  await refused([last, { type: 'repeat' }], 'neither steps nor like');
  await refused([last, { type: 'repeat', like: 'last' }], `like: 'last' has one row a sequence`);
  await refused([{ type: 'repeat', like: 'x' }], 'one a step');
  const flat = (name: string, steps: number) => ({ name, type: 'flatten', inputs: ['x'], steps });
  await refused([flat('a', 2), flat('b', 3)], `'b'`, `'a' takes 2`);
});
