import { type Cursor, damaged, textBeforeZeros, textUntilZero, unsupported } from './file.ts';
import type { GlobalHeap } from './heaps.ts';

const FIXED_POINT = 0;
const FLOATING_POINT = 1;
const STRING = 3;
const VARIABLE_LENGTH = 9;

/** Element sizes in bytes -> bits of exponent and mantissa, and the exponent's bias (IEEE 754). */
const IEEE = new Map([
  [2, { exponent: 5, mantissa: 10, bias: 15 }],
  [4, { exponent: 8, mantissa: 23, bias: 127 }],
  [8, { exponent: 11, mantissa: 52, bias: 1023 }],
]);

/** Bytes of the largest integers that are read. */
const MAX_INTEGER = 8;

/** The type of an element (IV.A.2.d). */
export interface Datatype {
  kind: 'float' | 'int' | 'uint' | 'text' | 'long text' | 'other';
  size: number;
  littleEndian: boolean;
  /** As NumPy writes it: `<f4`. */
  name: string;
}

export function readDatatype(cursor: Cursor): Datatype {
  const typeClass = cursor.u8() & 15;
  const bits = cursor.uint(3);
  const size = cursor.u32();
  const littleEndian = (bits & 1) === 0;
  const order = size === 1 ? '|' : littleEndian ? '<' : '>';
  switch (typeClass) {
    case FLOATING_POINT:
      if (!isIeee(cursor, bits, size)) break;
      return { kind: 'float', size, littleEndian, name: `${order}f${size}` };
    case FIXED_POINT: {
      // Reading one takes the square of its size.
      if (size > MAX_INTEGER) break;
      const kind = bits & 8 ? 'int' : 'uint';
      return { kind, size, littleEndian, name: `${order}${kind[0]!}${size}` };
    }
    case STRING:
      return { kind: 'text', size, littleEndian, name: `|S${size}` };
    case VARIABLE_LENGTH:
      if ((bits & 15) === 1) return { kind: 'long text', size, littleEndian, name: '|O' };
  }
  return { kind: 'other', size, littleEndian, name: `type of class ${typeClass}, ${size} bytes` };
}

function isIeee(cursor: Cursor, bits: number, size: number): boolean {
  const expected = IEEE.get(size);
  const [offset, precision, exponentAt, exponent] = [cursor.u16(), cursor.u16(), cursor.u8(), cursor.u8()];
  const [mantissaAt, mantissa, bias] = [cursor.u8(), cursor.u8(), cursor.u32()];
  return (
    expected !== undefined &&
    // bit 6 is that of VAX numbers; the sign is the highest bit
    (bits & 0x40) === 0 &&
    bits >> 8 === 8 * size - 1 &&
    offset === 0 &&
    precision === 8 * size &&
    exponentAt === expected.mantissa &&
    exponent === expected.exponent &&
    mantissaAt === 0 &&
    mantissa === expected.mantissa &&
    bias === expected.bias
  );
}

/** Dimensions: [] of a scalar; and how large they may become. */
export interface Dataspace {
  dims: number[];
  most: number[];
}

/** A dataspace message (IV.A.2.b); undefined where there is no value at all. */
export function readDataspace(cursor: Cursor): Dataspace | undefined {
  const [version, rank, flags, type] = [cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8()];
  if (version !== 1 && version !== 2) throw damaged(cursor.file.what, `a dataspace of version ${version}`);
  if (version === 1) cursor.skip(4);
  else if (type === 2) return undefined;
  const read = () => Array.from({ length: rank }, () => cursor.length());
  const dims = read();
  // all bits set: no limit
  const unlimited = 2 ** (8 * cursor.file.lengthSize) - 1;
  return { dims, most: flags & 1 ? read().map((most) => (most >= unlimited ? Infinity : most)) : dims };
}

/** The values of an attribute: a number or a text, or an array of them where it has dimensions. */
export function readValues(data: Cursor, type: Datatype, space: Dataspace | undefined, heap: GlobalHeap): unknown {
  if (!space) return [];
  const count = space.dims.reduce((n, d) => n * d, 1);
  if (!(count * type.size <= data.left) || (type.size === 0 && count > data.left))
    throw damaged(data.file.what, 'it says to have more values than it has');
  const values = Array.from({ length: count }, () => readValue(data, type, heap));
  return space.dims.length === 0 ? values[0] : values;
}

function readValue(data: Cursor, { kind, size, littleEndian }: Datatype, heap: GlobalHeap): unknown {
  const { view, offsetSize } = data.file;
  switch (kind) {
    case 'text':
      return textUntilZero(data.bytes(size));
    case 'long text': {
      const length = data.u32();
      const [address, index] = [data.address(), data.u32()];
      data.skip(size - 8 - offsetSize);
      return length === 0 ? '' : textBeforeZeros(heap.get(address, index).subarray(0, length));
    }
    case 'float': {
      const at = data.skip(size).position - size;
      if (size === 8) return view.getFloat64(at, littleEndian);
      if (size === 4) return view.getFloat32(at, littleEndian);
      break;
    }
    case 'int':
    case 'uint': {
      const bytes = data.bytes(size);
      let value = 0n;
      for (let i = 0; i < size; i++) value |= BigInt(bytes[i]!) << BigInt(8 * (littleEndian ? i : size - 1 - i));
      return Number(kind === 'int' ? BigInt.asIntN(8 * size, value) : value);
    }
  }
  throw unsupported(data.file.what, 'it is no number or text');
}
