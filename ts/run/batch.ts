import type { Values } from '../base/typed-array.ts';
import { GruError } from '../base/errors.ts';
import { checkFilled, lengthOf, readTensor } from '../base/foreign.ts';
import { checkSteps, ints } from '../base/limits.ts';
import { describe, isArrayLike, sameShape, shapeText } from '../base/tensor.ts';
import type { AxisRule } from '../layers/kind.ts';
import { stepsOf } from '../spec/derived-axes.ts';

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

/** The steps of a run on one axis. */
export interface AxisRun {
  /** Steps of the longest sequence, or of the padded array. */
  readonly steps: number;
  /** Set where steps are left out: which ones are kept. */
  readonly ragged: Ragged | undefined;
  /** Given as arrays of sequences: the data have no padding. */
  readonly packed: boolean;
}

/** The steps on an axis that a layer makes of another (undefined: of none). @throws GruError `out_of_memory`. */
export function deriveRun(rule: AxisRule, of: AxisRun | undefined, padding: Padding): AxisRun {
  const steps = checkSteps(stepsOf(rule, of?.steps ?? 0));
  const lengths = of?.ragged?.lengths.map((length) => stepsOf(rule, length));
  return { steps, ragged: lengths && fromLengths(lengths, padding), packed: of?.packed ?? false };
}

/** The first `lengths[b]` steps of each sequence. @throws GruError `out_of_memory`. */
export function fromLengths(lengths: Int32Array, padding: Padding): Ragged {
  const steps = ints(
    lengths.reduce((sum, length) => sum + length, 0),
    'the steps of all sequences',
  );
  let row = 0;
  for (const length of lengths) for (let t = 0; t < length; t++) steps[row++] = t;
  return { lengths, steps, padding };
}

/** An option of a run, or what its record holds for an axis, by what to call it. */
export type Given = readonly [what: string, value: unknown];

/**
 * Reads the option `lengths` of a run over a padded array.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`.
 */
export function readLengths([what, lengths]: Given, batch: number, longest: number, padding: Padding): Ragged {
  if (!isArrayLike(lengths)) {
    throw new GruError('dtype_mismatch', `${what}: expected an array of numbers, got ${describe(lengths)}`);
  }
  const count = lengthOf(lengths, what);
  if (count !== batch) {
    throw new GruError('shape_mismatch', `${what}: expected ${batch}, one a sequence, got ${count}`);
  }
  const kept = new Int32Array(batch);
  for (let b = 0; b < batch; b++) {
    const given: unknown = lengths[b];
    const length = typeof given === 'bigint' ? Number(given) : given;
    if (typeof length !== 'number' || !Number.isInteger(length) || length < 0 || length > longest) {
      const range = `a whole number from 0 to ${longest}, the steps of the array`;
      throw new GruError('invalid_argument', `${what}[${b}]: must be ${range}, got ${describe(given)}`);
    }
    kept[b] = length;
  }
  return fromLengths(kept, padding);
}

/**
 * Reads the option `mask` of a run over a padded array: a tensor shaped like the steps, 0 or false for a step to leave out.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`.
 */
export function readMask(
  [what, mask]: Given,
  batch: number,
  steps: number,
  timeMajor: boolean,
  padding: Padding,
): Ragged {
  const expected = timeMajor ? [steps, batch] : [batch, steps];
  const { data, shape = expected } = readTensor(what, mask);
  if (!isArrayLike(data)) {
    throw new GruError('dtype_mismatch', `${what}: expected a tensor or an array, got ${describe(mask)}`);
  }
  const count = lengthOf(data, what);
  checkFilled(what, shape, count);
  if (!sameShape(shape, expected) && !(batch === 1 && count === steps)) {
    throw new GruError('shape_mismatch', `${what}: expected shape ${shapeText(expected)}, got ${shapeText(shape)}`);
  }
  const lengths = new Int32Array(batch);
  const kept = ints(batch * steps, what);
  let rows = 0;
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < steps; t++) {
      const i = rowAt(b, t, batch, steps, timeMajor);
      const keep: unknown = data[i];
      if ((typeof keep !== 'number' || keep !== keep) && typeof keep !== 'boolean' && typeof keep !== 'bigint') {
        throw new GruError(
          'dtype_mismatch',
          `${what}: value ${i} must be a number or a boolean, got ${describe(keep)}`,
        );
      }
      if (!keep) continue;
      kept[rows++] = t;
      lengths[b]!++;
    }
  }
  return { lengths, steps: kept.slice(0, rows), padding };
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
  data: Float32Array | Int32Array,
  size: number,
  steps: number,
  timeMajor: boolean,
  into: Float32Array | Int32Array,
): void {
  eachRun(ragged, steps, timeMajor, (padded, packed, rows) => {
    into.set(data.subarray(padded * size, (padded + rows) * size), packed * size);
  });
}

/** Copies the backend's rows to their places in a padded array of zeros. */
export function padRows(
  ragged: Ragged,
  rows: Values,
  size: number,
  steps: number,
  timeMajor: boolean,
  into: Values,
): void {
  eachRun(ragged, steps, timeMajor, (row, packed, count) => {
    into.set(rows.subarray(packed * size, (packed + count) * size), row * size);
  });
  if (ragged.padding === 'hold') hold(ragged, into, size, steps, timeMajor);
}

function hold(ragged: Ragged, padded: Values, size: number, steps: number, timeMajor: boolean): void {
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
