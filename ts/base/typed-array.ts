/**
 * Typed arrays by the language's own getters, which no property or subclass can shadow, and which give 0 for an array whose buffer
 * is gone.
 */
const prototype: object = Reflect.getPrototypeOf(Float32Array.prototype)!;
const getter = (key: keyof Float32Array) => {
  const own: { get?: (this: unknown) => unknown } = Object.getOwnPropertyDescriptor(prototype, key)!;
  return own.get!;
};
const tag = getter(Symbol.toStringTag);
const length = getter('length');
const buffer = getter('buffer');
const offset = getter('byteOffset');
const set = Reflect.get(prototype, 'set') as (this: Values, from: Values, at?: number) => void;

const none = new Float32Array(0);

/** Numbers of a result: features, or ids. */
export type Values = Float32Array | Int32Array;

/** What kind of typed array a value is; undefined for anything else, and for a Proxy of one. */
export function kindOf(value: unknown): string | undefined {
  return tag.call(value) as string | undefined;
}

export function isFloats(value: unknown): value is Float32Array {
  return tag.call(value) === 'Float32Array';
}

/** The typed array that holds values of a dtype. */
export const ARRAYS = { float32: 'Float32Array', int32: 'Int32Array' } as const;

/** Whether a value is the typed array of a dtype. */
export function holds(value: unknown, dtype: keyof typeof ARRAYS): value is Values {
  return tag.call(value) === ARRAYS[dtype];
}

/** Whether an array's buffer has been transferred, or has shrunk to less than the array. Both give a length of 0. */
export function isGone(array: ArrayBufferView): boolean {
  if (sizeOf(array) > 0) return false;
  try {
    // Setting nothing asks whether there is memory to set.
    set.call(array as Values, none);
    return false;
  } catch {
    return true;
  }
}

/** Values of a typed array at this moment. */
export function sizeOf(array: ArrayBufferView): number {
  return length.call(array) as number;
}

export function bufferOf(array: ArrayBufferView): ArrayBufferLike {
  return buffer.call(array) as ArrayBufferLike;
}

/** In bytes. */
export function offsetOf(array: ArrayBufferView): number {
  return offset.call(array) as number;
}

export function setFrom(target: Values, source: Values, at?: number): void {
  set.call(target, source, at);
}

/** Values that a loop copies sooner than {@link setFrom}, which is a call out of compiled code (12 ns). */
const FEW = 16;

/** Copies the first `count` values, of typed arrays that have as many. */
export function setFew(target: Values, source: Values, count: number): void {
  if (count > FEW) setFrom(target, source);
  else for (let i = 0; i < count; i++) target[i] = source[i]!;
}
