import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { atEnd } from '../cleanup.ts';
import { CommandError, EXIT, named } from '../exit.ts';
import { Progress } from '../terminal.ts';
import { placeOf } from './place.ts';

/** Where output goes. Nothing of it is under its name before {@link commit}. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes from the start, once they are known. */
  patch(bytes: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  /** Leaves nothing behind. Does nothing after {@link commit}. */
  abort(): Promise<void>;
}

/** A file, written beside its place and renamed. */
export class FileSink implements Sink {
  /** As it was asked for: errors say it. */
  private readonly path: string;
  private readonly place: string;
  private readonly beside: string;
  private handle: FileHandle | undefined;
  /** Until it is in its place: it is taken away where the process ends. */
  private forget: (() => void) | undefined;

  private constructor(path: string, place: string, beside: string, handle: FileHandle, forget: () => void) {
    this.path = path;
    this.place = place;
    this.beside = beside;
    this.handle = handle;
    this.forget = forget;
  }

  static async open(path: string): Promise<FileSink> {
    const place = await placeOf(path);
    // Containers share a folder and have the same process ids.
    const beside = join(dirname(place), `.${basename(place)}.${randomBytes(6).toString('hex')}.part`);
    const forget = atEnd(() => {
      rmSync(beside, { force: true });
    });
    try {
      await mkdir(dirname(place), { recursive: true });
      return new FileSink(path, place, beside, await openLike(place, beside), forget);
    } catch (error) {
      forget();
      throw named(error, path);
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
      await rename(this.beside, this.place);
    });
    this.end();
  }

  async abort(): Promise<void> {
    if (!this.forget) return;
    await this.handle?.close().catch(() => undefined);
    await rm(this.beside, { force: true });
    this.end();
  }

  private end(): void {
    this.forget?.();
    this.forget = undefined;
  }

  private async named(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw named(error, this.path);
    }
  }
}

/** A new file, for nobody whom the one that it is to replace is not for: with the same owner, where that is allowed, and the same permissions. */
async function openLike(place: string, beside: string): Promise<FileHandle> {
  const old = await stat(place).catch(() => undefined);
  if (!old) return open(beside, 'wx');
  const handle = await open(beside, 'wx', old.mode & 0o700);
  await handle.chown(old.uid, old.gid).catch(() => undefined);
  // Afterwards: a change of the owner takes bits away.
  await handle.chmod(old.mode & 0o7777).catch(() => undefined);
  return handle;
}

/** What has no place to go back to: stdout, a device, a pipe. What is patched is held back until {@link commit}. */
class StreamSink implements Sink {
  private readonly held: Uint8Array[] | undefined;
  private readonly put: (bytes: Uint8Array) => Promise<void>;
  private readonly close: () => Promise<void>;

  constructor(patched: boolean, put: (bytes: Uint8Array) => Promise<void>, close = () => Promise.resolve()) {
    this.held = patched ? [] : undefined;
    this.put = put;
    this.close = close;
  }

  /** A device or a named pipe: what is under its name stays there. */
  static async open(path: string, patched: boolean): Promise<StreamSink> {
    const handle = await open(path, 'w');
    const put = (bytes: Uint8Array) =>
      handle.writeFile(bytes).catch((error: unknown) => {
        throw named(error, path);
      });
    return new StreamSink(patched, put, () => handle.close());
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.held) this.held.push(bytes.slice());
    else await this.put(bytes);
  }

  patch(bytes: Uint8Array): Promise<void> {
    this.held![0]!.set(bytes);
    return Promise.resolve();
  }

  async commit(): Promise<void> {
    for (const bytes of this.held ?? []) await this.put(bytes);
    await this.close();
  }

  abort(): Promise<void> {
    return this.close();
  }
}

/** What is written. */
export interface Content {
  /** Bytes that are no text. */
  binary: boolean;
  /** Whether bytes at its start are known at the end only. */
  patched?: boolean;
}

/** @throws CommandError for bytes that would be written to a terminal, which obeys some of them. */
export async function openSink(path: string, { binary, patched = false }: Content): Promise<Sink> {
  if (binary) refuseTerminal(path);
  if (path === '-') return new StreamSink(patched, toStdout);
  const found = await stat(path).catch(() => undefined);
  return found === undefined || found.isFile() ? FileSink.open(path) : StreamSink.open(path, patched);
}

function refuseTerminal(path: string): void {
  if (path === '-' ? !process.stdout.isTTY : !isTerminal(path)) return;
  const what = path === '-' ? 'stdout' : path;
  throw new CommandError(EXIT.usage, `${what} is a terminal, and this is no text: write to a file or a pipe`);
}

function isTerminal(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isCharacterDevice()) return false;
  const file = openSync(path, 'w');
  try {
    return isatty(file);
  } finally {
    closeSync(file);
  }
}

/** Resolves when more may be written: a slow reader slows the command down, and fills no memory. Errors end the command. */
export async function toStdout(bytes: Uint8Array): Promise<void> {
  if (process.stdout.isTTY) Progress.clear();
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

/** One file of these bytes, or of this text, or stdout for `-`. */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  const binary = typeof content !== 'string';
  await filled(await openSink(path, { binary }), (sink) => sink.write(binary ? content : Buffer.from(content)));
}
