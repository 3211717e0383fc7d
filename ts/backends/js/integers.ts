import { isFloats } from '../../base/typed-array.ts';
import { numbersOf, type WeightTensor } from '../../base/weights.ts';

const fround = Math.fround;

/** Rows of integers of a tensor that products are made with. */
export interface IntegerRows {
  readonly data: Int16Array | Int8Array;
  /** Of each row. */
  readonly scales: Float32Array;
  /** Of what the rows of the tensor are multiplied by, on either side of zero: all parts of a tensor take the same integers. */
  readonly levels: number;
}

/** The rows of a tensor: numbers, or integers. */
export type MatrixRows = Float32Array | IntegerRows;

/** Of what weights are multiplied by: fewer levels than the least, and products are made of the numbers that the weights stand for. */
const LEVELS = { i16: { least: 1023, most: 32767 }, i8: { least: 128, most: 127 } };

/**
 * The rows of a tensor. Of integers: `levels` times the greatest sum of the magnitudes in a row is at most 2^31 - 1, so that no sum of
 * products overflows (for i8 128 times: crate/src/kernels/integers.rs says why).
 */
export function matrixRows(tensor: WeightTensor): MatrixRows {
  if (isFloats(tensor)) return tensor;
  const { dtype, data, scales } = tensor;
  const depth = data.length / scales.length;
  let greatest = 1;
  for (let row = 0; row < data.length; row += depth) {
    let sum = 0;
    for (let k = row; k < row + depth; k++) sum += Math.abs(data[k]!);
    greatest = Math.max(greatest, sum);
  }
  const { least, most } = LEVELS[dtype];
  const levels = Math.floor((2 ** 31 - 1) / greatest);
  return levels < least ? numbersOf(tensor) : { data, scales, levels: Math.min(levels, most) };
}

/** Rows `from` to `to`, of `depth` each. */
export function partOfRows(rows: MatrixRows, from: number, to: number, depth: number): MatrixRows {
  if (isFloats(rows)) return rows.subarray(from * depth, to * depth);
  const { data, scales, levels } = rows;
  return { data: data.subarray(from * depth, to * depth), scales: scales.subarray(from, to), levels };
}

/** Rows whose greatest magnitude is less are rows of zeros: the quotient stays finite. */
const LEAST = 2 ** -100;

/** 1.5 * 2^23: a sum with it is rounded to a whole number, the even one of two. */
const MAGIC = 12582912;

/**
 * Makes integers of the row of `x` at `at`: `nearest(x * (levels / m))` in `into`, m being its greatest magnitude; zeros where that is below {@link LEAST}.
 *
 * @returns The scale, m / levels; 0 for zeros, NaN for a row with an infinity or a NaN.
 */
export function quantizeRow(x: Float32Array, at: number, levels: number, into: Int16Array): number {
  let m = 0;
  for (let k = 0; k < into.length; k++) {
    const magnitude = Math.abs(x[at + k]!);
    if (!(magnitude <= m)) m = magnitude === magnitude ? magnitude : Infinity;
  }
  if (m < LEAST || m === Infinity) {
    into.fill(0);
    return m < LEAST ? 0 : NaN;
  }
  const by = fround(levels / m);
  for (let k = 0; k < into.length; k++) into[k] = fround(fround(x[at + k]! * by) + MAGIC) - MAGIC;
  return fround(m / levels);
}
