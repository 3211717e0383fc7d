import type { ReadBudget } from './budget.ts';
import { GruError } from '../base/errors.ts';
import { builtin } from '../base/host.ts';
import type { ReadProgress } from './progress.ts';
import { describe } from '../base/tensor.ts';
import { kindOf, sizeOf } from '../base/typed-array.ts';

/** Bytes of a file that one call reads. */
const PIECE = 2 ** 26;

/** Bytes that tell a model file from others: {@link ReadContext.checkStart}. */
const START = 4096;

/** Chunks of a stream in one turn of the event loop: those that come at once let nothing else run, no signal either. */
const CHUNKS = 1024;

/** What all reads of one load have in common. */
export interface ReadContext {
  budget: ReadBudget;
  signal?: AbortSignal | undefined;
  progress?: ReadProgress | undefined;
  /** Throws where bytes are no model file's start; asked of the first 4096 before more is read. */
  checkStart?: ((bytes: Uint8Array) => void) | undefined;
}

/**
 * Reads a stream to its end, or to that of the budget: what a body says of its length is not believed. Blocks would take more
 * memory than bytes where they are small, so one array grows.
 *
 * @param size How long it probably is.
 */
export async function readStream(
  stream: ReadableStream<Uint8Array>,
  what: string,
  { budget, signal, progress, checkStart }: ReadContext,
  size: number,
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
    for (let chunk = 1; ; chunk++) {
      const { done, value } = await reader.read();
      if (chunk % CHUNKS === 0) await new Promise((turned) => setTimeout(turned));
      signal?.throwIfAborted();
      if (done) break;
      if (kindOf(value) !== 'Uint8Array') {
        throw new GruError('invalid_argument', `the stream of ${what} gives ${describe(value)}, not Uint8Arrays`);
      }
      const end = length + sizeOf(value);
      budget.check(end, what);
      if (end > bytes.length) {
        const larger = new Uint8Array(Math.max(end, 2 * bytes.length, 2 ** 16));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      if (length < START && end >= START) checkStart?.(bytes.subarray(0, START));
      progress?.add(end - length);
      length = end;
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

/** @throws Error for what is no file. */
function checkKind(found: { isFile(): boolean; isDirectory(): boolean }): void {
  if (found.isDirectory()) throw new Error('it is a folder; of a model of TensorFlow.js, name its model.json');
  if (!found.isFile()) throw new Error('it is no regular file');
}

/** Reads as many bytes of a regular file as it had when it was opened. */
export async function readFile(
  file: string | URL,
  what: string,
  { budget, signal, progress, checkStart }: ReadContext,
): Promise<Uint8Array> {
  const { open, stat } = builtin('node:fs')!.promises;
  // Before it is opened: devices and pipes may never end, and a pipe is not even opened before it has a writer.
  checkKind(await stat(file));
  const handle = await open(file);
  try {
    const found = await handle.stat();
    checkKind(found);
    budget.spend(found.size, what);
    progress?.begin(found.size);
    const bytes = new Uint8Array(found.size);
    for (let at = 0; at < bytes.length;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, at < START ? START : PIECE), at);
      if (bytesRead === 0) throw new Error('it became shorter while it was read');
      if (at < START && at + bytesRead >= START) checkStart?.(bytes.subarray(0, START));
      progress?.add(bytesRead);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
