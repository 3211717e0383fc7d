import { ACTIVATIONS } from '../../layers/activations.ts';
import type { Activation } from '../../spec/spec.ts';
import { expRange, flush, rowFunction } from './activation.ts';
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
  const candidate = s + 2 * size;
  if (f.standard) {
    for (let j = 0; j < 2 * size; j++) sums[s + j] = -fround(sums[s + j]! + projected[p + j]!);
    expRange(sums, s, candidate, -40, 40);
    for (let j = 0; j < size; j++) {
      const r = fround(1 / fround(1 + sums[s + size + j]!));
      const n = fround(fround(r * sums[candidate + j]!) + projected[p + 2 * size + j]!);
      sums[candidate + j] = n + n;
    }
    expRange(sums, candidate, candidate + size, -20, 20);
    blend(size, sums, s, sums, candidate, hidden, h);
    return;
  }
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
    for (let j = 0; j < size; j++) sums[reset + j] = -sums[reset + j]!;
    expRange(sums, reset, reset + size, -40, 40);
    for (let j = 0; j < size; j++) {
      const r = fround(1 / fround(1 + sums[reset + j]!));
      product[p + j] = flush(fround(r * hidden[h + j]!));
    }
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
    for (let j = 0; j < size; j++) {
      const n = candidate[c + j]!;
      sums[s + j] = -sums[s + j]!;
      candidate[c + j] = n + n;
    }
    expRange(sums, s, s + size, -40, 40);
    expRange(candidate, c, c + size, -20, 20);
    blend(size, sums, s, candidate, c, hidden, h);
    return;
  }
  clipThenApply(f.recurrent, f.clip, sums, s, s + size);
  clipThenApply(f.candidate, f.clip, candidate, c, c + size);
  mix(size, sums, s, candidate, c, hidden, h);
}

/** sigmoid(z) h + (1 - sigmoid(z)) tanh(n) with one division, of e^-z at `u` of `update` and e^2n at `c` of `candidate`. */
function blend(
  size: number,
  update: Float32Array,
  u: number,
  candidate: Float32Array,
  c: number,
  hidden: Float32Array,
  h: number,
): void {
  for (let j = 0; j < size; j++) {
    const a = update[u + j]!;
    const b = candidate[c + j]!;
    const b1 = fround(b + 1);
    const sum = fround(fround(hidden[h + j]! * b1) + fround(a * fround(b - 1)));
    hidden[h + j] = flush(fround(sum / fround(fround(a + 1) * b1)));
  }
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
