import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Shard } from './format.ts';
import { dataError } from '../rows.ts';

const NEWLINE = 10;
const CHUNK = 2 ** 16;
/** Bytes of the longest line. */
const MAX_LINE = 2 ** 26;

export interface Line {
  /** Its first byte in the file. */
  at: number;
  text: string;
}

/** Byte ranges of about `size`, without a look at the file: {@link linesOf} finds where their lines begin. */
export async function byteRanges(path: string, size: number): Promise<Shard[]> {
  const { size: bytes } = await stat(path);
  const count = Math.ceil(bytes / size);
  return Array.from({ length: count }, (_, i) => ({ from: i * size, to: Math.min((i + 1) * size, bytes) }));
}

/** The lines whose first byte lies in a range, but empty ones. @throws CommandError for a line of over 64 MiB. */
export async function linesOf(path: string, { from, to }: Shard): Promise<Line[]> {
  const file = await open(path);
  try {
    // The byte before the range says whether a line begins with it.
    const start = Math.max(from - 1, 0);
    const bytes = await untilNewline(file, path, start, await readAt(file, start, to - start));
    const lines: Line[] = [];
    let at = from === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
    if (from > 0 && at === 0) return lines;
    while (at < to - start) {
      const found = bytes.indexOf(NEWLINE, at);
      const end = found < 0 ? bytes.length : found;
      const text = bytes.toString('utf8', at, end);
      if (text.trim() !== '') lines.push({ at: start + at, text });
      at = end + 1;
    }
    return lines;
  } finally {
    await file.close();
  }
}

async function untilNewline(file: FileHandle, path: string, start: number, bytes: Buffer): Promise<Buffer> {
  const parts = [bytes];
  let length = bytes.length;
  let last = bytes;
  const end = bytes.lastIndexOf(NEWLINE);
  while (last.length > 0 && last.at(-1) !== NEWLINE) {
    last = await readAt(file, start + length, CHUNK);
    const found = last.indexOf(NEWLINE);
    if (found >= 0) last = last.subarray(0, found + 1);
    parts.push(last);
    length += last.length;
    if (length - end > MAX_LINE) throw dataError(`${path}, byte ${start + end + 1}: a line of over ${MAX_LINE} bytes`);
  }
  return Buffer.concat(parts);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
