import type { ReduceFeaturesSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

const fround = Math.fround;

/** A row of numbers made one. */
type Reduce = (x: Float32Array, from: number, to: number) => number;

const REDUCE: Record<ReduceFeaturesSpec['reduce'], Reduce> = {
  sum,
  mean: (x, from, to) => sum(x, from, to) / (to - from),
  prod(x, from, to) {
    let product = 1;
    for (let j = from; j < to; j++) product = fround(product * x[j]!);
    return product;
  },
  max(x, from, to) {
    let most = -Infinity;
    for (let j = from; j < to; j++) if (most < x[j]! || Number.isNaN(x[j]!)) most = x[j]!;
    return most;
  },
  min(x, from, to) {
    let least = Infinity;
    for (let j = from; j < to; j++) if (x[j]! < least || Number.isNaN(x[j]!)) least = x[j]!;
    return least;
  },
  l2(x, from, to) {
    let squares = 0;
    for (let j = from; j < to; j++) squares = fround(squares + fround(x[j]! * x[j]!));
    return Math.sqrt(squares);
  },
};

function sum(x: Float32Array, from: number, to: number): number {
  let total = 0;
  for (let j = from; j < to; j++) total = fround(total + x[j]!);
  return total;
}

/** The features of each row made one number. */
export const reduceFeatures: Build<ReduceFeaturesSpec> = (spec, [input]) => {
  const size = input!.size;
  const apply = REDUCE[spec.reduce];
  return stateless(0, ({ inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    for (let row = 0; row < y.length; row++) y[row] = apply(x, row * size, (row + 1) * size);
  });
};
