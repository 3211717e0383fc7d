import { GruError } from '../../base/errors.ts';

/** Rows that one pass of a matmul takes, so that a block of sums stays in L2. */
export const ROW_BLOCK = 192;

/** How the rows of the sequences of a run lie in the buffers of a state. */
export interface Layout {
  /** How many sequences take part. */
  readonly batch: number;
  /** Which ones of the state. */
  readonly sequences: Int32Array;
  /** Steps of each sequence. */
  readonly lengths: Int32Array;
  readonly timeMajor: boolean;
  /** Row of each sequence's first step. */
  readonly starts: Int32Array;
  /** Distance between the rows of a sequence. */
  readonly stride: number;
  readonly rows: number;
  /** Steps of the longest sequence. */
  readonly steps: number;
  /** 0, 1, 2, ..., for kernels that take all rows; as long as a block or the batch. */
  readonly iota: Int32Array;
}

/**
 * Sequence after sequence, or step after step (`timeMajor`).
 *
 * @throws GruError `shape_mismatch` or `invalid_argument` for lengths that cannot be, `out_of_memory` for too many rows.
 */
export function makeLayout(
  batch: number,
  lengths: ArrayLike<number>,
  timeMajor: boolean,
  sequences: ArrayLike<number> = allRows(batch),
): Layout {
  if (lengths.length !== batch) {
    throw new GruError('shape_mismatch', `expected ${batch} lengths, one a sequence, got ${lengths.length}`);
  }
  let rows = 0;
  let steps = 0;
  for (let b = 0; b < batch; b++) {
    const length = lengths[b]!;
    if (!Number.isInteger(length) || length < 0) {
      throw new GruError('invalid_argument', `length of sequence ${b} must be a whole number from 0, got ${length}`);
    }
    if (timeMajor && length !== lengths[0]) {
      throw new GruError('shape_mismatch', `timeMajor needs equal lengths, got ${lengths[0]!} and ${length}`);
    }
    rows += length;
    steps = Math.max(steps, length);
  }
  if (rows >= 2 ** 31) throw new GruError('out_of_memory', `${rows} steps in all: at most 2^31 - 1 fit`);
  const starts = new Int32Array(batch);
  for (let b = 1; b < batch; b++) starts[b] = timeMajor ? b : starts[b - 1]! + lengths[b - 1]!;
  const iota = allRows(Math.max(batch, ROW_BLOCK));
  const stride = timeMajor ? batch : 1;
  return {
    batch,
    sequences: Int32Array.from(sequences),
    lengths: Int32Array.from(lengths),
    timeMajor,
    starts,
    stride,
    rows,
    steps,
    iota,
  };
}

/** 0, 1, 2, ... */
function allRows(count: number): Int32Array {
  return new Int32Array(count).map((_, i) => i);
}

/** The order in which a layer takes the steps of a sequence. */
export type Order = 'forward' | 'reverse' | 'reverseProcessed';

/** For each step in order of processing, the sequences that have one and the rows they read and write. */
export interface Plan {
  /** Entries of step s: `offsets[s] .. offsets[s + 1] - 1`. */
  readonly offsets: Int32Array;
  /** Sequence of each entry, as the state counts them. */
  readonly batch: Int32Array;
  /** Row read. */
  readonly input: Int32Array;
  /** Row written. */
  readonly output: Int32Array;
}

/** A plan without entries, with room for all steps. */
export function emptyPlan({ steps, rows }: Layout): Plan {
  return {
    offsets: new Int32Array(steps + 1),
    batch: new Int32Array(rows),
    input: new Int32Array(rows),
    output: new Int32Array(rows),
  };
}

/**
 * Fills in the entries of all steps, or those whose input row is not masked (0). `reverse` leaves outputs with their
 * inputs, `reverseProcessed` in the order of processing.
 */
export function fillPlan(plan: Plan, layout: Layout, order: Order, mask?: Float32Array): void {
  const { batch, sequences, lengths, starts, stride, steps } = layout;
  let entry = 0;
  for (let step = 0; step < steps; step++) {
    plan.offsets[step] = entry;
    for (let b = 0; b < batch; b++) {
      const length = lengths[b]!;
      if (step >= length) continue;
      const row = starts[b]! + step * stride;
      const read = order === 'forward' ? row : starts[b]! + (length - 1 - step) * stride;
      if (mask?.[read] === 0) continue;
      plan.batch[entry] = sequences[b]!;
      plan.input[entry] = read;
      plan.output[entry] = order === 'reverseProcessed' ? row : read;
      entry++;
    }
  }
  plan.offsets[steps] = entry;
}
