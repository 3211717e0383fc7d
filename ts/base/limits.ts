import { GruError, type Name, nameText } from './errors.ts';

/** Most sequences in a batch or a group of streams: as many take about a second to lay out. */
export const MAX_BATCH = 2 ** 20;

/** Most values of an array, and steps of a sequence: 4 GB of float32, which is what a wasm memory holds. */
const MAX_VALUES = 2 ** 30;

/** Room for whole numbers. @throws GruError `out_of_memory`. */
export function ints(length: number, what: Name): Int32Array {
  return allocate(length, what, () => new Int32Array(length));
}

/**
 * Makes room for `length` values, which `what` needs.
 *
 * @throws GruError `out_of_memory` for more values than {@link MAX_VALUES}, or than the engine grants.
 */
export function allocate<T>(length: number, what: Name, make: () => T): T {
  const refused = (cause?: unknown) => {
    return new GruError('out_of_memory', `${nameText(what)}: ${length} values do not fit into memory`, { cause });
  };
  if (length > MAX_VALUES) throw refused();
  try {
    return make();
  } catch (error) {
    throw error instanceof RangeError ? refused(error) : error;
  }
}

/** @throws GruError `out_of_memory`. */
export function checkBatch(what: string, batch: number): void {
  if (batch <= MAX_BATCH) return;
  throw new GruError('out_of_memory', `${what}: ${batch} sequences are more than ${MAX_BATCH}; make several calls`);
}

/** Steps of a sequence. @throws GruError `out_of_memory`. */
export function checkSteps(steps: number): number {
  if (steps <= MAX_VALUES) return steps;
  throw new GruError('out_of_memory', `${steps} steps in one run are more than ${MAX_VALUES}`);
}
