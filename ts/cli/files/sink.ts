import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EXIT } from '../exit.ts';

/** Where output goes. Nothing of it is under its name before {@link commit}. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes from the start, once they are known. */
  patch(bytes: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  /** Leaves nothing behind. Does nothing after {@link commit}. */
  abort(): Promise<void>;
}

/** Files that are being written. */
const unfinished = new Set<string>();

/** Ends the process at Ctrl-C and `kill`, without half-written files. */
export function endOnSignals(): void {
  for (const [signal, exit] of [
    ['SIGINT', EXIT.interrupted],
    ['SIGTERM', EXIT.terminated],
  ] as const) {
    process.once(signal, () => {
      for (const path of unfinished) rmSync(path, { force: true });
      process.exit(exit);
    });
  }
}

/** A file, written beside its place and renamed. */
export class FileSink implements Sink {
  private readonly path: string;
  private readonly beside: string;
  private handle: FileHandle | undefined;

  private constructor(path: string, beside: string, handle: FileHandle) {
    this.path = path;
    this.beside = beside;
    this.handle = handle;
  }

  static async open(path: string): Promise<FileSink> {
    // Containers share a folder and have the same process ids.
    const beside = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
    unfinished.add(beside);
    try {
      return new FileSink(path, beside, await open(beside, 'wx'));
    } catch (error) {
      unfinished.delete(beside);
      if (error instanceof Error) (error as NodeJS.ErrnoException).path = path;
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.named(() => this.handle!.writeFile(bytes));
  }

  async patch(bytes: Uint8Array): Promise<void> {
    await this.named(() => this.handle!.write(bytes, 0, bytes.length, 0));
  }

  async commit(): Promise<void> {
    await this.named(async () => {
      await this.handle!.sync();
      await this.handle!.close();
      this.handle = undefined;
      await rename(this.beside, this.path);
    });
    unfinished.delete(this.beside);
  }

  async abort(): Promise<void> {
    if (!unfinished.has(this.beside)) return;
    await this.handle?.close().catch(() => undefined);
    await rm(this.beside, { force: true });
    unfinished.delete(this.beside);
  }

  /** Errors say the file that was asked for. */
  private async named(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Error) (error as NodeJS.ErrnoException).path = this.path;
      throw error;
    }
  }
}

/** Stdout; what is patched is held back until {@link commit}. */
export class StdoutSink implements Sink {
  private readonly held: Uint8Array[] | undefined;

  constructor(patched: boolean) {
    this.held = patched ? [] : undefined;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.held) this.held.push(bytes.slice());
    else await toStdout(bytes);
  }

  patch(bytes: Uint8Array): Promise<void> {
    this.held![0]!.set(bytes);
    return Promise.resolve();
  }

  async commit(): Promise<void> {
    for (const bytes of this.held ?? []) await toStdout(bytes);
  }

  abort(): Promise<void> {
    return Promise.resolve();
  }
}

/** Resolves when more may be written: a slow reader slows the command down, and fills no memory. */
async function toStdout(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}

/** Fills a sink and puts it in its place; after an error, or Ctrl-C, nothing is there. */
export async function filled<T>(sink: Sink, work: (sink: Sink) => Promise<T>): Promise<T> {
  try {
    const result = await work(sink);
    await sink.commit();
    return result;
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** One file of these bytes, or stdout for `-`. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const sink = path === '-' ? new StdoutSink(false) : await FileSink.open(path);
  await filled(sink, () => sink.write(bytes));
}
