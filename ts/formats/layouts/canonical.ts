import { GruError } from '../../base/errors.ts';
import { lengthOf, viewOf } from '../../base/foreign.ts';
import type { RecurrentWeights } from '../../spec/spec.ts';
import { floatsOf } from '../../base/numbers.ts';
import { describe, isArrayLike, shapeText } from '../../base/tensor.ts';
import { isFloats } from '../../base/typed-array.ts';

/** Weights of one direction in the canonical form, of which each kind of recurrent layer has its part. */
export interface DirectionWeights {
  input: Float32Array;
  recurrent: Float32Array;
  bias?: Float32Array;
  recurrentBias?: Float32Array;
}

/** Sizes of a recurrent layer. */
export interface RecurrentSizes {
  inputSize: number;
  hiddenSize: number;
}

/** Both directions, or one, under the keys of {@link RecurrentWeights}. */
export function recurrentWeights(weights: {
  forward?: DirectionWeights;
  reverse?: DirectionWeights;
}): RecurrentWeights<keyof DirectionWeights> {
  return Object.fromEntries(
    (['forward', 'reverse'] as const).flatMap((direction) =>
      Object.entries(weights[direction] ?? {}).map(([key, data]) => [`${direction}.${key}`, data as Float32Array]),
    ),
  );
}

/**
 * Adds up the biases of the input and the recurrent product, (gates * hiddenSize) each. With `resetAfter` the recurrent bias of the
 * candidate, a GRU's last gate, which the reset gate multiplies, stays apart.
 */
export function foldBiases(
  input: Float32Array | undefined,
  recurrent: Float32Array | undefined,
  hiddenSize: number,
  resetAfter = false,
): Pick<DirectionWeights, 'bias' | 'recurrentBias'> {
  if (!recurrent) return input ? { bias: input } : {};
  const bias = new Float32Array(recurrent.length);
  const folded = recurrent.length - (resetAfter ? hiddenSize : 0);
  for (let i = 0; i < bias.length; i++) {
    bias[i] = (input?.[i] ?? 0) + (i < folded ? recurrent[i]! : 0);
  }
  return resetAfter ? { bias, recurrentBias: recurrent.slice(folded) } : { bias };
}

const MAKERS: Record<number, string> = {
  1: 'a simple RNN: createRnn',
  3: 'a GRU: createGru',
  4: 'an LSTM: createLstm',
};

/**
 * Tells the arrays of one type of recurrent layer from another's by their number of gates.
 *
 * @throws GruError `shape_mismatch` where both arrays have the gates of another type.
 */
export function checkGates(
  gates: number,
  { inputSize, hiddenSize }: RecurrentSizes,
  name: string,
  recurrent: unknown,
  input: unknown,
): void {
  if (!isArrayLike(recurrent) || !isArrayLike(input)) return;
  const found = lengthOf(recurrent, name) / hiddenSize ** 2;
  const maker = MAKERS[found];
  if (found === gates || !maker || input.length !== found * hiddenSize * inputSize) return;
  throw new GruError(
    'shape_mismatch',
    `${name}: has ${found} gates, not ${gates}: these are weights of ${maker} makes it`,
  );
}

/** Columns that a transposition takes at a time, so that what it writes stays in the cache. */
const TILE = 64;

/**
 * (rows, columns) -> (columns, rows). Four rows at a time take half the time of one, and a function of their own: V8 has faster
 * code of it from its next call on, which in one long loop comes later (the first two of 128 x 384: 1.4 ms instead of 1.9). Bits are
 * moved, for until it has that code V8 allocates a number for each float.
 */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const transposed = new Float32Array(data.length);
  const [from, out] = [bitsOf(data), bitsOf(transposed)];
  const fours = rows - (rows % 4);
  for (let c0 = 0; c0 < columns; c0 += TILE) {
    const c1 = Math.min(c0 + TILE, columns);
    for (let r = 0; r < fours; r += 4) {
      fourRows(out, c0 * rows + r, rows, from, r * columns + c0, r * columns + c1, columns);
    }
    for (let r = fours; r < rows; r++) {
      for (let c = c0; c < c1; c++) out[c * rows + r] = from[r * columns + c]!;
    }
  }
  return transposed;
}

/** `data[from .. to - 1]` and the same of the next three rows, as columns of `out` from `at`. */
function fourRows(
  out: Int32Array,
  at: number,
  rows: number,
  data: Int32Array,
  from: number,
  to: number,
  columns: number,
): void {
  for (let i = from; i < to; i++, at += rows) {
    out[at] = data[i]!;
    out[at + 1] = data[i + columns]!;
    out[at + 2] = data[i + 2 * columns]!;
    out[at + 3] = data[i + 3 * columns]!;
  }
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

/**
 * Weights as float32, checked for their number; a copy, unless `copy` is false and they are float32.
 *
 * @throws GruError `shape_mismatch` or `dtype_mismatch` naming the tensor.
 */
export function toFloats(name: string, data: unknown, shape: number[], copy = true): Float32Array {
  const text = `of shape ${shapeText(shape)}`;
  if (!isArrayLike(data)) {
    throw new GruError('dtype_mismatch', `${name}: expected an array ${text}, got ${describe(data)}`);
  }
  const expected = shape.reduce((n, d) => n * d, 1);
  const length = lengthOf(data, name);
  if (length !== expected) {
    throw new GruError('shape_mismatch', `${name}: expected ${expected} values ${text}, got ${length}`);
  }
  if (isFloats(data)) return copy ? viewOf(data).slice() : viewOf(data);
  return floatsOf(name, data);
}
