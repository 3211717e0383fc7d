import { GruError } from '../../base/errors.ts';
import { product, shapeText } from '../../base/tensor.ts';
import { readNpyHeader, swapped } from '../../io/npy.ts';
import { openZip } from '../../io/zip.ts';
import type { ImportContext } from '../report.ts';
import { DTYPES } from './dtypes.ts';
import type { SourceTensor, StateDict } from './source.ts';
import { StorageRef } from './storage.ts';
import { type FloatBudget, tensorFloats, TorchTensor } from './tensor.ts';

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
    // A file of one array, as `gru` reads it, has no name for it.
    dict.set(name, readNpy(await zip.read(entry), name === '' ? what : `${what}: array '${name}'`, budget));
  }
  return dict;
}

function readNpy(bytes: Uint8Array, what: string, budget: FloatBudget): SourceTensor {
  const { dtype, shape, bigEndian, fortran, start } = readNpyHeader(bytes, what);
  const size = DTYPES[dtype]!.bytes;
  const data = bytes.subarray(start);
  if (shape.length > 32 || data.length !== product(shape) * size) {
    throw new GruError('invalid_file', `${what} has ${data.length} bytes for ${shapeText(shape)} values of ${size}`);
  }
  const floats = () => {
    budget.spend(what, shape);
    const little = bigEndian ? swapped(data, size) : data;
    // In Fortran's order the first axis is the one that runs fastest.
    const strides = shape.map((_, i) => product(fortran ? shape.slice(0, i) : shape.slice(i + 1)));
    const tensor = new TorchTensor(new StorageRef(what, dtype, product(shape)), dtype, 0, shape, strides);
    return Promise.resolve(tensorFloats(what, tensor, little));
  };
  return { shape, dtype, floats };
}
