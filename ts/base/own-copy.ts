import { lengthOf } from './foreign.ts';
import { allocate } from './limits.ts';
import { isArrayLike, isRecord, isRevoked, isTensorLike } from './tensor.ts';
import { isGone, kindOf, sizeOf } from './typed-array.ts';

/** Arrays of arrays lie less deep. */
const DEEPEST = 8;

const WHAT = 'an array';

/**
 * A copy of a value of the caller's to its last array, each property read once. What is no record, tensor, array or typed array stays
 * what it is, for checks to say what was expected instead, and so does what lies in itself.
 *
 * @throws GruError `out_of_memory`.
 */
export function ownCopy<T>(value: T): T {
  return copy(value, 0, new Map()) as T;
}

/** What has been made of values already, and of those that are on their way, whose copies would never end, themselves. */
export type Copies = Map<unknown, unknown>;

/** What is made of a value, once. */
export function once(copies: Copies, value: unknown, make: () => unknown): unknown {
  if (!copies.has(value)) {
    copies.set(value, value);
    copies.set(value, make());
  }
  return copies.get(value);
}

function copy(value: unknown, depth: number, copies: Copies): unknown {
  if (typeof value !== 'object' || value === null || isRevoked(value) || depth > DEEPEST) return value;
  return once(copies, value, () => made(value, depth + 1, copies));
}

function made(value: object, depth: number, copies: Copies): unknown {
  const kind = kindOf(value);
  if (kind !== undefined) {
    const array = value as Float32Array;
    // Where the engine's own constructor of that kind is another by now, its error is the caller's.
    const type = globalThis[kind as 'Float32Array'];
    return isGone(array) ? value : allocate(sizeOf(array), WHAT, () => new type(array));
  }
  if (isArrayLike(value)) {
    const length = lengthOf(value, WHAT);
    const listed = () => {
      const items: unknown[] = [];
      for (let i = 0; i < length; i++) {
        // A hole: nothing that is worth room for the rest.
        if (!(i in value)) return value;
        items.push(copy(value[i], depth, copies));
      }
      return items;
    };
    return 0 in value ? allocate(length, WHAT, listed) : listed();
  }
  const entries = isTensorLike(value)
    ? (['data', 'shape'] as const).map((key) => [key, value[key]] as const)
    : isRecord(value) && Object.entries(value);
  return entries ? Object.fromEntries(entries.map(([key, field]) => [key, copy(field, depth, copies)])) : value;
}
