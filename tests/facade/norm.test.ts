import { describe, expect, test } from 'vitest';
import type { LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, numbers } from './helpers.ts';

const input = { name: 'x', dtype: 'float32' as const, size: 4 };
const model = (...layers: LayerSpec[]): ModelSpec => ({ inputs: [input], layers });
const scale: LayerSpec = {
  type: 'scale',
  name: 's',
  inputSize: 4,
  weights: { scale: numbers(4), shift: numbers(4, 2) },
};
const norm = (rest = {}): LayerSpec => ({
  type: 'norm',
  name: 'n',
  inputSize: 4,
  norm: 'standard',
  epsilon: 1e-3,
  weights: { scale: numbers(4, 3) },
  ...rest,
});
const bySteps: LayerSpec = { type: 'scale', name: 's', inputSize: 4, steps: 3, weights: { scale: numbers(12) } };

describe.each(BACKENDS)('$name', ({ api }) => {
  test('rows are normalized alike in a run and step by step', async () => {
    const made = await api.createModel(model(scale, norm({ groups: 2 })));
    const x = numbers(20, 9);
    const stream = made.createStream();
    const y = stream.run(x).slice();
    const steps = [0, 1, 2, 3, 4].flatMap((t) => [...made.createStream().step(x.subarray(4 * t, 4 * t + 4))]);
    expect([...y]).toEqual(steps);
    expect(made.run(x).output.data).toEqual(y);
  });

  test('over time each sequence is normalized by its own steps; a stream of them is refused', async () => {
    const made = await api.createModel(model(norm({ overTime: true, groups: 4, epsilon: 0, weights: {} })));
    const sequences = [numbers(12, 1), numbers(4, 2), numbers(28, 3)];
    const { data } = made.run(sequences, { padding: 'none' }).output;
    const alone = sequences.flatMap((x) => [...made.run(x).output.data]);
    expect([...data]).toEqual(alone);
    const column = [0, 1, 2].map((t) => data[4 * t]!);
    expect(column.reduce((sum, y) => sum + y, 0)).toBeCloseTo(0, 5);
    expect(column.reduce((sum, y) => sum + y * y, 0) / 3).toBeCloseTo(1, 5);
    await expectError(() => made.createStream(), 'not_streamable', "norm layer 'n'", 'the mean of all steps');
  });

  test('weights by step: sequences of as many steps, no others', async () => {
    const made = await api.createModel(model(bySteps));
    const x = numbers(24, 5);
    const want = x.map((value, i) => value * numbers(12)[i % 12]!);
    expect(made.run({ data: x, shape: [2, 3, 4] }).output.data).toEqual(want);
    const timeMajor = Float32Array.from(
      x,
      (_, i) => x[(Math.floor(i / 4) % 2) * 12 + Math.floor(i / 8) * 4 + (i % 4)]!,
    );
    const run = made.run({ data: timeMajor, shape: [3, 2, 4] }, { timeMajor: true }).output.data;
    expect([...run.subarray(0, 4), ...run.subarray(8, 12), ...run.subarray(16, 20)]).toEqual([...want.subarray(0, 12)]);
    const refused = ['shape_mismatch', "scale layer 's'", '3 steps', 'got one of 2'] as const;
    await expectError(() => made.run(x.subarray(0, 8)), ...refused);
    await expectError(() => made.run([x.subarray(0, 12), x.subarray(0, 8)]), ...refused);
    await expectError(() => made.run({ data: x, shape: [2, 3, 4] }, { lengths: [3, 2] }), ...refused);
    await expectError(() => made.createStream(), 'not_streamable', "scale layer 's'", 'from step to step');
    const two = model(bySteps, { ...bySteps, name: 't', steps: 2, weights: {} });
    await expectError(() => api.createModel(two), 'invalid_spec', "scale layer 't'", 'takes 2 steps');
  });

  test.each<[string, LayerSpec, string]>([
    ['groups that do not divide the row', norm({ groups: 3 }), '4 features are no 3 equal groups'],
    ['an epsilon below 0', norm({ epsilon: -1 }), 'epsilon'],
    ['no norm', norm({ norm: undefined }), 'norm is missing'],
    ['another norm', norm({ norm: 'batch' }), 'norm must be one of standard, variance, rms, unit'],
    ['overTime that is no flag', norm({ overTime: 1 }), 'overTime'],
    ['a scale of another size', norm({ weights: { scale: numbers(3) } }), '(4)'],
    ['other rows', norm({ inputSize: 2, weights: {} }), 'inputSize is 2'],
    ['a scale by step of another size', { ...bySteps, weights: { shift: numbers(4) } }, '(3, 4)'],
  ])('%s: refused', async (_, layer, why) => {
    await expectError(() => api.createModel(model(layer)), 'invalid_spec', `layer '${layer.name}'`, why);
  });

  test('a vector has one row alone over time, and no steps', async () => {
    const vector = (layer: LayerSpec): ModelSpec => ({ inputs: [{ ...input, kind: 'vector' }], layers: [layer] });
    const of = async (rest: object) => (await api.createModel(vector(norm(rest)))).run(numbers(4)).output.data;
    expect(await of({ overTime: true })).toEqual(await of({}));
    await expectError(() => api.createModel(vector(bySteps)), 'invalid_spec', 'one row a sequence');
  });
});
