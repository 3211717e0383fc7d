import type { BoundTensor } from './binding.ts';
import type { Budget } from './limits.ts';
import { GruError } from '../../base/errors.ts';
import type { ValueKind, ValueRef } from '../../spec/spec.ts';
import { BATCH, TIME, bakedSize, multiplySizes, sizeText, type Baked, type Size } from './size.ts';

/** A factor of a tensor's axis: the batch, the steps, or features. An axis of size 1 may have no factor at all. */
export interface Factor {
  role: 'batch' | 'time' | 'feature';
  /** Features: how many. Batch and time: what the file says they were at export, if it does. */
  size: number | undefined;
  /** Of time: how many steps there are, where a layer made them of others. */
  steps?: Size;
  /** The axis of a graph input that it comes from: its role may still be changed. */
  origin?: { input: number; axis: number };
  /** Of scores: which of the two values' steps these are. */
  of?: 'x' | 'y';
}

/** Neighbouring columns of a value of the spec. */
export interface Segment {
  ref: ValueRef;
  start: number;
  length: number;
}

/**
 * A tensor that is computed: rows of the spec's values. Its features, in row-major order over the feature factors, are the
 * columns; batch and time may be anywhere among the axes.
 */
export interface Rows {
  type: 'rows';
  dtype: 'float32' | 'int32';
  kind: ValueKind;
  axes: Factor[][];
  columns: Segment[];
  /** Graph inputs that it depends on. */
  inputs: readonly number[];
  /** Steps go from last to first. */
  reversed: boolean;
  /** A dense layer's result that nobody else reads: what follows may be folded into the layer. */
  exclusive: boolean;
  /** Floats that are whole numbers in the graph: their quotients are rounded towards zero. */
  whole?: boolean;
  /** Its sequences are sorted by this input of the graph. */
  sortedBy?: string;
  /** It is no value of the spec, for it has steps by steps: what a layer will be made of when it weighs something. It has no columns. */
  scores?: Scores;
}

/** What each row of x scores with each row of y: sums of products over the last features, beside those in front (heads). */
export interface Scores {
  x: Rows;
  y: Rows;
  heads: number;
  scale: number;
  /** Sums over k of factors[k] tanh(x[k] + y[k]) instead of products; before the sum there are its features, and before tanh their sums. */
  additive?: { form: 'sum' | 'tanh' | 'score'; factors?: Float32Array };
  /** One number a step of one of the two: where it is 0 the step has no part. */
  mask?: { rows: Rows; of: 'x' | 'y' };
  /** Of the second value only rows that are no later than those of the first have a part. */
  causal?: boolean;
  /** What scores are that a mask, or that they are of later steps, takes away; NaN where it is not one number for both. */
  filled?: number;
  /** Less a number, so that steps have no part. */
  low?: boolean;
  /** Times this mask. */
  part?: Rows;
  /** Softmax was taken over the steps of this one: the keys. */
  keys?: 'x' | 'y';
}

/** A tensor that is known. `shape` may be wider than `base` (the shape of `data`) where `base` is 1: it is not copied. */
export interface Constant {
  type: 'constant';
  dtype: 'float' | 'int' | 'bool';
  shape: Size[];
  base: number[];
  data: ArrayLike<Size>;
  /** Where it comes from, for the report. */
  source: string;
}

/** Of no known shape, but all zeros. */
export interface Zeros {
  type: 'zeros';
}

/** Depends on parts of the graph that are not read (when one node is taken out). */
export interface Unknown {
  type: 'unknown';
}

/** Inside of a loop: the number of the step and `offset`; or what this is from the end: `end` minus the number, and `offset`. */
export interface Index {
  type: 'index';
  offset: number;
  end?: Size;
}

/** Inside of a loop: whether it goes on, that is while the number of the step and `offset` are below each `limit`. */
export interface Continues {
  type: 'continues';
  below: readonly { limit: Size; offset: number; node: string }[];
}

