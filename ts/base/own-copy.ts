import { lengthOf } from './foreign.ts';
import { allocate } from './limits.ts';
import { isArrayLike, isRecord, isRevoked, isTensorLike } from './tensor.ts';
import { isGone, kindOf, sizeOf } from './typed-array.ts';

/** Arrays of arrays lie less deep. */
const DEEPEST = 8;

const WHAT = 'an array';

/**
 * A copy of a value of the caller's to its last array, each property read once; what is in it many times, or in itself, is copied once.
 * What is no record, tensor, array or typed array stays what it is, for checks to say what was expected instead.
 *
 * @throws GruError `out_of_memory`.
 */
export function ownCopy<T>(value: T): T {
  return copy(value, 0, new Map()) as T;
}

function copy(value: unknown, depth: number, copies: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null || isRevoked(value) || depth > DEEPEST) return value;
  if (copies.has(value)) return copies.get(value);
  const keep = <C>(made: C): C => {
    copies.set(value, made);
    return made;
  };
  const kind = kindOf(value);
  if (kind !== undefined) {
    const array = value as Float32Array;
    // Where the engine's own constructor of that kind is another by now, its error is the caller's.
    const type = globalThis[kind as 'Float32Array'];
    return keep(isGone(array) ? value : allocate(sizeOf(array), WHAT, () => new type(array)));
  }
  if (isArrayLike(value)) {
    const length = lengthOf(value, WHAT);
    // A hole where there should be a first item: nothing that is worth room for the rest.
    if (length > 0 && !(0 in value)) return value;
    const items = keep(allocate<unknown[]>(length, WHAT, () => []));
    for (let i = 0; i < length; i++) items.push(copy(value[i], depth + 1, copies));
    return items;
  }
  const record: Record<string, unknown> = {};
  const set = (key: string, field: unknown) =>
    // Not by assignment: a key may be __proto__.
    Object.defineProperty(record, key, {
      value: copy(field, depth + 1, copies),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  if (isTensorLike(value)) {
    keep(record);
    const { data, shape } = value;
    set('data', data);
    set('shape', shape);
    return record;
  }
  if (!isRecord(value)) return value;
  keep(record);
  for (const [key, field] of Object.entries(value)) set(key, field);
  return record;
}
