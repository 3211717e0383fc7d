import { GruError } from '../../base/errors.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Integers longer than this make no sense, and take quadratic time to read. */
const MAX_LONG_BYTES = 64;
const MAX_LINE = 1000;

/** Reads the fields of a pickle one after the other. All throw GruError `invalid_file` past the end. */
export class Cursor {
  at: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private opcodeAt: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.opcodeAt = at;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.bytes.length - this.at;
  }

  invalid(why: string): GruError {
    return new GruError('invalid_file', `the pickle is damaged at byte ${this.opcodeAt}: ${why}`);
  }

  opcode(): number {
    this.opcodeAt = this.at;
    return this.u8();
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  u64(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  /** Big-endian, unlike the others. */
  f64(): number {
    return this.view.getFloat64(this.take(8), false);
  }

  raw(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.subarray(start, this.at);
  }

  string(length: number): string {
    const data = this.raw(length);
    try {
      return UTF8.decode(data);
    } catch {
      throw this.invalid('a string is not UTF-8');
    }
  }

  /** Up to a line feed. */
  line(): string {
    const end = this.bytes.subarray(this.at, this.at + MAX_LINE).indexOf(0x0a);
    if (end < 0) throw this.invalid('a line does not end');
    const text = this.string(end);
    this.at++;
    return text;
  }

  /** A two's complement integer. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) throw this.invalid(`an integer of ${length} bytes`);
    let value = 0n;
    this.raw(length).forEach((byte, i) => (value |= BigInt(byte) << BigInt(8 * i)));
    return toNumber(BigInt.asIntN(8 * length, value));
  }

  decimal(text: string): number | bigint {
    if (!/^[+-]?\d{1,150}$/.test(text)) throw this.invalid(`'${text.slice(0, 40)}' is no integer`);
    return toNumber(BigInt(text.replace(/^\+/, '')));
  }

  private take(count: number): number {
    if (count > this.left) throw this.invalid(`${count} bytes are said to follow, ${this.left} do`);
    this.at += count;
    return this.at - count;
  }
}

function toNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