/** Inside of a loop: a computed value of the graph around it. */
export interface Outer {
  type: 'outer';
  rows: Rows;
}

/** Numbers of sequences: of each one, of those sorted by an input of the graph, or of the sorted ones in the order before. */
export interface Order {
  type: 'order';
  is: 'given' | 'sorted' | 'restored';
  by?: string;
  /** Beside each number of a sequence, that of one of its steps. */
  step?: Rows;
  /** The step comes first. */
  stepFirst?: boolean;
  /** One number of both, as rows of all steps of all sequences are counted: the sum of each times its size. */
  flat?: { sequence: Size; step: Size };
}

/** Steps by steps: a number where the second is no later than the first, and one where it is. */
export interface Causal {
  type: 'causal';
  within: number;
  later: number;
  /** The last two axes are the steps: those that ask, and their keys. */
  shape: Size[];
  /** Where this mask of the keys is one, it is what it is for later steps: beside the axis that asks, those of `shape`. */
  hidden?: Rows;
}

export type Value = Causal | Rows | Constant | Zeros | Unknown | Index | Continues | Outer | Order;

/** The roles that the axes of a graph input turned out to have are not those assumed: the graph is to be read again. */
export class RolesChanged extends Error {}

export function isFeature(axis: readonly Factor[]): boolean {
  return axis.every(({ role }) => role === 'feature');
}

/** Size of an axis that has features only. */
export function featureSize(axis: readonly Factor[]): number {
  return axis.reduce((n, { role, size }) => (role === 'feature' ? n * size! : n), 1);
}

export function width(rows: Rows): number {
  return rows.axes.reduce((n, axis) => n * featureSize(axis), 1);
}

/** The one factor of an axis, if it has just one. */
export function role(axis: readonly Factor[]): 'batch' | 'time' | 'feature' | 'one' | 'mixed' {
  if (isFeature(axis)) return featureSize(axis) === 1 ? 'one' : 'feature';
  const others = axis.filter(({ role: r, size }) => r !== 'feature' || size !== 1);
  return others.length === 1 ? others[0]!.role : 'mixed';
}

export function factorSize({ role: r, size, steps = TIME }: Factor): Size {
  return r === 'feature' ? size! : r === 'batch' ? BATCH : steps;
}

/** @throws GruError `unsupported` for what no {@link Size} says. */
export function axisSize(axis: readonly Factor[]): Size {
  return axis.map(factorSize).reduce<Size>((n, size) => {
    const product = multiplySizes(n, size);
    if (product === undefined) throw new GruError('unsupported', `an axis has ${sizeText(n)} times ${sizeText(size)}`);
    return product;
  }, 1);
}

export function bakedFactor(factor: Factor, baked: Baked): number | undefined {
  return bakedSize(factorSize(factor), baked);
}

/** The axes in words, for messages and reports. */
export function axesText(axes: readonly (readonly Factor[])[]): string {
  const one = (axis: readonly Factor[]) =>
    axis
      .filter(({ role: r, size }) => r !== 'feature' || size !== 1)
      .map((factor) => (factor.role === 'batch' ? 'batch' : sizeText(factorSize(factor))))
      .join(' x ') || '1';
  return `[${axes.map(one).join(', ')}]`;
}

/** Whether two axes are of the same sequences, the same steps or as many features, whatever of size 1 is in them. As many steps as features are not. */
export function sameAxis(a: readonly Factor[], b: readonly Factor[]): boolean {
  if (isFeature(a) && isFeature(b)) return featureSize(a) === featureSize(b);
  const others = (axis: readonly Factor[]) => axis.filter(({ role: r, size }) => r !== 'feature' || size !== 1);
  const [x, y] = [others(a), others(b)];
  return axesText([x]) === axesText([y]) && x.every((factor, i) => factor.role === y[i]?.role);
}

export function feature(size: number): Factor {
  return { role: 'feature', size };
}

