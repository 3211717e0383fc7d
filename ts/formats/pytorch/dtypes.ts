import { GruError } from '../../base/errors.ts';
import { doublesToFloats } from '../../io/double.ts';
import { halvesToFloats } from '../../io/half.ts';

/** Element types by PyTorch's name: bytes an element, and how they become float32 (none: not representable). */
export interface ElementType {
  bytes: number;
  /** A view of elements; the bytes are aligned. */
  view?: (buffer: ArrayBufferLike, offset: number, length: number) => Elements;
  floats?: (elements: Elements, what: string) => Float32Array;
}

/** Elements before they are converted. */
export type Elements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

const fromHalves = (elements: Elements) => halvesToFloats(elements as Uint16Array);

function fromBrainFloats(elements: Elements): Float32Array {
  const source = elements as Uint16Array;
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < bits.length; i++) bits[i] = source[i]! << 16;
  return new Float32Array(bits.buffer);
}

function fromNumbers(elements: Elements): Float32Array {
  const out = new Float32Array(elements.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(elements[i]);
  return out;
}

type ViewConstructor = new (buffer: ArrayBufferLike, offset: number, length: number) => Elements;

function type(bytes: number, View: ViewConstructor, floats: ElementType['floats'] & object): ElementType {
  return { bytes, view: (buffer, offset, length) => new View(buffer, offset, length), floats };
}

export const DTYPES: Record<string, ElementType> = {
  float32: type(4, Float32Array, (elements) => elements as Float32Array),
  float64: type(8, Float64Array, (elements, what) => doublesToFloats(elements as Float64Array, what)),
  float16: type(2, Uint16Array, fromHalves),
  bfloat16: type(2, Uint16Array, fromBrainFloats),
  int64: type(8, BigInt64Array, fromNumbers),
  int32: type(4, Int32Array, fromNumbers),
  int16: type(2, Int16Array, fromNumbers),
  int8: type(1, Int8Array, fromNumbers),
  uint8: type(1, Uint8Array, fromNumbers),
  uint16: type(2, Uint16Array, fromNumbers),
  uint32: type(4, Uint32Array, fromNumbers),
  uint64: type(8, BigUint64Array, fromNumbers),
  bool: type(1, Uint8Array, (elements) => fromNumbers(elements).map((value) => (value === 0 ? 0 : 1))),
  complex64: { bytes: 8 },
  complex128: { bytes: 16 },
  complex32: { bytes: 4 },
  float8_e4m3fn: { bytes: 1 },
  float8_e5m2: { bytes: 1 },
  float8_e4m3fnuz: { bytes: 1 },
  float8_e5m2fnuz: { bytes: 1 },
  float8_e8m0fnu: { bytes: 1 },
};

/** `torch.FloatStorage` and so on, by name. */
export const STORAGE_DTYPES: Record<string, string> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
};

/** @throws GruError `unsupported` naming the tensor and its type. */
export function numericType(dtype: string, what: string): Required<ElementType> {
  const found = DTYPES[dtype];
  if (found?.view && found.floats) return found as Required<ElementType>;
  const known = Object.keys(DTYPES).filter((name) => DTYPES[name]?.floats);
  throw new GruError('unsupported', `${what} is ${dtype}; supported: ${known.join(', ')}`);
}
