import { GruError } from '../../base/errors.ts';
import { halfToFloat, halvesToFloats } from '../../io/half.ts';
import { Reader } from './decoder.ts';
import type { OnnxTensor } from './messages.ts';
import type { Constant } from './value.ts';

interface Dtype {
  name: string;
  type: Constant['dtype'];
  /** Bytes of a value in raw data. */
  bytes: number;
  /** The list that holds its values when they are not raw. */
  list: keyof OnnxTensor['packed'];
  read: (view: DataView, at: number) => number;
  /** Values of int32_data that stand for the bits of a float. */
  fromInt?: (bits: number) => number;
}

const word = new DataView(new ArrayBuffer(4));

function bfloatToFloat(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

/** TensorProto.DataType, those that are read. */
const DTYPES: Record<number, Dtype> = {
  1: { name: 'float32', type: 'float', bytes: 4, list: 'float', read: (v, at) => v.getFloat32(at, true) },
  2: { name: 'uint8', type: 'int', bytes: 1, list: 'int32', read: (v, at) => v.getUint8(at) },
  3: { name: 'int8', type: 'int', bytes: 1, list: 'int32', read: (v, at) => v.getInt8(at) },
  4: { name: 'uint16', type: 'int', bytes: 2, list: 'int32', read: (v, at) => v.getUint16(at, true) },
  5: { name: 'int16', type: 'int', bytes: 2, list: 'int32', read: (v, at) => v.getInt16(at, true) },
  6: { name: 'int32', type: 'int', bytes: 4, list: 'int32', read: (v, at) => v.getInt32(at, true) },
  7: { name: 'int64', type: 'int', bytes: 8, list: 'int64', read: (v, at) => Number(v.getBigInt64(at, true)) },
  9: { name: 'bool', type: 'bool', bytes: 1, list: 'int32', read: (v, at) => v.getUint8(at) },
  10: {
    name: 'float16',
    type: 'float',
    bytes: 2,
    list: 'int32',
    read: (v, at) => halfToFloat(v.getUint16(at, true)),
    fromInt: halfToFloat,
  },
  11: { name: 'float64', type: 'float', bytes: 8, list: 'double', read: (v, at) => v.getFloat64(at, true) },
  16: {
    name: 'bfloat16',
    type: 'float',
    bytes: 2,
    list: 'int32',
    read: (v, at) => bfloatToFloat(v.getUint16(at, true)),
    fromInt: bfloatToFloat,
  },
};

/** Name of a TensorProto.DataType. */
export function dtypeName(dtype: number): string {
  return DTYPES[dtype]?.name ?? `data type ${dtype}`;
}

/** Whether values of a data type are computed with: float, int, bool; undefined for others (strings, complex, 4 and 8 bits). */
export function dtypeClass(dtype: number): Constant['dtype'] | undefined {
  return DTYPES[dtype]?.type;
}

/** Side files of external data by their location. */
export type Sidecars = ReadonlyMap<string, Uint8Array>;

/**
 * The values of a tensor: floats as float32, others as numbers.
 *
 * @throws GruError `invalid_file` when shape and data do not fit, `unsupported` for data types that are not read, `io` when
 *   a file of external data is missing.
 */
export function readTensorData(tensor: OnnxTensor, sidecars: Sidecars): Constant {
  const what = `tensor '${tensor.name}'`;
  const dtype = DTYPES[tensor.dtype];
  if (!dtype) {
    const known = Object.values(DTYPES).map(({ name }) => name);
    throw new GruError('unsupported', `${what} has data type ${tensor.dtype}; supported: ${known.join(', ')}`);
  }
  if (tensor.unreadable !== undefined) throw new GruError('unsupported', `${what}: ${tensor.unreadable}`);
  const count = tensor.dims.reduce((n, d) => n * d, 1);
  const lists = Object.entries(tensor.packed).filter(([, parts]) => parts.length > 0);
  const sources = [
    ...lists.map(([name]) => `${name}_data`),
    ...(tensor.raw && count + tensor.raw.length > 0 ? ['raw_data'] : []),
  ];
  if (sources.length + (tensor.external ? 1 : 0) > 1) {
    throw new GruError(
      'invalid_file',
      `${what} has its data twice: ${[...sources, 'external_data'].slice(0, 2).join(' and ')}`,
    );
  }
  const constant = (data: ArrayLike<number>): Constant => ({
    type: 'constant',
    dtype: dtype.type,
    shape: tensor.dims,
    base: tensor.dims,
    data,
    source: tensor.name,
  });
  const list = lists[0];
  if (list) {
    if (list[0] !== dtype.list)
      throw new GruError('invalid_file', `${what} of ${dtype.name} has its data in ${list[0]}_data`);
    return constant(readList(what, dtype, list[1], count));
  }
  const bytes = tensor.external ? externalData(what, tensor.external, sidecars) : (tensor.raw ?? new Uint8Array(0));
  if (bytes.length !== count * dtype.bytes) {
    const shape = `[${tensor.dims.join(', ')}] of ${dtype.name}`;
    throw new GruError(
      'invalid_file',
      `${what}: the shape ${shape} takes ${count * dtype.bytes} bytes, the data are ${bytes.length}`,
    );
  }
  return constant(readRaw(dtype, bytes, count));
}

function readRaw(dtype: Dtype, bytes: Uint8Array, count: number): ArrayLike<number> {
  if (dtype.name === 'float32') return new Float32Array(new Uint8Array(bytes).buffer);
  if (dtype.name === 'float16') return halvesToFloats(new Uint16Array(new Uint8Array(bytes).buffer));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = dtype.type === 'float' ? new Float32Array(count) : new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = dtype.read(view, i * dtype.bytes);
  return data;
}

/** Values from float_data and its like; a varint takes at least one byte, so their number is bounded by the file's. */
function readList(what: string, dtype: Dtype, parts: Uint8Array[], count: number): ArrayLike<number> {
  const bytes = parts.reduce((n, part) => n + part.length, 0);
  const each = { float: 4, double: 8, int32: 1, int64: 1 }[dtype.list];
  if (count * each > bytes) throw mismatch(what, count);
  if (dtype.name === 'float32') return joinFloats(what, parts, count);
  const data = dtype.type === 'float' ? new Float32Array(count) : new Float64Array(count);
  let at = 0;
  try {
    for (const part of parts) {
      const reader = new Reader(part);
      while (reader.pos < reader.len) {
        if (at >= count) throw mismatch(what, count);
        const value =
          dtype.list === 'float' ? reader.float() : dtype.list === 'double' ? reader.double() : Number(reader.int64());
        data[at++] = dtype.fromInt ? dtype.fromInt(value & 0xffff) : value;
      }
    }
  } catch (cause) {
    if (cause instanceof GruError) throw cause;
    throw new GruError('invalid_file', `${what}: its data are damaged`, { cause });
  }
  if (at !== count) throw mismatch(what, count);
  return data;
}

/** float_data: the bytes of the values as they are. */
function joinFloats(what: string, parts: Uint8Array[], count: number): Float32Array {
  if (parts.some(({ length }) => length % 4 !== 0)) throw new GruError('invalid_file', `${what}: its data are damaged`);
  if (parts.reduce((n, { length }) => n + length, 0) !== 4 * count) throw mismatch(what, count);
  const bytes = new Uint8Array(4 * count);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new Float32Array(bytes.buffer);
}

function mismatch(what: string, count: number): GruError {
  return new GruError('invalid_file', `${what}: its data are not the ${count} values of its shape`);
}

function externalData(what: string, external: NonNullable<OnnxTensor['external']>, sidecars: Sidecars): Uint8Array {
  const { location, offset, length } = external;
  const file = sidecars.get(location);
  if (!file) throw new GruError('io', `${what}: its data are in the file '${location}', which was not given`);
  const size = length ?? file.length - offset;
  if (![offset, size].every((n) => Number.isSafeInteger(n) && n >= 0) || offset + size > file.length) {
    throw new GruError(
      'invalid_file',
      `${what}: bytes ${offset} to ${offset + size} are outside of '${location}' (${file.length} bytes)`,
    );
  }
  return file.subarray(offset, offset + size);
}
