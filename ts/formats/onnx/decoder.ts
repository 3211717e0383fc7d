import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { GruError } from '../../base/errors.ts';

/** Objects that a file may hold: more is no model but an attack on memory. */
const MAX_OBJECTS = 200_000;
export const MAX_RANK = 16;
/** Graphs inside of graphs: a cell's loop takes one, a branch in it two. */
const MAX_DEPTH = 8;

/**
 * A reader that refuses varints of more bits than their type has. The one of the library drops the bits above the 32nd of a
 * length: 2^32 + 5 would be 5.
 */
export class Reader extends BinaryReader {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#bytes = bytes;
    const read = this.uint32;
    this.uint32 = () => this.#varint(5, 0x0f, () => read.call(this));
  }

  #varint<T>(most: number, last: number, read: () => T): T {
    const start = this.pos;
    const value = read();
    const count = this.pos - start;
    if (count > most || (count === most && this.#bytes[this.pos - 1]! > last)) throw new RangeError('varint too long');
    return value;
  }

  override int64(): bigint | string {
    return this.#varint(10, 1, () => super.int64());
  }

  override skip(wire: WireType, field?: number): Uint8Array {
    if (wire === WireType.Varint) return this.#varint(10, 1, () => super.skip(wire, field));
    return super.skip(wire, field);
  }
}

export type Field = (reader: BinaryReader, wire: WireType) => void;

/** Reads messages, and counts what they make. */
export class Decoder {
  #left: number;
  #depth = 0;

  constructor(size: number) {
    this.#left = MAX_OBJECTS + Math.floor(size / 64);
  }

  count(): void {
    if (--this.#left < 0) throw new GruError('unsupported', 'the ONNX file holds too many nodes, tensors or names');
  }

  /** Reads a graph that is a part of another one. */
  nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw new GruError('unsupported', `the ONNX file nests graphs more than ${MAX_DEPTH} deep`);
    const result = read();
    this.#depth--;
    return result;
  }

  /** Calls the field's reader; fields not listed are an error, those in `harmless` cannot change the result. */
  message(bytes: Uint8Array, what: string, fields: Record<number, Field>, harmless: readonly number[] = []): void {
    this.count();
    const reader = new Reader(bytes);
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag();
      // of proto2; onnx.proto has none
      if (wire === WireType.StartGroup || wire === WireType.EndGroup) throw new RangeError('a group');
      const field = fields[number];
      if (field) {
        field(reader, wire);
        if (reader.pos > reader.len) throw new RangeError('premature end');
      } else if (harmless.includes(number)) {
        reader.skip(wire, number);
      } else {
        throw new GruError('unsupported', `the ONNX file has an unknown field ${number} in ${what}`);
      }
    }
  }
}

export function bytes(reader: BinaryReader, wire: WireType): Uint8Array {
  if (wire !== WireType.LengthDelimited) throw new RangeError('wrong wire type');
  return reader.bytes();
}

/** A StringStringEntryProto. */
export function entry(decoder: Decoder, data: Uint8Array): [key: string, value: string] {
  const pair: [string, string] = ['', ''];
  decoder.message(data, 'StringStringEntryProto', {
    1: (r, w) => (pair[0] = text(r, w)),
    2: (r, w) => (pair[1] = text(r, w)),
  });
  return pair;
}

/** Names: bytes that are no UTF-8 would all become the same name. */
export function text(reader: BinaryReader, wire: WireType): string {
  if (wire !== WireType.LengthDelimited) throw new RangeError('wrong wire type');
  return reader.string(true);
}

/** undefined for bytes that are no UTF-8, which a string attribute may hold. */
export function textOrBytes(reader: BinaryReader, wire: WireType): string | undefined {
  const data = bytes(reader, wire);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}

export function integer(reader: BinaryReader, wire: WireType): number {
  if (wire !== WireType.Varint) throw new RangeError('wrong wire type');
  return Number(reader.int64());
}

export function float(reader: BinaryReader, wire: WireType): number {
  if (wire !== WireType.Bit32) throw new RangeError('wrong wire type');
  return reader.float();
}

/** Values of a repeated number, packed or not. */
export function numbers(
  into: number[],
  decoder: Decoder,
  one: (reader: BinaryReader) => number,
  unpacked: WireType,
): Field {
  return (reader, wire) => {
    if (wire === unpacked) {
      decoder.count();
      into.push(one(reader));
      return;
    }
    const inner = new Reader(bytes(reader, wire));
    while (inner.pos < inner.len) {
      decoder.count();
      into.push(one(inner));
    }
    if (inner.pos > inner.len) throw new RangeError('premature end');
  };
}

export const oneInteger = (reader: BinaryReader) => Number(reader.int64());
export const oneFloat = (reader: BinaryReader) => reader.float();

/** Keeps the bytes of repeated numbers: a packed run, or one value. */
export function chunks(into: Uint8Array[], decoder: Decoder, unpacked: WireType): Field {
  return (reader, wire) => {
    decoder.count();
    into.push(wire === unpacked ? reader.skip(wire) : bytes(reader, wire));
  };
}
