import { describe, expect, test } from 'vitest';
import type { AttentionSpec, LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectClose, expectError } from '../facade/helpers.ts';
import { Random } from '../random.ts';

import { FLOAT64_REFERENCE } from '../tolerances.ts';

/** Rows of a sequence. */
type Rows = readonly (readonly number[])[];

function softmax(scores: readonly number[]): number[] {
  const max = Math.max(...scores);
  const e = scores.map((score) => (score === -Infinity ? 0 : Math.exp(score - max)));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

/** The equation of AttentionSpec in float64, of one sequence. */
function attend(
  spec: Partial<AttentionSpec>,
  query: Rows,
  key: Rows,
  value: Rows,
  counts: readonly boolean[],
): number[][] {
  const { heads = 1, scale = 1, causal = false, score = 'dot', withoutKeys = 'zero' } = spec;
  const part = (row: readonly number[], head: number) =>
    row.slice((head * row.length) / heads, ((head + 1) * row.length) / heads);
  return query.map((q, i) =>
    Array.from({ length: heads }, (_, head) => {
      const factors = part([...(spec.weights?.factors ?? q.map(() => 1))], head);
      const scores = key.map((k, j) => {
        if (!counts[j] || (causal && j > i)) return -Infinity;
        const own = part(k, head);
        const term = (x: number, at: number) =>
          score === 'dot' ? x * own[at]! : factors[at]! * Math.tanh(x + own[at]!);
        return scale * part(q, head).reduce((sum, x, at) => sum + term(x, at), 0);
      });
      const none = scores.every((s) => s === -Infinity);
      const weights = none ? scores.map(() => (withoutKeys === 'average' ? 1 / key.length : 0)) : softmax(scores);
      return part(value[0]!, head).map((_, c) => weights.reduce((sum, w, j) => sum + w * part(value[j]!, head)[c]!, 0));
    }).flat(),
  );
}

const FORMS: [string, Partial<AttentionSpec>][] = [
  ['dot', {}],
  ['scaled, several heads', { scale: 0.5, heads: 3 }],
  ['causal', { causal: true }],
  ['causal without keys', { causal: true, withoutKeys: 'average' }],
  ['additive', { score: 'additive' }],
  [
    'additive with factors and heads',
    { score: 'additive', heads: 2, scale: -1.5, weights: { factors: new Float32Array([1, -2, 0.5, 3, 0.25, -1]) } },
  ],
];

describe.each(BACKENDS)('attention on $name', ({ api, exact }) => {
  test.each(FORMS)('%s: over the steps of a sequence, some masked, is its equation', async (_, form) => {
    const random = new Random(5);
    // Long enough for more than a block of queries and a panel of keys.
    const lengths = [3, 0, 61, 1];
    const rows = lengths.reduce((a, b) => a + b);
    const data = {
      q: random.floats(rows * 6),
      k: random.floats(rows * 6),
      v: random.floats(rows * 12),
      m: random.floats(rows),
    };
    // The first key of the first sequence is masked: under `causal` its first query has no keys.
    data.m.forEach((_, i) => (data.m[i] = i > 0 && random.chance(0.7) ? 1 : 0));
    const model = await api.createModel({
      inputs: [input('q', 6), input('k', 6), input('v', 12), input('m', 1)],
      layers: [{ name: 'a', type: 'attention', inputs: ['q', 'k', 'v'], inputSize: 6, mask: 'm', ...form }],
    });
    const at = lengths.map((_, b) => lengths.slice(0, b).reduce((sum, n) => sum + n, 0));
    const of = (name: keyof typeof data, b: number): Rows => {
      const size = data[name].length / rows;
      return Array.from({ length: lengths[b]! }, (_, t) => [
        ...data[name].subarray((at[b]! + t) * size, (at[b]! + t + 1) * size),
      ]);
    };
    const { outputs } = model.run(
      Object.fromEntries(
        Object.keys(data).map((name) => [name, lengths.map((_, b) => Float32Array.from(of(name as 'q', b).flat()))]),
      ),
    );
    const got = outputs['a']!;
    const want = lengths.flatMap((length, b) => {
      const y =
        length === 0
          ? []
          : attend(
              form,
              of('q', b),
              of('k', b),
              of('v', b),
              of('m', b).map(([m]) => m !== 0),
            );
      return [...y.flat(), ...new Array<number>((Math.max(...lengths) - length) * 12).fill(0)];
    });
    expect(got.shape).toEqual([4, 61, 12]);
    expectClose(got.data, want, FLOAT64_REFERENCE);
    model.dispose();
  });

  test('a query a sequence; softmax over time and a weighted sum are the same where it is 1 and keys are the scores', async () => {
    const random = new Random(6);
    const model = await api.createModel({
      inputs: [{ name: 'one', dtype: 'float32', size: 1, kind: 'vector' }, input('s', 1), input('v', 3), input('m', 1)],
      layers: [
        { name: 'a', type: 'attention', inputs: ['one', 's', 'v'], inputSize: 1, mask: 'm' },
        { name: 'w', type: 'timeSoftmax', inputs: ['s'], mask: 'm' },
        { name: 'p', type: 'weightedSum', inputs: ['w', 'v'] },
      ],
      outputs: ['a', 'p', 'w'],
    });
    const v = random.floats(15);
    const s = random.floats(5, 3);
    const m = new Float32Array([1, 0, 1, 1, 0]);
    const { outputs } = model.run({ one: new Float32Array([1]), s, v, m });
    const weights = softmax([...s].map((x, t) => (m[t] ? x : -Infinity)));
    expectClose(outputs['w']!.data, weights, FLOAT64_REFERENCE);
    expect(outputs['w']!.data[1]).toBe(0);
    const want = [0, 1, 2].map((c) => weights.reduce((sum, w, t) => sum + w * v[3 * t + c]!, 0));
    expectClose(outputs['a']!.data, want, FLOAT64_REFERENCE);
    expectClose(outputs['p']!.data, want, FLOAT64_REFERENCE);
    // Fused multiply-adds of the relaxed build round less often in one of them.
    if (exact) expect(outputs['a']!.data).toEqual(outputs['p']!.data);
    model.dispose();
  });

  test('masked queries have no keys', async () => {
    const run = async (form: Partial<AttentionSpec>) => {
      const layer = {
        name: 'a',
        type: 'attention',
        inputs: ['x', 'x', 'x'],
        inputSize: 1,
        queryMask: 'm',
        ...form,
      } as LayerSpec;
      const model = await api.createModel({ inputs: [input('x', 1), input('m', 1)], layers: [layer] });
      const { data } = model.run({ x: new Float32Array([1, 2, 6]), m: new Float32Array([0, 1, 0]) }).output;
      model.dispose();
      return data;
    };
    const [zero, average] = [await run({}), await run({ withoutKeys: 'average' })];
    expect([zero[0], zero[2]]).toEqual([0, 0]);
    expect([average[0], average[2]]).toEqual([3, 3]);
    expect(zero[1]).toBe(average[1]);
  });
});

function input(name: string, size: number): ModelSpec['inputs'][number] {
  return { name, dtype: 'float32', size };
}

describe('what cannot be is refused by name', () => {
  const [{ api }] = BACKENDS as [(typeof BACKENDS)[number]];
  const vector = { ...input('u', 4), kind: 'vector' as const };
  const attention = (rest: Record<string, unknown>) => ({
    name: 'a',
    type: 'attention',
    inputs: ['x', 'x', 'x'],
    inputSize: 4,
    ...rest,
  });
  test.each<[string, Record<string, unknown>]>([
    ['takes three inputs', attention({ inputs: ['x', 'x'] })],
    ['keys and values are values of steps', attention({ inputs: ['x', 'u', 'x'] })],
    ['inputSize is 3', attention({ inputSize: 3 })],
    ['3 heads do not divide', attention({ heads: 3 })],
    ['causal is for queries of steps', attention({ inputs: ['u', 'x', 'x'], causal: true })],
    ['mask must be a float32 value of one number a step', attention({ mask: 'u' })],
    [
      'queryMask must be a float32 value of one number a sequence',
      attention({ inputs: ['u', 'x', 'x'], queryMask: 'x' }),
    ],
    ['score must be one of dot, additive', attention({ score: 'concat' })],
    ['scale must be a finite number', attention({ scale: Infinity })],
    ["weights['factors'] has no place here", attention({ weights: { factors: new Float32Array(4) } })],
    [
      "weights['factors'] must have 4 values",
      attention({ score: 'additive', weights: { factors: new Float32Array(3) } }),
    ],
    ['takes a value of steps', { name: 'a', type: 'timeSoftmax', inputs: ['u'] }],
    ['mask must be', { name: 'a', type: 'timeSoftmax', inputs: ['x'], mask: 'x' }],
    ['takes two inputs', { name: 'a', type: 'weightedSum', inputs: ['x'] }],
    ['takes float32 values of steps', { name: 'a', type: 'weightedSum', inputs: ['x', 'u'] }],
  ])('%s', async (message, layer) => {
    const spec = {
      inputs: [input('x', 4), vector],
      layers: [layer, { name: 'used', type: 'activation', inputs: ['u'], activation: 'tanh' }],
    };
    await expectError(() => api.createModel(spec as unknown as ModelSpec), 'invalid_spec', 'a', message);
  });

  test('a stream: each says why', async () => {
    for (const [layer, why] of [
      [attention({}), 'reads all steps of its keys'],
      [{ name: 'a', type: 'timeSoftmax' }, 'divides each step by a sum over all steps'],
      [{ name: 'a', type: 'weightedSum', inputs: ['x', 'x'] }, 'sums over all steps'],
    ] as const) {
      const model = await api.createModel({ inputs: [input('x', 4)], layers: [layer] } as unknown as ModelSpec);
      expect(model.streamable).toBe(false);
      await expectError(() => model.createStream(), 'not_streamable', why);
      model.dispose();
    }
  });
});
