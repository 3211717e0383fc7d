import { isFloats } from './typed-array.ts';

const MIN_NORMAL = 2 ** -126;

/**
 * 0 where |x| is below the smallest normal number: neither wasm nor JavaScript has a mode that flushes denormals, and products of them took
 * up to 240 times as long (an Intel Xeon).
 */
export function flush(x: number): number {
  return x < MIN_NORMAL && x > -MIN_NORMAL ? 0 : x;
}

/** `values` without denormals, zeros keeping their signs; themselves where they hold none, or are integers. */
export function flushed<T extends object>(values: T): T {
  const holds = isFloats(values) && values.some((x) => x && flush(x) !== x);
  return holds ? (values.map((x) => x && flush(x)) as T) : values;
}
