import { GruError } from '../base/errors.ts';
import { allocate } from '../base/limits.ts';
import { floatToHalf } from './half.ts';

/** Bytes a value. */
const BYTES = { F32: 4, F16: 2, I32: 4, I16: 2, I8: 1 };

/** A tensor to be written. */
export interface TensorToWrite {
  /** Of the elements in the file. */
  dtype: keyof typeof BYTES;
  /** Dimensions, whose product is the length of `data`. */
  shape: number[];
  /** Float32Array for F32 and F16, else the typed array of the dtype. */
  data: Float32Array | Int32Array | Int16Array | Int8Array;
}

/**
 * Makes a file; the same tensors give the same bytes. The data begin at a multiple of 8.
 *
 * @throws GruError `unsupported` for F16 and a finite value that it cannot hold, naming the tensor; `out_of_memory` beyond 4 GB.
 */
export function writeSafetensors(
  tensors: Record<string, TensorToWrite>,
  metadata: Record<string, string> = {},
): Uint8Array {
  // Wide values first, so that each tensor is aligned.
  const names = Object.keys(tensors).sort(
    (a, b) => BYTES[tensors[b]!.dtype] - BYTES[tensors[a]!.dtype] || (a < b ? -1 : 1),
  );
  const parts: Uint8Array[] = [];
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', sorted(metadata)]);
  let at = 0;
  for (const name of names) {
    const { dtype, shape, data } = tensors[name]!;
    const words = dtype === 'F16' ? halves(name, data) : data;
    header.push([name, { dtype, shape, data_offsets: [at, (at += words.byteLength)] }]);
    parts.push(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = 8 + length + at;
  const file = allocate(bytes / 4, 'a file', () => new Uint8Array(bytes));
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(0x20, 8, 8 + length);
  file.set(json, 8);
  let offset = 8 + length;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function halves(name: string, data: ArrayLike<number>): Uint16Array {
  return Uint16Array.from(data, (value) => {
    const half = floatToHalf(value);
    if ((half & 0x7fff) === 0x7c00 && Number.isFinite(value)) {
      throw new GruError('unsupported', `tensor '${name}' holds ${value}, which float16 cannot: its largest is 65504`);
    }
    return half;
  });
}
