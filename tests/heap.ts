import { setImmediate } from 'node:timers/promises';
import v8 from 'node:v8';

const collect = () => (globalThis as { gc?: () => void }).gc?.();

export interface Growth {
  /** Bytes of the heap of objects. */
  heap: number;
  /** Bytes of array buffers. */
  arrays: number;
}

const used = ({ heapUsed, arrayBuffers } = process.memoryUsage()): Growth => ({ heap: heapUsed, arrays: arrayBuffers });

const MAX_ROUNDS = 40;

/**
 * Bytes that `f`, called `count` times, leaves behind when nothing is collected in between: the least of as many rounds as it takes to see less than `most`. What
 * `f` allocates is there in each. Numbers are objects too until `f` is compiled, which is done on this thread here, after so many calls: on another it takes as
 * long as a busy machine likes. A round that ends with less than it began with is none: the engine has collected.
 */
export function growth(count: number, most: number, f: (i: number) => void): Growth {
  v8.setFlagsFromString('--no-concurrent-recompilation');
  const least = { heap: Infinity, arrays: Infinity };
  for (let round = 0; round < MAX_ROUNDS && least.heap >= most; round++) {
    collect();
    const before = used();
    for (let i = 0; i < count; i++) f(i);
    const after = used();
    if (after.heap < before.heap) continue;
    least.heap = Math.min(least.heap, after.heap - before.heap);
    least.arrays = Math.min(least.arrays, after.arrays - before.arrays);
  }
  return least;
}

/** Collects until it is so: finalizers come in a turn of their own after what they tell of, and what they free may hold more. */
export async function collected(done: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !done(); i++) {
    collect();
    await setImmediate();
  }
}

/** What is in use when weak references and finalizers hold nothing that a turn of theirs would free. */
export async function inUse(): Promise<Growth> {
  for (let turn = 0; turn < 3; turn++) {
    await setImmediate();
    collect();
  }
  return used();
}
