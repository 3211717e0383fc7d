import { createReadStream, fstatSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { CommandError, EXIT, named } from '../exit.ts';
import { Progress } from '../terminal.ts';

const CHUNK = 2 ** 20;

/** A file as a whole. @throws Error with its name, which Node's of a folder has not. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw named(error, path);
  }
}

/** The bytes of stdin, as they come. @throws CommandError for a folder, of which Node reads nothing and says nothing. */
export function stdin(): AsyncIterable<Uint8Array> {
  if (fstatSync(process.stdin.fd).isDirectory()) throw new CommandError(EXIT.file, 'stdin: is a folder');
  return process.stdin as AsyncIterable<Uint8Array>;
}

/** The bytes of a file, or of stdin for `-`, as they come: a file of gigabytes takes a megabyte. */
export class ByteSource {
  readonly name: string;
  private readonly chunks: AsyncIterator<Uint8Array>;
  private readonly progress: Progress;
  private head: Uint8Array = new Uint8Array(0);
  private done = 0;

  private constructor(name: string, chunks: AsyncIterable<Uint8Array>, size: number) {
    this.name = name;
    this.chunks = chunks[Symbol.asyncIterator]();
    this.progress = new Progress(size);
  }

  static async open(path: string): Promise<ByteSource> {
    if (path === '-') return new ByteSource('stdin', stdin(), 0);
    const { size } = await stat(path);
    return new ByteSource(path, createReadStream(path, { highWaterMark: CHUNK }), size);
  }

  /** The first `count` bytes of those that are left, or fewer at the end; they stay. */
  async peek(count: number): Promise<Uint8Array> {
    const parts = [this.head];
    for (let length = this.head.length; length < count; length += parts.at(-1)!.length) {
      const next = await this.pull();
      if (!next) break;
      parts.push(next);
    }
    if (parts.length > 1) this.head = Buffer.concat(parts);
    return this.head.subarray(0, count);
  }

  private async pull(): Promise<Uint8Array | undefined> {
    try {
      const { value } = (await this.chunks.next()) as { value?: Uint8Array };
      return value;
    } catch (error) {
      throw named(error, this.name);
    }
  }

  /** Passes over bytes that have been looked at. */
  skip(count: number): void {
    this.head = this.head.subarray(count);
    this.done += count;
  }

  /** Closes what is not read to its end. */
  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  /** The next bytes, as many as there are at once; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const bytes = this.head.length > 0 ? this.head : await this.pull();
    this.head = new Uint8Array(0);
    this.done += bytes?.length ?? 0;
    this.progress.update(this.done);
    if (!bytes) this.progress.end();
    return bytes;
  }
}
