import type { LstmSpec } from '../../../../spec/spec.ts';
import { rowFunction } from '../../activation.ts';
import type { RowFunction } from '../../activation.ts';
import { flush } from '../../../../base/denormals.ts';
import { expRange } from '../../exp.ts';
import { multiply, packMatrix } from '../../matmul.ts';
import { clipThenApply, gateFunctions, isTanh, negate } from './cell.ts';
import type { GateFunctions } from './cell.ts';
import { recurrent } from './driver.ts';

const fround = Math.fround;

/** What the general form computes with. */
interface General extends GateFunctions {
  readonly output: RowFunction;
  readonly inputForget: boolean;
  /** i, f, o. */
  readonly peepholes: Float32Array | undefined;
}

/** An LSTM layer: gates i, f, g, o. */
export const lstm = recurrent<LstmSpec>((spec) => {
  const { hiddenSize: size, activation = 'tanh', outputActivation, inputForget = false } = spec;
  const f = gateFunctions(spec.recurrentActivation, activation, spec.clip);
  const output = rowFunction(outputActivation ?? activation);
  return {
    gates: 4,
    slots: 2,
    scratch: [4],
    pack(weights) {
      const matrix = packMatrix(weights.matrix('recurrent'), 4 * size, size);
      const peepholes = weights.vector('peepholes')?.slice();
      const general: General = { ...f, output, inputForget, peepholes };
      const standard = f.standard && isTanh(output) && !inputForget && !peepholes;
      return {
        buffers: [matrix.panels, ...(peepholes ? [peepholes] : [])],
        step(state, rows, from, count, projected, p, scratch) {
          const hidden = state[0]!;
          const cell = state[1]!;
          const sums = scratch[0]!;
          multiply(matrix, hidden, 0, rows, from, count, projected, p, 4 * size, sums, 0, 4 * size);
          for (let i = 0; i < count; i++) {
            const s = i * 4 * size;
            const h = rows[from + i]! * size;
            if (standard) standardForm(size, sums, s, hidden, cell, h);
            else generalForm(general, size, sums, s, hidden, cell, h);
          }
        },
      };
    },
  };
});

/** c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(c'), with three divisions: docs/arithmetic.md. `sums` at `s` hold i, f, g, o. */
function standardForm(
  size: number,
  sums: Float32Array,
  s: number,
  hidden: Float32Array,
  cell: Float32Array,
  h: number,
): void {
  const f = s + size;
  const g = s + 2 * size;
  const o = s + 3 * size;
  negate(sums, s, g);
  negate(sums, o, o + size);
  for (let j = g; j < o; j++) sums[j] = sums[j]! + sums[j]!;
  expRange(sums, s, g, -40, 40);
  expRange(sums, g, o, -20, 20);
  expRange(sums, o, o + size, -40, 40);
  for (let j = 0; j < size; j++) {
    const b = sums[g + j]!;
    const t = fround(fround(b - 1) / fround(fround(1 + sums[s + j]!) * fround(b + 1)));
    const u = fround(cell[h + j]! / fround(1 + sums[f + j]!));
    const c = flush(fround(u + t));
    cell[h + j] = c;
    sums[g + j] = c + c;
  }
  expRange(sums, g, o, -20, 20);
  for (let j = 0; j < size; j++) {
    const d = sums[g + j]!;
    hidden[h + j] = fround(fround(d - 1) / fround(fround(1 + sums[o + j]!) * fround(d + 1)));
  }
}

/** The same with any functions, clip, peepholes, and f = 1 - i. */
function generalForm(
  { recurrent, candidate, output, clip, inputForget, peepholes }: General,
  size: number,
  sums: Float32Array,
  s: number,
  hidden: Float32Array,
  cell: Float32Array,
  h: number,
): void {
  const f = s + size;
  const g = s + 2 * size;
  const o = s + 3 * size;
  if (peepholes) {
    addProducts(size, peepholes, 0, cell, h, sums, s);
    addProducts(size, peepholes, size, cell, h, sums, f);
  }
  clipThenApply(recurrent, clip, sums, s, f);
  if (inputForget) for (let j = 0; j < size; j++) sums[f + j] = 1 - sums[s + j]!;
  else clipThenApply(recurrent, clip, sums, f, g);
  clipThenApply(candidate, clip, sums, g, o);
  for (let j = 0; j < size; j++) {
    const c = flush(fround(fround(sums[f + j]! * cell[h + j]!) + fround(sums[s + j]! * sums[g + j]!)));
    cell[h + j] = c;
    sums[g + j] = c;
  }
  if (peepholes) addProducts(size, peepholes, 2 * size, cell, h, sums, o);
  clipThenApply(recurrent, clip, sums, o, o + size);
  output.apply(sums, g, o, output);
  for (let j = 0; j < size; j++) hidden[h + j] = flush(fround(sums[o + j]! * sums[g + j]!));
}

/** sums += weights * cell */
function addProducts(
  size: number,
  weights: Float32Array,
  w: number,
  cell: Float32Array,
  c: number,
  sums: Float32Array,
  s: number,
): void {
  for (let j = 0; j < size; j++) sums[s + j] = fround(weights[w + j]! * cell[c + j]!) + sums[s + j]!;
}
