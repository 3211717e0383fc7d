import type { GruSpec } from '../../ts/spec/spec.ts';

// The textbook's GRU in float64, written without a look at the backends.

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

interface Step {
  h: number[];
  out: number[];
}

function cell(spec: GruSpec, d: 'forward' | 'reverse', x: number[], h: number[]): number[] {
  const { hiddenSize: H, weights, resetAfter, clip = Infinity } = spec;
  const bound = (v: number) => Math.max(-clip, Math.min(clip, v));
  const dot = (matrix: Float32Array, row: number, v: number[]) =>
    v.reduce((s, value, k) => s + matrix[row * v.length + k]! * value, 0);
  const input = (row: number) => dot(weights[`${d}.input`]!, row, x) + (weights[`${d}.bias`]?.[row] ?? 0);
  const recurrent = (row: number, v: number[]) => dot(weights[`${d}.recurrent`]!, row, v);
  const z = h.map((_, j) => sigmoid(bound(input(j) + recurrent(j, h))));
  const r = h.map((_, j) => sigmoid(bound(input(H + j) + recurrent(H + j, h))));
  const reset = h.map((value, j) => r[j]! * value);
  return h.map((value, j) => {
    const row = 2 * H + j;
    const n = resetAfter
      ? input(row) + r[j]! * (recurrent(row, h) + (weights[`${d}.recurrentBias`]?.[j] ?? 0))
      : input(row) + recurrent(row, reset);
    return z[j]! * value + (1 - z[j]!) * Math.tanh(bound(n));
  });
}

function oneDirection(
  spec: GruSpec,
  d: 'forward' | 'reverse',
  x: number[][],
  mask: number[],
  h0: number[],
): Step & { rows: number[][] } {
  const rows: number[][] = x.map(() => []);
  let h = h0;
  let out = h0.map(() => 0);
  for (let s = 0; s < x.length; s++) {
    const t = d === 'forward' ? s : x.length - 1 - s;
    if (mask[t] === 0) {
      if (spec.paddedOutput === 'zero') out = h0.map(() => 0);
    } else {
      h = cell(spec, d, x[t]!, h);
      out = h;
    }
    rows[spec.reversedOutput ? s : t] = out;
  }
  return { h, out, rows };
}

function join(spec: GruSpec, a: number[], b: number[] | undefined): number[] {
  if (!b) return a;
  const merge = spec.merge ?? 'concat';
  if (merge === 'concat') return [...a, ...b];
  return a.map((v, j) => (merge === 'mul' ? v * b[j]! : merge === 'sum' ? v + b[j]! : (v + b[j]!) / 2));
}

/** Rows of one sequence, its merged last states, and the state of each direction. */
export function referenceGru(
  spec: GruSpec,
  x: number[][],
  mask: number[],
  h0: number[][],
): { rows: number[][]; last: number[]; states: number[][] } {
  const direction = spec.direction ?? 'forward';
  const names = direction === 'bidirectional' ? (['forward', 'reverse'] as const) : ([direction] as const);
  const [first, second] = names.map((d, i) => oneDirection(spec, d, x, mask, h0[i]!));
  return {
    rows: first!.rows.map((row, t) => join(spec, row, second?.rows[t])),
    last: join(spec, first!.h, second?.h),
    states: [first!.h, ...(second ? [second.h] : [])],
  };
}
