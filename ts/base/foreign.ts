/**
 * What the caller hands in. A getter, a Proxy or a subclass runs the caller's code when it is read, and that code may call the
 * library again: so all is read once, into what is ours, before a state is touched.
 */

import { GruError, type Name, nameText } from './errors.ts';
import { checkBatch } from './limits.ts';
import { describe, isArrayLike, isTensorLike, product, shapeText } from './tensor.ts';
import { bufferOf, isFloats, isGone, kindOf, offsetOf, setFrom, sizeOf, type Values } from './typed-array.ts';

/** A view of some of an array's values that has nothing of the caller's but the memory. @throws RangeError where it is gone. */
export function partOf<T extends Values>(array: T, from: number, to: number): T {
  const type = isFloats(array) ? Float32Array : Int32Array;
  return new type(bufferOf(array) as ArrayBuffer, offsetOf(array) + 4 * from, to - from) as T;
}

/** A view of all of them. @throws RangeError where it is gone. */
export function viewOf(array: Float32Array): Float32Array {
  return partOf(array, 0, sizeOf(array));
}

/** Copies `length` values. @throws GruError `shape_mismatch` where the array has been shrunk or transferred meanwhile. */
export function copyInto(target: Values, at: number, source: Values, length: number, what: Name): void {
  if (sizeOf(source) !== length) throw moved(what);
  if (length > 0) setFrom(target, source, at);
}

export function moved(what: Name): GruError {
  return new GruError('shape_mismatch', `${nameText(what)}: its buffer has been transferred or resized`);
}

/** Fills an array, from `at` on. (One of length 0 over a wasm memory that has grown is detached, and would throw.) */
export function fill(target: Values, source: Values, at?: number): void {
  if (sizeOf(source) > 0) setFrom(target, source, at);
}

/** Arrays that are compared with each other one by one, for which nothing is allocated. */
const FEW = 32;

/** @throws GruError for two of these arrays that have memory in common: to be filled, one would overwrite the other. */
export function checkApart(arrays: readonly (Values | undefined)[], nameOf: (index: number) => string): void {
  const pair = overlapping(arrays);
  if (!pair) return;
  const names = pair.map(nameOf).join(' and ');
  throw new GruError('invalid_argument', `the arrays of ${names} overlap; give each one of its own`);
}

/** Of many, neighbours in each buffer are compared. */
function overlapping(arrays: readonly (Values | undefined)[]): [number, number] | undefined {
  if (arrays.length > FEW) return overlappingOfMany(arrays);
  for (let i = 1; i < arrays.length; i++) for (let k = 0; k < i; k++) if (overlap(arrays[k], arrays[i])) return [k, i];
  return undefined;
}

function overlappingOfMany(arrays: readonly (Values | undefined)[]): [number, number] | undefined {
  const startOf = (i: number) => offsetOf(arrays[i]!);
  const order = [...arrays.keys()].filter((i) => arrays[i] && sizeOf(arrays[i]) > 0);
  const last = new Map<ArrayBufferLike, number>();
  for (const i of order.sort((i, k) => startOf(i) - startOf(k))) {
    const k = last.get(bufferOf(arrays[i]!));
    if (k !== undefined && overlap(arrays[k], arrays[i])) return [k, i];
    last.set(bufferOf(arrays[i]!), i);
  }
  return undefined;
}

/** Whether two arrays have memory in common. (`Math.max` of two starts, `Math.min` of two ends.) */
function overlap(a: Values | undefined, b: Values | undefined): boolean {
  if (!a || !b || bufferOf(a) !== bufferOf(b)) return false;
  const [first, second] = [offsetOf(a), offsetOf(b)];
  return Math.max(first, second) < Math.min(first + 4 * sizeOf(a), second + 4 * sizeOf(b));
}

/**
 * The length of a typed array or an array, asked once.
 *
 * @throws GruError `dtype_mismatch` for a typed array whose buffer is gone, `shape_mismatch` for a Proxy's length that is none.
 */
export function lengthOf(array: ArrayLike<unknown>, what: Name): number {
  if (ArrayBuffer.isView(array)) {
    if (isGone(array)) {
      throw new GruError('dtype_mismatch', `${nameText(what)}: its buffer has been transferred or has shrunk`);
    }
    return sizeOf(array);
  }
  const { length } = array;
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw new GruError('shape_mismatch', `${nameText(what)}: the length of its array is no whole number`);
}

/**
 * A tensor, or an array on its own, each property read once and the shape copied.
 *
 * @throws GruError `shape_mismatch` for a shape that is none, or that the data do not fill.
 */
export function readTensor(what: string, value: unknown): { data: unknown; shape: number[] | undefined } {
  if (!isTensorLike(value)) return { data: value, shape: undefined };
  const { data, shape } = value as { data: unknown; shape: unknown };
  return { data, shape: readShape(what, shape) };
}

function readShape(what: string, shape: unknown): number[] {
  const fail = (got: string) =>
    new GruError('shape_mismatch', `${what}: shape must be an array of whole numbers, got ${got}`);
  if (kindOf(shape) !== undefined || !isArrayLike(shape)) throw fail(describe(shape));
  const length = lengthOf(shape, what);
  if (length > 8) throw fail(`one of ${length} dimensions`);
  const copy: unknown[] = [];
  for (let i = 0; i < length; i++) copy.push(shape[i]);
  const isSize = (d: unknown): d is number => Number.isSafeInteger(d) && (d as number) >= 0;
  if (copy.every(isSize)) return copy;
  throw fail(`[${copy.map((d) => (typeof d === 'number' ? String(d) : describe(d))).join(', ')}]`);
}

/** @throws GruError `shape_mismatch` where data do not fill their shape. */
export function checkFilled(what: string, shape: readonly number[], length: number): void {
  const expected = product(shape);
  if (length === expected) return;
  const text = shapeText(shape);
  throw new GruError('shape_mismatch', `${what}: shape ${text} takes a flat array of ${expected}, data has ${length}`);
}

/** @throws GruError `invalid_argument` for no whole number from 1, `out_of_memory` above {@link MAX_BATCH}. */
export function checkCount(what: string, count: unknown): void {
  if (!Number.isInteger(count) || (count as number) < 1) {
    throw new GruError('invalid_argument', `${what} must be a whole number from 1, got ${describe(count)}`);
  }
  checkBatch(what, count as number);
}
