import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * An output file with a checkpoint beside it: how far the input has been read when how much of the output was on the disk.
 * Output first, checkpoint second, so the checkpoint never says more than is there; what the output has beyond it, when a
 * program was killed in between, is cut off at the next start and made again.
 */
export class ResumableOutput {
  #file;
  #path;
  #written;

  constructor(file, path, { input, output, rows }) {
    this.#file = file;
    this.#path = path;
    this.#written = output;
    /** Byte of the input to go on from. */
    this.inputOffset = input;
    /** Rows written before. */
    this.rows = rows;
  }

  static async open(path, inputSize) {
    const checkpoint = await readCheckpoint(`${path}.checkpoint`, inputSize);
    const file = await open(path, checkpoint.output === 0 ? 'w' : 'r+');
    const { size } = await file.stat();
    if (size < checkpoint.output) {
      await file.close();
      throw new Error(`${path} is shorter than its checkpoint says: delete both to start anew`);
    }
    await file.truncate(checkpoint.output);
    return new ResumableOutput(file, path, { ...checkpoint });
  }

  /** Appends the results of rows; `inputEnd` is where these end in the input. */
  async append(text, rows, inputEnd) {
    const bytes = Buffer.from(text);
    await this.#file.writev([bytes], this.#written);
    this.#written += bytes.length;
    this.rows += rows;
    this.inputOffset = inputEnd;
  }

  /** Makes what was appended survive. */
  async checkpoint(inputSize) {
    await this.#file.datasync();
    const state = { input: this.inputOffset, inputSize, output: this.#written, rows: this.rows };
    const next = await open(`${this.#path}.checkpoint.next`, 'w');
    await next.writeFile(JSON.stringify(state));
    await next.sync();
    await next.close();
    // A file takes the other's place at once, or not at all.
    await rename(`${this.#path}.checkpoint.next`, `${this.#path}.checkpoint`);
    const folder = await open(dirname(this.#path));
    await folder.sync().catch(() => undefined);
    await folder.close();
  }

  async close() {
    await this.#file.close();
  }
}

async function readCheckpoint(path, inputSize) {
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return { input: 0, output: 0, rows: 0 };
    throw error;
  }
  const state = JSON.parse(text);
  if (state.inputSize !== inputSize) throw new Error(`${path} is of another input: delete it to start anew`);
  return state;
}
