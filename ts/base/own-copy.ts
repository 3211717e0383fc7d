import { lengthOf } from './foreign.ts';
import { allocate } from './limits.ts';
import { isArrayLike, isRecord, isRevoked } from './tensor.ts';
import { isGone, kindOf, sizeOf } from './typed-array.ts';

/** Arrays of arrays lie less deep. */
const DEEPEST = 8;

const WHAT = 'an array';

/**
 * A copy of a value of the caller's to its last array, each property read once. What is no record, array or typed array stays what it
 * is, for checks to say what was expected instead.
 *
 * @throws GruError `out_of_memory`.
 */
export function ownCopy<T>(value: T): T {
  return copy(value, 0) as T;
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || isRevoked(value) || depth > DEEPEST) return value;
  const kind = kindOf(value);
  if (kind !== undefined) {
    const array = value as Float32Array;
    // Where the engine's own constructor of that kind is another by now, its error is the caller's.
    const type = globalThis[kind as 'Float32Array'];
    return isGone(array) ? value : allocate(sizeOf(array), WHAT, () => new type(array));
  }
  if (isArrayLike(value)) {
    const length = lengthOf(value, WHAT);
    return allocate(length, WHAT, () => Array.from({ length }, (_, i) => copy(value[i], depth + 1)));
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, copy(field, depth + 1)]));
}
