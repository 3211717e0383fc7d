import type { ReadBudget } from './budget.ts';
import { builtin } from '../base/host.ts';

/** Bytes of a file that one call reads. */
const PIECE = 2 ** 26;

/**
 * Reads a stream to its end, or to that of the budget: what a body says of its length is not believed. Blocks would take more
 * memory than bytes where they are small, so one array grows.
 *
 * @param size How long it probably is.
 */
export async function readStream(
  stream: ReadableStream<Uint8Array>,
  what: string,
  budget: ReadBudget,
  size: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const reader = stream.getReader();
  const cancel = (reason: unknown) => void reader.cancel(reason).catch(() => undefined);
  const abort = () => {
    cancel(signal!.reason);
  };
  signal?.addEventListener('abort', abort);
  let bytes = new Uint8Array(size);
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      budget.check(length + value.length, what);
      if (length + value.length > bytes.length) {
        const larger = new Uint8Array(Math.max(length + value.length, 2 * bytes.length, 2 ** 16));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    cancel(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
  budget.spend(length, what);
  return length === bytes.length ? bytes : bytes.slice(0, length);
}

/** Reads as many bytes of a regular file as it had when it was opened. */
export async function readFile(
  file: string | URL,
  what: string,
  budget: ReadBudget,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { open, stat } = builtin('node:fs')!.promises;
  // Before it is opened: devices and pipes may never end, and a pipe is not even opened before it has a writer.
  if (!(await stat(file)).isFile()) throw new Error('it is no regular file');
  const handle = await open(file);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('it is no regular file');
    budget.spend(found.size, what);
    const bytes = new Uint8Array(found.size);
    for (let at = 0; at < bytes.length;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, PIECE), at);
      if (bytesRead === 0) throw new Error('it became shorter while it was read');
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
