import { isUtf8 } from 'node:buffer';
import type { InputFile } from '../files/files.ts';
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
export function byteRanges({ bytes }: InputFile, size: number): Promise<Shard[]> {
  const count = Math.ceil(bytes / size);
  return Promise.resolve(
    Array.from({ length: count }, (_, i) => ({ from: i * size, to: Math.min((i + 1) * size, bytes) })),
  );
}

/** What some programs write before a text in UTF-8. */
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** The lines whose first byte lies in a range, but empty ones. @throws CommandError for a line of over 64 MiB, or in no UTF-8. */
export async function linesOf(file: InputFile, { from, to }: Shard): Promise<Line[]> {
  // The byte before the range says whether a line begins with it.
  const start = Math.max(from - 1, 0);
  const bytes = await withLastLine(file, start, to);
  const lines: Line[] = [];
  const marked = from === 0 && bytes.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  let at = from === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
  if (from > 0 && at === 0) return lines;
  while (at < to - start) {
    const found = bytes.indexOf(NEWLINE, at);
    const end = found < 0 ? bytes.length : found;
    // Else ids that differ would become the same.
    if (!isUtf8(bytes.subarray(at, end))) throw dataError(`${file.path}, byte ${start + at}: a line that is no UTF-8`);
    const text = bytes.toString('utf8', Math.max(at, marked), end);
    if (text.trim() !== '') lines.push({ at: start + at, text });
    at = end + 1;
  }
  return lines;
}

/** A range, and what follows of the line that its last byte is in: in one read, where that line is not long. */
async function withLastLine(file: InputFile, start: number, to: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let [at, end] = [start, Math.min(to + Math.min(CHUNK, to - start), file.bytes)];
  for (;;) {
    const bytes = await file.read(at, end);
    parts.push(bytes);
    // Its end is not before the last byte of the range, in whichever part that is.
    if (bytes.includes(NEWLINE, Math.max(to - 1 - at, 0)) || end >= file.bytes) return Buffer.concat(parts);
    at = end;
    if (at - to > MAX_LINE) {
      throw dataError(`${file.path}, byte ${lastLineOf(parts, start)}: a line of over ${MAX_LINE} bytes`);
    }
    end = Math.min(at + Math.max(CHUNK, at - start), file.bytes);
  }
}

/** Where the last line of what has been read begins. */
function lastLineOf(parts: readonly Buffer[], start: number): number {
  return start + Buffer.concat(parts).lastIndexOf(NEWLINE) + 1;
}
