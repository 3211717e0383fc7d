import { describe, expect, test } from 'vitest';
import { readPytorch, type PytorchLayer } from '../../ts/formats/pytorch.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { refusalOf } from './refusal.ts';

/** What of attention is refused by name; what is read is recorded, in tests/fixtures/cases. */

const file = (tensors: Record<string, number[]>) =>
  writeSafetensors(
    Object.fromEntries(
      Object.entries(tensors).map(([name, shape]) => [
        name,
        { dtype: 'F32' as const, shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)) },
      ]),
    ),
  );

describe('nn.MultiheadAttention', () => {
  const MODULE = { 'm.in_proj_weight': [12, 4], 'm.out_proj.weight': [4, 4] };
  test.each<[string, Record<string, number[]>, object, RegExp]>([
    ['heads left out', MODULE, {}, /needs heads/],
    ['heads that do not divide', MODULE, { heads: 3 }, /3 heads do not divide 4/],
    ['heads that are no number', MODULE, { heads: '2' }, /heads/],
    [
      'add_bias_kv',
      { ...MODULE, 'm.bias_k': [1, 1, 4], 'm.bias_v': [1, 1, 4] },
      { heads: 2 },
      /m\.bias_k.*add_bias_kv/,
    ],
    ['no projections', { 'm.out_proj.weight': [4, 4] }, { heads: 2 }, /no tensor in_proj_weight and no q_proj_weight/],
    ['a field that is none', MODULE, { heads: 2, dropout: 0.1 }, /dropout/],
  ])('%s', async (_, tensors, rest, message) => {
    const layers = [{ multiheadAttention: 'm', ...rest } as unknown as PytorchLayer];
    const refusal = await refusalOf(readPytorch(file(tensors), { options: { pytorch: { layers } } }));
    expect(refusal).toMatch(message);
  });
});
