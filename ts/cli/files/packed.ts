import { product, shapeText } from '../../base/tensor.ts';
import { DTYPES } from '../../formats/pytorch/dtypes.ts';
import { SAFETENSORS_DTYPES } from '../../formats/pytorch.ts';
import { npyHeaderSize, readNpyHeader, swapped } from '../../io/npy.ts';
import { headerEnd, readHeader } from '../../io/safetensors.ts';
import { CommandError, EXIT, ofData } from '../exit.ts';
import type { ByteSource } from './bytes.ts';
import type { DataFormat } from './format.ts';
import { checkIds } from './ids.ts';
import { readWavHeader } from './wav.ts';

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

/** @param ids The values are ids below this number: as the file has them, for not all integers are a float32. */
function ofType(dtype: string, what: string, ids?: number): Pick<Packed, 'width' | 'floats'> {
  const { bytes: width, view, floats } = DTYPES[dtype] ?? { bytes: 0 };
  if (!view || !floats) throw new CommandError(EXIT.data, `${what}: values of type ${dtype} are not numbers of ours`);
  let before = 0;
  return {
    width,
    floats({ buffer, byteLength }) {
      const elements = view(buffer, 0, byteLength / width);
      const values = floats(elements, what);
      if (ids !== undefined) checkIds(/^u?int/.test(dtype) ? elements : values, ids, what, before);
      before += values.length;
      return values;
    },
  };
}

/** Finds the numbers of a file by what it begins with. undefined: they do not lie one after another, or there are several tensors. */
export async function findPacked(source: ByteSource, format: DataFormat, ids?: number): Promise<Packed | undefined> {
  const what = source.name;
  if (format === 'f32') return { start: 0, bytes: undefined, ...ofType('float32', what, ids) };
  if (format === 'wav') return readWavHeader(await source.peek(2 ** 16), what);
  if (format === 'npy') {
    const size = npyHeaderSize(await source.peek(12), what);
    const { dtype, shape, bigEndian, fortran, start } = readNpyHeader(await source.peek(size), what);
    if (fortran && shape.length > 1) return undefined;
    const { width, floats } = ofType(dtype, what, ids);
    const little = bigEndian ? (bytes: Uint8Array<ArrayBuffer>) => floats(swapped(bytes, width)) : floats;
    return { start, bytes: product(shape) * width, width, floats: little, shape };
  }
  if (format !== 'safetensors') return undefined;
  const start = headerEnd(await source.peek(8));
  const { entries } = readHeader(await source.peek(start));
  const [only, second] = entries;
  // A gap before it is for the reader of whole files to refuse, which does not pass over gigabytes.
  if (!only || second || only.begin !== 0) return undefined;
  const { shape, dtype, begin } = only;
  return { start: start + begin, bytes: only.end - begin, shape, ...ofType(SAFETENSORS_DTYPES[dtype], what, ids) };
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
