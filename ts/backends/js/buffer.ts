import { GruError } from '../../base/errors.ts';

/** `length` floats, in the memory of `old` where that is large enough. */
export function floats(length: number, old?: Float32Array): Float32Array {
  return old && old.buffer.byteLength >= 4 * length
    ? new Float32Array(old.buffer, 0, length)
    : new Float32Array(length);
}

/** Runs `allocate`. @throws GruError `out_of_memory` where the engine refuses a buffer. */
export function allocating<T>(what: string, allocate: () => T): T {
  try {
    return allocate();
  } catch (cause) {
    if (cause instanceof RangeError) throw new GruError('out_of_memory', `${what} does not fit into memory`, { cause });
    throw cause;
  }
}
