import { open } from 'node:fs/promises';

const NEWLINE = 10;

/**
 * The rows of an NDJSON file from a byte offset on, `size` at a time, with the offset of the byte behind each batch. Reads a
 * chunk when the last one has been used up.
 */
export async function* readBatches(path, start, size) {
  const file = await open(path);
  try {
    const chunk = Buffer.alloc(1 << 18);
    let position = start;
    let end = start;
    let rest = Buffer.alloc(0);
    let rows = [];
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
      position += bytesRead;
      let text = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      // The last row may have no newline.
      if (bytesRead === 0 && text.length > 0) text = Buffer.concat([text, Buffer.from('\n')]);
      let from = 0;
      for (let to = text.indexOf(NEWLINE); to >= 0; to = text.indexOf(NEWLINE, from)) {
        const line = text.toString('utf8', from, to);
        end = Math.min(end + to + 1 - from, position);
        from = to + 1;
        if (line.trim() !== '') rows.push(parse(line, end));
        if (rows.length < size) continue;
        yield { rows, end };
        rows = [];
      }
      rest = Buffer.from(text.subarray(from));
      if (bytesRead === 0) break;
    }
    if (rows.length > 0) yield { rows, end };
  } finally {
    await file.close();
  }
}

function parse(line, end) {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new Error(`the row that ends at byte ${end} is no JSON: ${cause.message}`, { cause });
  }
}
