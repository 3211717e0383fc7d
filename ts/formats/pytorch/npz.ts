import { GruError } from '../../base/errors.ts';
import { product, shapeText } from '../../base/tensor.ts';
import { openZip } from '../../io/zip.ts';
import type { ImportContext } from '../report.ts';
import { DTYPES } from './dtypes.ts';
import type { SourceTensor, StateDict } from './source.ts';
import { type FloatBudget, tensorFloats, TorchTensor } from './tensor.ts';
import { StorageRef } from './values.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Most bytes of a header: a few dozen, and padding to 64. */
const MAX_HEADER = 2 ** 16;

/** NumPy's kinds and bytes, as DTYPES names them. */
const TYPES: Record<string, string> = {
  f2: 'float16', f4: 'float32', f8: 'float64', i1: 'int8', i2: 'int16', i4: 'int32', i8: 'int64',
  u1: 'uint8', u2: 'uint16', u4: 'uint32', u8: 'uint64', b1: 'bool',
}; // prettier-ignore

/** Whether a zip file is one of `numpy.savez`: its first file, by the header before it, is an array. */
export function isNpz(bytes: Uint8Array): boolean {
  const length = bytes[26]! | (bytes[27]! << 8);
  return String.fromCharCode(...bytes.subarray(Math.max(30 + length - 4, 30), 30 + length)) === '.npy';
}

/** Reads the arrays of `numpy.savez` and `savez_compressed` as a state dict. Format: numpy.lib.format, versions 1.0 to 3.0. */
export async function readNpz(
  bytes: Uint8Array,
  what: string,
  budget: FloatBudget,
  unpacked?: ImportContext['budget'],
): Promise<StateDict> {
  const zip = await openZip(bytes, what, unpacked);
  const dict: StateDict = new Map();
  for (const entry of zip.names) {
    if (!entry.endsWith('.npy')) throw new GruError('unsupported', `${what}: '${entry}' is beside the arrays of NumPy`);
    const name = entry.slice(0, -'.npy'.length);
    dict.set(name, readNpy(await zip.read(entry), `${what}: array '${name}'`, budget));
  }
  return dict;
}

function readNpy(bytes: Uint8Array, what: string, budget: FloatBudget): SourceTensor {
  const invalid = (why: string) => new GruError('invalid_file', `${what} ${why}`);
  const unsupported = (why: string) => new GruError('unsupported', `${what} ${why}`);
  if (bytes.length < 12 || !MAGIC.every((byte, i) => bytes[i] === byte)) throw invalid('is no file of NumPy');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw unsupported(`is of version ${version} of NumPy's format; supported: 1 to 3`);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER || start + length > bytes.length) throw invalid(`has a header of ${length} bytes`);
  const header = String.fromCharCode(...bytes.subarray(start, start + length));
  // A dict of three entries, as Python writes it; records have a list as their descr.
  const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d{1,3})'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const axes = /'shape':\s*\(([\d, ]*)\)/.exec(header)?.[1];
  if (!descr) throw unsupported(`is no array of numbers: ${header.trim().slice(0, 100)}`);
  if (order === undefined || axes === undefined) throw invalid('has a damaged header');
  const [, endian, kind = '', width = ''] = descr;
  const dtype = TYPES[kind + width];
  if (dtype === undefined) {
    throw unsupported(`is of type '${kind}${width}'; supported: ${Object.keys(TYPES).join(', ')}`);
  }
  const shape = axes.split(',').flatMap((d) => (d.trim() === '' ? [] : [Number(d)]));
  const size = DTYPES[dtype]!.bytes;
  const data = bytes.subarray(start + length);
  if (shape.length > 32 || data.length !== product(shape) * size) {
    throw invalid(`has ${data.length} bytes for ${shapeText(shape)} values of ${size}`);
  }
  const floats = () => {
    budget.spend(what, shape);
    const little = endian === '>' && size > 1 ? swapped(data, size) : data;
    // In Fortran's order the first axis is the one that runs fastest.
    const strides = shape.map((_, i) => product(order === 'True' ? shape.slice(0, i) : shape.slice(i + 1)));
    const tensor = new TorchTensor(new StorageRef(what, dtype, product(shape)), dtype, 0, shape, strides);
    return Promise.resolve(tensorFloats(what, tensor, little));
  };
  return { shape, dtype, floats };
}

/** A copy with the bytes of each element in the other order. */
function swapped(data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = data[i - (i % size) + size - 1 - (i % size)]!;
  return out;
}
