import { numbersOf, type WeightTensor } from '../../../../base/weights.ts';
import type { Activation } from '../../../../spec/spec.ts';
import { ACTIVATIONS } from '../../../../layers/activations.ts';
import { type MatrixRows, matrixRows } from '../../integers.ts';
import { rowFunction } from '../../activation.ts';
import type { RowFunction } from '../../activation.ts';

const fround = Math.fround;

/** The weights of one direction, by tensor. */
export interface Weights {
  /** Numbers, where they are given. */
  vector(tensor: string): Float32Array | undefined;
  /** The rows that products are made with. */
  matrix(tensor: string): MatrixRows;
}

/** The weights of a direction of a layer. */
export function weightsOf(spec: { weights: object }, direction: 'forward' | 'reverse'): Weights {
  const weights = spec.weights as Record<string, WeightTensor | undefined>;
  const tensor = (key: string) => weights[`${direction}.${key}`];
  return {
    vector(key) {
      const given = tensor(key);
      return given && numbersOf(given);
    },
    matrix: (key) => matrixRows(tensor(key)!),
  };
}

/** What tells one kind of recurrent layer from another; the rest is the driver's. */
export interface CellKind {
  /** Sums of a unit: rows of the input projection, in units. */
  readonly gates: number;
  /** What is carried from step to step: buffers a direction, hidden first. */
  readonly slots: number;
  /** Widths of the buffers that a step needs, a row a sequence, in units. */
  readonly scratch: readonly number[];
  /** Packs the recurrent weights of one direction. */
  pack(weights: Weights): Cell;
}

/** The cell of one direction: what leads from the input's projection to the new state. */
export interface Cell {
  /** Packed weights. */
  readonly buffers: readonly ArrayBufferView[];
  /** New values, in `state` (a buffer a slot), of the sequences `rows[from .. from + count - 1]`. */
  step(
    state: readonly Float32Array[],
    rows: Int32Array,
    from: number,
    count: number,
    /** Their input projections, from `p` on: `gates` units each. */
    projected: Float32Array,
    p: number,
    scratch: readonly Float32Array[],
    iota: Int32Array,
  ): void;
}

/** The functions of a layer's gates. */
export interface GateFunctions {
  /** Of the gates between 0 and 1. */
  readonly recurrent: RowFunction;
  readonly candidate: RowFunction;
  readonly clip: number;
  /** sigmoid and tanh without clip: the fused form. */
  readonly standard: boolean;
}

export function gateFunctions(
  recurrent: Activation = 'sigmoid',
  candidate: Activation = 'tanh',
  clip = Infinity,
): GateFunctions {
  const [r, n, c] = [rowFunction(recurrent), rowFunction(candidate), fround(clip)];
  const standard = r.code === ACTIVATIONS.sigmoid.code && isTanh(n) && c === Infinity;
  return { recurrent: r, candidate: n, clip: c, standard };
}

export function isTanh({ code }: RowFunction): boolean {
  return code === ACTIVATIONS.tanh.code;
}

/** f(clip(x)) of `values[from .. to - 1]`. */
export function clipThenApply(f: RowFunction, clip: number, values: Float32Array, from: number, to: number): void {
  if (clip !== Infinity) {
    for (let i = from; i < to; i++) {
      let x = values[i]!;
      x = clip < x ? clip : x;
      values[i] = x < -clip ? -clip : x;
    }
  }
  f.apply(values, from, to, f);
}

/** `weights`, or zeros where there are none. */
export function orZeros(weights: Float32Array | undefined, length: number): Float32Array {
  const values = new Float32Array(length);
  if (weights) values.set(weights);
  return values;
}

/** values = -values, for e^-x. */
export function negate(values: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) values[i] = -values[i]!;
}
