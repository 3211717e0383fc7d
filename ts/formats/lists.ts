import { isArrayLike } from '../base/tensor.ts';

/** An array of the caller's. One with a hole where its first item should be is none: it would hold nothing, however long it is. */
export function isList(value: unknown): value is unknown[] {
  return isArrayLike(value) && Array.isArray(value) && (value.length === 0 || 0 in value);
}

export function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is T[] {
  return isList(value) && value.every(is);
}

export function isStrings(value: unknown): value is string[] {
  return isListOf(value, (item) => typeof item === 'string');
}
