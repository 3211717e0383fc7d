import { describe, expect, test } from 'vitest';
import { inspect, loadModel } from '../../ts/api/js.ts';
import type { PytorchLayer } from '../../ts/formats/pytorch/forms/index.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { expectError } from '../facade/helpers.ts';

/** State dicts of one module, whose lines are nearly right. */
const dict = (shapes: Record<string, number[]>) =>
  writeSafetensors(
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [
        name,
        { dtype: 'F32' as const, shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.5) },
      ]),
    ),
  );

const ATTENTION = {
  'a.in_proj_weight': [12, 4],
  'a.in_proj_bias': [12],
  'a.out_proj.weight': [4, 4],
  'a.out_proj.bias': [4],
};

describe('multiheadAttention', () => {
  const load = (heads: unknown, more = {}) =>
    loadModel(dict({ ...ATTENTION, ...more }), {
      pytorch: { layers: [{ multiheadAttention: 'a', heads: heads as number }] },
    });

  test.each([0, -2, 1.5, NaN, Infinity, '2', 2n, null, [2]])('heads: %s is no count', async (heads) => {
    await expectError(() => load(heads), 'invalid_argument', 'heads', 'a whole number from 1');
  });

  test('heads are given, and divide the size', async () => {
    await expectError(() => load(undefined), 'invalid_argument', 'needs heads');
    await expectError(() => load(3), 'invalid_argument', '3 heads do not divide 4');
    expect((await load(2)).spec.layers.map(({ type }) => type)).toContain('attention');
  });

  test.each(['bias_k', 'bias_v'])('%s, of add_bias_kv, is refused by its name', async (name) => {
    await expectError(() => load(2, { [`a.${name}`]: [1, 1, 4] }), 'unsupported', `a.${name}`, 'add_bias_kv');
  });
});

const ATTENTION_OF_M = Object.fromEntries(
  Object.entries(ATTENTION).map(([name, shape]) => [name.replace('a.', 'm.'), shape]),
);

test.each<[string, Record<string, number[]>, string | undefined]>([
  ['BatchNorm1d', { 'm.weight': [4], 'm.bias': [4], 'm.running_mean': [4], 'm.running_var': [4] }, 'BatchNorm1d'],
  ['one without its variance', { 'm.weight': [4], 'm.bias': [4], 'm.running_mean': [4] }, undefined],
  ['LayerNorm', { 'm.weight': [4], 'm.bias': [4] }, 'LayerNorm, GroupNorm or InstanceNorm1d'],
  ['PReLU', { 'm.weight': [1] }, 'PReLU'],
  ['one row', { 'm.weight': [4] }, 'RMSNorm, PReLU or LayerNorm without bias'],
  ['MultiheadAttention', ATTENTION_OF_M, 'MultiheadAttention'],
  ['one of two sizes', { 'm.weight': [4], 'm.bias': [5] }, undefined],
  ['with a tensor more', { 'm.weight': [4], 'm.bias': [4], 'm.other': [4] }, undefined],
  ['Conv1d', { 'm.weight': [5, 4, 3], 'm.bias': [5] }, 'Conv1d'],
  ['Conv1d without a bias', { 'm.weight': [5, 4, 3] }, 'Conv1d'],
  ['with a bias of another size', { 'm.weight': [5, 4, 3], 'm.bias': [4] }, undefined],
])('a module of these tensors looks like %s', async (_, shapes, kind) => {
  const { modules = [] } = await inspect(dict(shapes));
  const found = modules.find(({ name }) => name === 'm')?.kind;
  if (kind === undefined)
    expect(found ?? '').not.toMatch(/^(BatchNorm1d|LayerNorm, GroupNorm or InstanceNorm1d|Conv1d)$/);
  else expect(found).toContain(kind);
});

describe('features', () => {
  const identity = { 'a.weight': [3, 3] };
  const file = writeSafetensors({
    'a.weight': { dtype: 'F32', shape: [3, 3], data: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) },
  });
  const run = async (...layers: PytorchLayer[]) => {
    const model = await loadModel(file, { pytorch: { layers: [{ linear: 'a' }, ...layers] } });
    const { data, shape } = model.run({ data: Float32Array.of(3, 0, 4, -1, 2, 2), shape: [1, 2, 3] }).output;
    return { data: [...data], shape };
  };

  test('of each row become one number', async () => {
    expect(await run({ l2: 'features' })).toEqual({ data: [5, 3], shape: [1, 2, 1] });
    expect(await run({ l2: -1 })).toEqual({ data: [5, 3], shape: [1, 2, 1] });
    expect((await run({ max: 'features' })).data).toEqual([4, 2]);
    expect((await run({ min: 2 })).data).toEqual([0, -1]);
    expect((await run({ mean: 'features' })).data[1]).toBe(1);
    expect(await run({ max: 'time' })).toEqual({ data: [3, 2, 4], shape: [1, 3] });
  });

  test('are divided by it', async () => {
    const third = Math.fround(1 / 3);
    const { data } = await run({ l2: 'features' }, { div: ['a', 'l2'] });
    expect(data).toEqual([Math.fround(3 / 5), 0, Math.fround(4 / 5), -third, Math.fround(2 / 3), Math.fround(2 / 3)]);
  });

  test('are sliced', async () => {
    expect(await run({ slice: [1, 3] })).toEqual({ data: [0, 4, 2, 2], shape: [1, 2, 2] });
    await expectError(() => run({ slice: [1, 4] }), 'invalid_spec', 'slice', 'rows of 3');
    await expectError(() => run({ slice: [2, 2] }), 'invalid_spec', 'slice', 'size');
  });

  test.each([0, 'batch', undefined, [1], '1.0'])('mean over %j is refused', async (over) => {
    const layers = [{ linear: 'a' }, { mean: over }] as PytorchLayer[];
    await expectError(() => loadModel(dict(identity), { pytorch: { layers } }), 'invalid_argument', 'mean', 'time');
  });

  test.each([1, [1], [-1, 2], [0, 1.5], ['0', '1'], null])('slice %j is refused', async (bounds) => {
    const layers = [{ linear: 'a' }, { slice: bounds }] as unknown as PytorchLayer[];
    await expectError(
      () => loadModel(dict(identity), { pytorch: { layers } }),
      'invalid_argument',
      'slice',
      '[start, end]',
    );
  });
});
