import { ACTIVATIONS } from '../../layers/activations.ts';
import type { Activation } from '../../spec.ts';
import { blend, flush, rowFunction, sigmoid } from './activation.ts';
import type { RowFunction } from './activation.ts';

const fround = Math.fround;

/** What the gates compute with. */
export interface GateFunctions {
  readonly recurrent: RowFunction;
  readonly candidate: RowFunction;
  readonly clip: number;
  /** sigmoid and tanh without clip: the fused form. */
  readonly standard: boolean;
}

/** The functions of a gru layer. */
export function gateFunctions(
  recurrent: Activation = 'sigmoid',
  candidate: Activation = 'tanh',
  clip = Infinity,
): GateFunctions {
  const [r, n, c] = [rowFunction(recurrent), rowFunction(candidate), fround(clip)];
  const standard = r.code === ACTIVATIONS.sigmoid.code && n.code === ACTIVATIONS.tanh.code && c === Infinity;
  return { recurrent: r, candidate: n, clip: c, standard };
}

function clipThenApply(f: RowFunction, clip: number, values: Float32Array, from: number, to: number): void {
  if (clip !== Infinity) {
    for (let i = from; i < to; i++) {
      let x = values[i]!;
      x = clip < x ? clip : x;
      values[i] = x < -clip ? -clip : x;
    }
  }
  f.apply(values, from, to, f);
}

/**
 * Reset gate after the matmul. `sums` at `s` and the input projection at `p` hold z, r, n; the hidden values at `h` become
 * the new ones.
 */
export function gatesAfter(
  f: GateFunctions,
  size: number,
  sums: Float32Array,
  s: number,
  projected: Float32Array,
  p: number,
  hidden: Float32Array,
  h: number,
): void {
  if (f.standard) {
    for (let j = 0; j < size; j++) {
      const z = fround(sums[s + j]! + projected[p + j]!);
      const r = sigmoid(fround(sums[s + size + j]! + projected[p + size + j]!));
      const n = fround(fround(r * sums[s + 2 * size + j]!) + projected[p + 2 * size + j]!);
      hidden[h + j] = flush(blend(z, n, hidden[h + j]!));
    }
    return;
  }
  const candidate = s + 2 * size;
  for (let j = 0; j < 2 * size; j++) sums[s + j] = sums[s + j]! + projected[p + j]!;
  clipThenApply(f.recurrent, f.clip, sums, s, candidate);
  for (let j = 0; j < size; j++) {
    sums[candidate + j] = fround(sums[s + size + j]! * sums[candidate + j]!) + projected[p + 2 * size + j]!;
  }
  clipThenApply(f.candidate, f.clip, sums, candidate, candidate + size);
  mix(size, sums, s, sums, candidate, hidden, h);
}

/** Reset gate before the matmul, first half: `sums` at `s` hold z, r; writes r * h at `p` of `product`. */
export function resetBefore(
  f: GateFunctions,
  size: number,
  sums: Float32Array,
  s: number,
  hidden: Float32Array,
  h: number,
  product: Float32Array,
  p: number,
): void {
  const reset = s + size;
  if (f.standard) {
    for (let j = 0; j < size; j++) product[p + j] = flush(fround(sigmoid(sums[reset + j]!) * hidden[h + j]!));
    return;
  }
  clipThenApply(f.recurrent, f.clip, sums, reset, reset + size);
  for (let j = 0; j < size; j++) product[p + j] = flush(fround(sums[reset + j]! * hidden[h + j]!));
}

/** Reset gate before the matmul, second half: z at `s` of `sums`, n at `c` of `candidate`. */
export function updateBefore(
  f: GateFunctions,
  size: number,
  sums: Float32Array,
  s: number,
  candidate: Float32Array,
  c: number,
  hidden: Float32Array,
  h: number,
): void {
  if (f.standard) {
    for (let j = 0; j < size; j++) hidden[h + j] = flush(blend(sums[s + j]!, candidate[c + j]!, hidden[h + j]!));
    return;
  }
  clipThenApply(f.recurrent, f.clip, sums, s, s + size);
  clipThenApply(f.candidate, f.clip, candidate, c, c + size);
  mix(size, sums, s, candidate, c, hidden, h);
}

/** h' = z (h - n) + n */
function mix(
  size: number,
  update: Float32Array,
  u: number,
  candidate: Float32Array,
  c: number,
  hidden: Float32Array,
  h: number,
): void {
  for (let j = 0; j < size; j++) {
    const n = candidate[c + j]!;
    hidden[h + j] = flush(fround(fround(update[u + j]! * fround(hidden[h + j]! - n)) + n));
  }
}
