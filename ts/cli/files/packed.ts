import { shapeText } from '../../base/tensor.ts';
import { CommandError, EXIT, ofData } from '../exit.ts';
import type { ByteSource } from './bytes.ts';

/** Numbers that lie one after another in a file. */
export interface Packed {
  /** Bytes before them, and their own (undefined: up to the end). */
  start: number;
  bytes: number | undefined;
  /** Bytes of one. */
  width: number;
  /** Values of aligned little-endian bytes. */
  floats: (bytes: Uint8Array<ArrayBuffer>) => Float32Array;
  /** As the file says it. */
  shape?: number[];
  /** Of sound: samples a second, and values a sample. */
  sound?: { rate: number; channels: number };
}

/** The numbers, as they come. @throws CommandError where the file ends before them, or in the middle of one, or float32 holds one not. */
export async function* packedFloats(source: ByteSource, packed: Packed): AsyncGenerator<Float32Array> {
  await source.peek(packed.start);
  source.skip(packed.start);
  let left = packed.bytes ?? Infinity;
  let rest = new Uint8Array(0);
  for (let bytes = await source.next(); bytes && left > 0; bytes = await source.next()) {
    const all = new Uint8Array(rest.length + Math.min(bytes.length, left));
    all.set(rest);
    all.set(bytes.subarray(0, all.length - rest.length), rest.length);
    left -= all.length - rest.length;
    const whole = all.length - (all.length % packed.width);
    rest = all.slice(whole);
    if (whole > 0) yield await ofData(source.name, () => packed.floats(all.slice(0, whole)));
  }
  if (rest.length === 0 && (left === 0 || packed.bytes === undefined)) return;
  const { bytes, shape } = packed;
  const all = shape ? ` for a shape of ${shapeText(shape)}` : ` for the ${bytes ?? 0} bytes that it says`;
  const missing = bytes === undefined ? ', within a number' : all;
  throw new CommandError(EXIT.data, `${source.name} ends too early${missing}: it is damaged`);
}
