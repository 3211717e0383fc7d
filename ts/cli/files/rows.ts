import { product, shapeText } from '../../base/tensor.ts';
import { CommandError, EXIT, ofData } from '../exit.ts';
import type { ByteSource } from './bytes.ts';
import { type DataFormat, isText } from './format.ts';
import { findPacked } from './find-packed.ts';
import { type Packed, packedFloats } from './packed.ts';
import { textRows } from './text.ts';

/** A file of one sequence, row by row. */
export interface RowSource {
  /** Blocks of whole rows, in memory that does not grow with the file. */
  blocks: AsyncIterable<Float32Array>;
  sound?: Packed['sound'] | undefined;
}

/**
 * Opens a file as one sequence of rows of `size` values; undefined: it holds more than that, or is to be read as a whole. Raw numbers and
 * sound have no rows: each `size` of them are one.
 *
 * @param ids Each value is an id below this number.
 * @throws CommandError, GruError for a file that is not of this format.
 */
export async function openRows(
  source: ByteSource,
  format: DataFormat,
  size: number,
  ids?: number,
): Promise<RowSource | undefined> {
  if (isText(format)) {
    const form = { json: format === 'ndjson', separator: format === 'tsv' ? ('\t' as const) : undefined };
    return { blocks: textRows(source, size, { ...form, vocabularySize: ids }) };
  }
  const packed = await ofData(source.name, () => findPacked(source, format, ids));
  if (!packed) return undefined;
  const { shape, sound } = packed;
  if (shape && size > 1 && shape.length > 1 && shape.at(-1) !== size) {
    const text = `holds ${shapeText(shape)}, and the model takes ${size} values a step`;
    throw new CommandError(EXIT.data, `${source.name} ${text}`);
  }
  if (shape && !isOneSequence(shape, size)) return undefined;
  if (sound && size % sound.channels !== 0) {
    const text = `${sound.channels} channels, and the model takes ${size} values a step`;
    throw new CommandError(EXIT.data, `${source.name}: the sound has ${text}`);
  }
  return { blocks: wholeRows(packedFloats(source, packed), size, source.name), sound };
}

function isOneSequence(shape: readonly number[], size: number): boolean {
  if (shape.length === 1) return size === 1;
  const [first] = shape;
  return shape.at(-1) === size && (shape.length === 2 || (shape.length === 3 && first === 1));
}

async function* wholeRows(
  floats: AsyncIterable<Float32Array>,
  size: number,
  what: string,
): AsyncGenerator<Float32Array> {
  let rest = new Float32Array(0);
  for await (const values of floats) {
    const all = new Float32Array(rest.length + values.length);
    all.set(rest);
    all.set(values, rest.length);
    const whole = all.length - (all.length % size);
    rest = all.slice(whole);
    if (whole > 0) yield all.subarray(0, whole);
  }
  if (rest.length === 0) return;
  throw new CommandError(EXIT.data, `${what}: ${rest.length} values are left over after rows of ${size}`);
}

/** All rows, as a tensor (steps, size). */
export async function collect(
  blocks: AsyncIterable<Float32Array>,
  size: number,
): Promise<{ data: Float32Array; shape: number[] }> {
  const parts: Float32Array[] = [];
  for await (const block of blocks) parts.push(block);
  const shape = [parts.reduce((sum, { length }) => sum + length, 0) / size, size];
  const data = new Float32Array(product(shape));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, shape };
}
