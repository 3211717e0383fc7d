import { expect } from 'vitest';
import { GruError } from '../../ts/base/errors.ts';

/** A damaged copy: bit flips, huge or zero numbers, cut, doubled and swapped stretches. */
export function mutate(bytes: Uint8Array, next: () => number): Uint8Array {
  let out = bytes.slice();
  const at = () => Math.floor(next() * out.length);
  for (let n = 1 + Math.floor(next() * 3); n > 0; n--) {
    switch (Math.floor(next() * 6)) {
      case 0:
        out[at()]! ^= 1 << Math.floor(next() * 8);
        break;
      case 1:
        out[at()] = Math.floor(next() * 256);
        break;
      case 2: {
        const size = [1, 2, 4, 8][Math.floor(next() * 4)]!;
        const start = at();
        out.fill([0, 0x7f, 0x80, 0xff][Math.floor(next() * 4)]!, start, start + size);
        break;
      }
      case 3:
        out = out.slice(0, Math.max(1, at()));
        break;
      case 4: {
        const start = at();
        const part = out.slice(start, start + 1 + Math.floor(next() * 32));
        out.set(part.subarray(0, out.length), Math.min(at(), out.length - part.length));
        break;
      }
      default: {
        const start = at();
        const cut = out.slice(start + 1 + Math.floor(next() * 16));
        out = Uint8Array.from([...out.slice(0, start), ...cut]);
        if (out.length === 0) out = bytes.slice(0, 1);
      }
    }
  }
  return out;
}

/** Runs `read` on damaged bytes: it may succeed, or throw a GruError, within ten seconds: most take
 * milliseconds, and the machine may be busy. */
export async function survives(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): Promise<void> {
  const took = stopwatch();
  try {
    await read(bytes);
  } catch (error) {
    if (!(error instanceof GruError) || error.code === 'internal') throw error;
  }
  expect(took()).toBeLessThan(10_000);
}

/** Milliseconds from now on: of the clock or of the processor, whichever are fewer, for others may use the machine. */
export function stopwatch(): () => number {
  const start = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return Math.min(performance.now() - start, (user + system) / 1000);
  };
}
