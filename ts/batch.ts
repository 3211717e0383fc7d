import { GruError } from './errors.ts';
import { describe, isArrayLike, isTensorLike, shapeText } from './tensor.ts';

/**
 * Sequences of different lengths in one batch. The backend takes their steps without padding; this is how rows of a padded
 * array, (batch, steps) or time-major (steps, batch), map to those.
 */
export interface Ragged {
  /** Steps kept of each sequence. */
  lengths: Int32Array;
  /** For each row that the backend takes, sequence after sequence, its step in the padded array. */
  steps: Int32Array;
  /** What outputs are at the steps left out. */
  padding: Padding;
}

/**
 * `zero`; `hold`: the output of the last step kept before (zero at first); `none`: such steps have no row in the output, which
 * is then (rows, size), sequence after sequence.
 */
export type Padding = 'zero' | 'hold' | 'none';

/** The first `lengths[b]` steps of each sequence. */
export function fromLengths(lengths: ArrayLike<number>, padding: Padding): Ragged {
  const kept = Int32Array.from(lengths);
  const steps = new Int32Array(kept.reduce((sum, length) => sum + length, 0));
  let row = 0;
  for (const length of kept) for (let t = 0; t < length; t++) steps[row++] = t;
  return { lengths: kept, steps, padding };
}

/**
 * Reads the option `lengths` of a run over a padded array.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`.
 */
export function readLengths(lengths: unknown, batch: number, longest: number, padding: Padding): Ragged {
  if (!isArrayLike(lengths)) {
    throw new GruError('dtype_mismatch', `lengths: expected an array of numbers, got ${describe(lengths)}`);
  }
  if (lengths.length !== batch) {
    throw new GruError('shape_mismatch', `lengths: expected ${batch}, one a sequence, got ${lengths.length}`);
  }
  for (let b = 0; b < batch; b++) {
    const length = lengths[b]!;
    if (Number.isInteger(length) && length >= 0 && length <= longest) continue;
    const range = `a whole number from 0 to ${longest}, the steps of the array`;
    throw new GruError('invalid_argument', `lengths[${b}]: must be ${range}, got ${describe(length)}`);
  }
  return fromLengths(lengths, padding);
}

/**
 * Reads the option `mask` of a run over a padded array: a tensor shaped like the steps, 0 or false for a step to leave out.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`.
 */
export function readMask(mask: unknown, batch: number, steps: number, timeMajor: boolean, padding: Padding): Ragged {
  const data = isTensorLike(mask) ? mask.data : mask;
  if (!isArrayLike(data)) {
    throw new GruError('dtype_mismatch', `mask: expected a tensor or an array, got ${describe(mask)}`);
  }
  const expected = timeMajor ? [steps, batch] : [batch, steps];
  const shape = isTensorLike(mask) ? mask.shape : expected;
  const fits = shape.length === 2 && shape.every((d, i) => d === expected[i]) && data.length === batch * steps;
  if (!fits && !(batch === 1 && data.length === steps)) {
    const got = isTensorLike(mask) ? shapeText(mask.shape) : `${data.length} values`;
    throw new GruError('shape_mismatch', `mask: expected shape ${shapeText(expected)}, got ${got}`);
  }
  const lengths = new Int32Array(batch);
  const kept: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < steps; t++) {
      if (!data[timeMajor ? t * batch + b : b * steps + t]) continue;
      kept.push(t);
      lengths[b]!++;
    }
  }
  return { lengths, steps: Int32Array.from(kept), padding };
}

/** A row of a padded array. */
function rowAt(b: number, t: number, batch: number, steps: number, timeMajor: boolean): number {
  return timeMajor ? t * batch + b : b * steps + t;
}

/** Calls back for each run of rows that follow each other both in the padded array and in the backend's. */
function eachRun(
  ragged: Ragged,
  steps: number,
  timeMajor: boolean,
  visit: (padded: number, packed: number, rows: number) => void,
): void {
  const batch = ragged.lengths.length;
  let packed = 0;
  for (let b = 0; b < batch; b++) {
    const end = packed + ragged.lengths[b]!;
    while (packed < end) {
      const first = ragged.steps[packed]!;
      let rows = 1;
      while (!timeMajor && packed + rows < end && ragged.steps[packed + rows] === first + rows) rows++;
      visit(rowAt(b, first, batch, steps, timeMajor), packed, rows);
      packed += rows;
    }
  }
}

/** Copies the rows kept of a padded array, `size` values each, to where the backend takes them. */
export function packRows(
  ragged: Ragged,
  data: ArrayLike<number>,
  size: number,
  steps: number,
  timeMajor: boolean,
  into: Float32Array | Int32Array,
): void {
  const source = ArrayBuffer.isView(data) ? (data as Float32Array) : Float64Array.from(data);
  eachRun(ragged, steps, timeMajor, (padded, packed, rows) => {
    into.set(source.subarray(padded * size, (padded + rows) * size), packed * size);
  });
}

/** Copies the backend's rows to their places in a padded array of zeros. */
export function padRows(
  ragged: Ragged,
  rows: Float32Array,
  size: number,
  steps: number,
  timeMajor: boolean,
  into: Float32Array,
): void {
  eachRun(ragged, steps, timeMajor, (row, packed, count) => {
    into.set(rows.subarray(packed * size, (packed + count) * size), row * size);
  });
  if (ragged.padding === 'hold') hold(ragged, into, size, steps, timeMajor);
}

function hold(ragged: Ragged, padded: Float32Array, size: number, steps: number, timeMajor: boolean): void {
  const batch = ragged.lengths.length;
  let packed = 0;
  for (let b = 0; b < batch; b++) {
    const end = packed + ragged.lengths[b]!;
    for (let t = 0, last = -1; t < steps; t++) {
      if (packed < end && ragged.steps[packed] === t) {
        last = rowAt(b, t, batch, steps, timeMajor);
        packed++;
      } else if (last >= 0) {
        padded.copyWithin(rowAt(b, t, batch, steps, timeMajor) * size, last * size, (last + 1) * size);
      }
    }
  }
}
