import { GruError, type Name, nameText } from './errors.ts';
import { lengthOf } from './foreign.ts';
import { allocate } from './limits.ts';
import { describe, isArrayLike, type Numbers } from './tensor.ts';
import { isFloats } from './typed-array.ts';
import type { IntWeights } from './weights.ts';

/** What a spec's types are where a caller gives weights: any {@link Numbers}. */
export type WithNumbers<T> = T extends Float32Array
  ? Numbers
  : T extends IntWeights
    ? T
    : T extends object
      ? { [K in keyof T]: WithNumbers<T[K]> }
      : T;

/**
 * Numbers as float32, each read once: a Float32Array itself, else a copy in which each is rounded to nearest.
 *
 * @param first One that has been read already.
 * @throws GruError `dtype_mismatch` for what is no number, and for one beyond float32; `out_of_memory`.
 */
export function floatsOf(what: Name, data: unknown, first?: unknown): Float32Array {
  if (isFloats(data)) return data;
  if (!isArrayLike(data)) {
    throw new GruError(
      'dtype_mismatch',
      `${nameText(what)}: expected a Float32Array or other numbers, got ${describe(data)}`,
    );
  }
  const from: ArrayLike<unknown> = data;
  const length = lengthOf(from, what);
  // Before room is made for all of them.
  let value = length > 0 ? toNumber(what, first ?? from[0], 0) : 0;
  const floats = allocate(length, what, () => new Float32Array(length));
  for (let i = 0; i < length; i++) {
    if (i > 0) value = toNumber(what, from[i], i);
    floats[i] = value;
    if (Math.abs(floats[i]!) === Infinity && Math.abs(value) !== Infinity) {
      throw new GruError(
        'dtype_mismatch',
        `${nameText(what)}: ${value} at ${i} is beyond float32, whose largest is 3.4e38`,
      );
    }
  }
  return floats;
}

function toNumber(what: Name, given: unknown, i: number): number {
  if (typeof given === 'number') return given;
  if (typeof given === 'bigint') return Number(given);
  throw new GruError(
    'dtype_mismatch',
    `${nameText(what)}: expected a flat array of numbers, got ${describe(given)} at ${i}`,
  );
}
