import { GruError } from '../base/errors.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Most bytes of a header: a few dozen, and padding to 64. */
const MAX_HEADER = 2 ** 16;

/** NumPy's kinds and bytes, as PyTorch names them. */
const TYPES: Record<string, string> = {
  f2: 'float16', f4: 'float32', f8: 'float64', i1: 'int8', i2: 'int16', i4: 'int32', i8: 'int64',
  u1: 'uint8', u2: 'uint16', u4: 'uint32', u8: 'uint64', b1: 'bool',
}; // prettier-ignore

/** What a `.npy` file says of its array. */
export interface NpyHeader {
  dtype: string;
  shape: number[];
  bigEndian: boolean;
  /** The first axis is the one that runs fastest. */
  fortran: boolean;
  /** Where the values start. */
  start: number;
}

/**
 * Bytes of a header, by the first 12 of the file. Format: numpy.lib.format, versions 1.0 to 3.0.
 *
 * @throws GruError `invalid_file` or `unsupported`, naming the file.
 */
export function npyHeaderSize(bytes: Uint8Array, what: string): number {
  if (bytes.length < 12 || !MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw new GruError('invalid_file', `${what} is no file of NumPy`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6]!;
  if (version < 1 || version > 3) {
    throw new GruError('unsupported', `${what} is of version ${version} of NumPy's format; supported: 1 to 3`);
  }
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER) throw new GruError('invalid_file', `${what} has a header of ${length} bytes`);
  return (version === 1 ? 10 : 12) + length;
}

/** Reads a header. @throws GruError `invalid_file` or `unsupported`, naming the file. */
export function readNpyHeader(bytes: Uint8Array, what: string): NpyHeader {
  const start = npyHeaderSize(bytes, what);
  const before = bytes[6] === 1 ? 10 : 12;
  if (start > bytes.length) throw new GruError('invalid_file', `${what} has a header of ${start - before} bytes`);
  const header = String.fromCharCode(...bytes.subarray(before, start));
  // A dict of three entries, as Python writes it; records have a list as their descr.
  const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d{1,3})'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const axes = /'shape':\s*\(((?:\d+,\s*)*(?:\d+\s*)?)\)/.exec(header)?.[1];
  if (!descr) throw new GruError('unsupported', `${what} is no array of numbers: ${header.trim().slice(0, 100)}`);
  if (order === undefined || axes === undefined) throw new GruError('invalid_file', `${what} has a damaged header`);
  const [, endian, kind = '', width = ''] = descr;
  const dtype = TYPES[kind + width];
  if (dtype === undefined) {
    const known = Object.keys(TYPES).join(', ');
    throw new GruError('unsupported', `${what} is of type '${kind}${width}'; supported: ${known}`);
  }
  const shape = axes.split(',').flatMap((d) => (d.trim() === '' ? [] : [Number(d)]));
  return { dtype, shape, bigEndian: endian === '>' && width !== '1', fortran: order === 'True', start };
}

/** Bytes of a header that is written: version 1.0, always as long, so that it can be written again when the shape is known. */
export const NPY_HEADER = 256;

/** The header of an array in C order, padded to {@link NPY_HEADER} bytes. */
export function writeNpyHeader(type: 'f4' | 'i4', shape: readonly number[]): Uint8Array {
  const axes = shape.length === 1 ? `${shape[0]!},` : shape.join(', ');
  const text = `{'descr': '<${type}', 'fortran_order': False, 'shape': (${axes}), }`;
  const bytes = new Uint8Array(NPY_HEADER).fill(0x20);
  bytes.set([...MAGIC, 1, 0, (NPY_HEADER - 10) & 255, (NPY_HEADER - 10) >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[NPY_HEADER - 1] = 0x0a;
  return bytes;
}

/** A copy with the bytes of each element of `size` in the other order. */
export function swapped(data: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = data[i - (i % size) + size - 1 - (i % size)]!;
  return out;
}