/** Columns `start` .. `start + length - 1`. */
export function takeColumns(columns: readonly Segment[], start: number, length: number): Segment[] {
  return columnTaker(columns)(start, length);
}

/** {@link takeColumns} for many parts of the same columns: the first segment of each is found by bisection. */
export function columnTaker(columns: readonly Segment[]): (start: number, length: number) => Segment[] {
  let end = 0;
  const ends = columns.map((segment) => (end += segment.length));
  return (start, length) => {
    let first = 0;
    for (let past = columns.length; first < past;) {
      const middle = (first + past) >> 1;
      if (ends[middle]! > start) past = middle;
      else first = middle + 1;
    }
    const taken: Segment[] = [];
    for (let i = first; i < columns.length; i++) {
      const segment = columns[i]!;
      const at = ends[i]! - segment.length;
      if (at >= start + length) break;
      const from = Math.max(start - at, 0);
      const to = Math.min(start + length - at, segment.length);
      if (from < to) taken.push({ ref: segment.ref, start: segment.start + from, length: to - from });
    }
    return taken;
  };
}

/** Parts side by side, neighbours of one value joined. */
export function joinColumns(parts: Iterable<readonly Segment[]>): Segment[] {
  const joined: Segment[] = [];
  for (const part of parts) {
    for (const segment of part) {
      const last = joined.at(-1);
      if (last?.ref === segment.ref && last.start + last.length === segment.start) last.length += segment.length;
      else joined.push({ ...segment });
      checkParts(joined.length);
    }
  }
  return joined;
}

/** Parts of a value that are a layer each: more is no plumbing around recurrent nodes. */
const MOST_SLICES = 4096;

/** @throws GruError `unsupported` for columns that are put together of more parts */
export function checkSlices(columns: readonly Segment[]): void {
  if (columns.length > MOST_SLICES) throw tooManyParts();
}

function tooManyParts(): GruError {
  return new GruError('unsupported', `the features are cut into more than ${MOST_SLICES} parts`);
}

/**
 * Chooses entries along each axis of features and puts the axes into a new order, so that columns follow.
 * `picks[axis]`: the entries kept along an axis of features, all if undefined. `order`: axes of the result.
 */
export function selectColumns(rows: Rows, picks: (number[] | undefined)[], order: number[], budget: Budget): Segment[] {
  const sizes = rows.axes.map(featureSize);
  const strides = sizes.map((_, axis) => sizes.slice(axis + 1).reduce((n, s) => n * s, 1));
  // a run of the last axes that stays as it is moves as one
  let whole = order.length;
  while (whole > 0 && order[whole - 1] === whole - 1 && picks[whole - 1] === undefined) whole--;
  const run = sizes.slice(whole).reduce((n, s) => n * s, 1);
  const outer = order.slice(0, whole).map((axis) => ({
    stride: strides[axis]!,
    entries: picks[axis] ?? Array.from({ length: checkParts(sizes[axis]!) }, (_, i) => i),
  }));
  const count = checkParts(outer.reduce((n, { entries }) => n * entries.length, 1));
  // what a part takes while it is taken and joined
  budget.spend(96 * count + 8 * rows.columns.length);
  const take = columnTaker(rows.columns);
  const parts: Segment[][] = [];
  for (let i = 0; i < count; i++) {
    let rest = i;
    let start = 0;
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const { stride, entries } = outer[axis]!;
      start += entries[rest % entries.length]! * stride;
      rest = Math.floor(rest / entries.length);
    }
    parts.push(take(start, run));
  }
  return joinColumns(parts);
}

/** @throws GruError `unsupported` for more entries than an axis is cut into, or put together of. */
export function checkParts(count: number): number {
  if (count > 1 << 16) throw tooManyParts();
  return count;
}

/** Axes as a binding tells the caller of them. */
export function boundAxes(axes: Rows['axes']): BoundTensor['axes'] {
  return axes.map((axis) => axis.map(({ role, size }) => (role === 'feature' ? size! : role)));
}
