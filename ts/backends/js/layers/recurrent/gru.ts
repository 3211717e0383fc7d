import type { GruSpec } from '../../../../spec/spec.ts';
import { flush } from '../../../../base/denormals.ts';
import { expRange } from '../../exp.ts';
import { partOfRows } from '../../integers.ts';
import { multiply, packMatrix } from '../../matmul.ts';
import { clipThenApply, gateFunctions, negate } from './cell.ts';
import type { Cell, GateFunctions, Weights } from './cell.ts';
import { recurrent } from './driver.ts';

const fround = Math.fround;

/** A GRU layer, reset gate before or after the matmul: gates z, r, n. */
export const gru = recurrent<GruSpec>((spec) => {
  const size = spec.hiddenSize;
  const f = gateFunctions(spec.recurrentActivation, spec.activation, spec.clip);
  return {
    gates: 3,
    slots: 1,
    scratch: spec.resetAfter ? [3] : [2, 1, 1],
    pack: (weights) => (spec.resetAfter ? resetAfter(f, size, weights) : resetFirst(f, size, weights)),
  };
});

function resetAfter(f: GateFunctions, size: number, weights: Weights): Cell {
  const matrix = packMatrix(weights.matrix('recurrent'), 3 * size, size);
  // Where the recurrent sums start: 0, 0, recurrentBias.
  const init = new Float32Array(3 * size);
  init.set(weights.vector('recurrentBias') ?? [], 2 * size);
  return {
    buffers: [matrix.panels, init],
    step(state, rows, from, count, projected, p, scratch) {
      const hidden = state[0]!;
      const sums = scratch[0]!;
      multiply(matrix, hidden, 0, rows, from, count, init, 0, 0, sums, 0, 3 * size);
      for (let i = 0; i < count; i++) {
        gatesAfter(f, size, sums, i * 3 * size, projected, p + i * 3 * size, hidden, rows[from + i]! * size);
      }
    },
  };
}

function resetFirst(f: GateFunctions, size: number, weights: Weights): Cell {
  const recurrent = weights.matrix('recurrent');
  const gates = packMatrix(partOfRows(recurrent, 0, 2 * size, size), 2 * size, size);
  const candidate = packMatrix(partOfRows(recurrent, 2 * size, 3 * size, size), size, size);
  return {
    buffers: [gates.panels, candidate.panels],
    step(state, rows, from, count, projected, p, scratch, iota) {
      const hidden = state[0]!;
      const sums = scratch[0]!;
      const product = scratch[1]!;
      const fresh = scratch[2]!;
      multiply(gates, hidden, 0, rows, from, count, projected, p, 3 * size, sums, 0, 2 * size);
      for (let i = 0; i < count; i++) {
        resetBefore(f, size, sums, i * 2 * size, hidden, rows[from + i]! * size, product, i * size);
      }
      multiply(candidate, product, 0, iota, 0, count, projected, p + 2 * size, 3 * size, fresh, 0, size);
      for (let i = 0; i < count; i++) {
        updateBefore(f, size, sums, i * 2 * size, fresh, i * size, hidden, rows[from + i]! * size);
      }
    },
  };
}

/**
 * Reset gate after the matmul. `sums` at `s` and the input projection at `p` hold z, r, n; the hidden values at `h` become
 * the new ones.
 */
function gatesAfter(
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
function resetBefore(
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
    negate(sums, reset, reset + size);
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
function updateBefore(
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
    negate(sums, s, s + size);
    for (let j = c; j < c + size; j++) candidate[j] = candidate[j]! + candidate[j]!;
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
