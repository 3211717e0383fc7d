import { GruError } from '../../base/errors.ts';

/** Layouts in this folder: HDF5 File Format Specification, version 3.0. */

export function damaged(what: string, why: string): GruError {
  return new GruError('invalid_file', `${what}: damaged HDF5 file: ${why}`);
}

export function unsupported(what: string, why: string): GruError {
  return new GruError('unsupported', `${what}: ${why}`);
}

/**
 * All that chunks unpack to, what they hold beyond their data too: so many bytes for each byte of the file, and some more. Weights of
 * which nine of ten are zeros take a fifth.
 */
const MOST_UNPACKED = 16;
const UNPACKED_EXTRA = 24 * 2 ** 20;

/**
 * The bytes of a file and what is left of the work that it may cause: every byte of a structure that is read costs one, and no
 * sound file has its structures read more than a few times. So structures that repeat, overlap or hold each other end soon.
 */
export class Hdf5File {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes of an address, and of a length. */
  offsetSize = 8;
  lengthSize = 8;
  #left: number;
  #dataLeft: number;
  #unpackedLeft: number;

  /** @param fileBytes Of the file that holds it. */
  constructor(bytes: Uint8Array, what: string, fileBytes = bytes.length) {
    this.what = what;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#left = 65_536 + 2 * bytes.length;
    this.#dataLeft = bytes.length;
    this.#unpackedLeft = UNPACKED_EXTRA + MOST_UNPACKED * fileBytes;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new GruError('invalid_file', `${this.what}: its HDF5 structures repeat or overlap`);
  }

  /** Data do not overlap, and are read once. */
  spendData(bytes: number): void {
    this.#dataLeft -= bytes;
    if (this.#dataLeft < 0) throw damaged(this.what, 'its tensors overlap');
  }

  /** @throws GruError `unsupported`. */
  spendUnpacked(bytes: number, what: string): void {
    this.#unpackedLeft -= bytes;
    if (this.#unpackedLeft >= 0) return;
    throw unsupported(
      what,
      `its chunks and those before it unpack to far more than the file (${bytes} bytes of this tensor alone); write it again without compression`,
    );
  }

  /** Reads on from an address, as far as `size` bytes. */
  at(address: number | undefined, size = this.bytes.length - (address ?? 0)): Cursor {
    if (address === undefined || !(size >= 0) || address + size > this.bytes.length)
      throw damaged(this.what, 'a structure lies beyond the end of the file');
    return new Cursor(this, address, address + size);
  }

  /** The same behind four letters. */
  signed(signature: string, address: number | undefined): Cursor {
    const cursor = this.at(address);
    // what it takes to begin a structure
    this.spend(32);
    const found = cursor.bytes(4);
    for (let i = 0; i < 4; i++)
      if (found[i] !== signature.charCodeAt(i)) throw damaged(this.what, `there is no ${signature} where it should be`);
    return cursor;
  }
}

/** Reads one number after the other, none of them beyond its end. */
export class Cursor {
  readonly file: Hdf5File;
  position: number;
  readonly end: number;

  constructor(file: Hdf5File, position: number, end: number) {
    this.file = file;
    this.position = position;
    this.end = end;
  }

  get left(): number {
    return this.end - this.position;
  }

  skip(size: number): this {
    this.#take(size);
    return this;
  }

  #take(size: number): number {
    if (!(size >= 0) || size > this.left) throw damaged(this.file.what, 'a structure ends early');
    this.file.spend(size);
    const at = this.position;
    this.position += size;
    return at;
  }

  u8(): number {
    return this.file.view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.file.view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.file.view.getUint32(this.#take(4), true);
  }

  /** A number of as many bytes. Beyond 2^53 it is not exact, and too large for any use. */
  uint(size: number): number {
    const at = this.#take(size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.file.bytes[at + i]!;
    return value;
  }

  length(): number {
    return this.uint(this.file.lengthSize);
  }

  /** An address; undefined where it says that there is none. */
  address(): number | undefined {
    const { offsetSize } = this.file;
    const value = this.uint(offsetSize);
    return value >= 2 ** (8 * offsetSize) - 1 ? undefined : value;
  }

  bytes(size: number): Uint8Array {
    const at = this.#take(size);
    return this.file.bytes.subarray(at, at + size);
  }

  /** A part of it, which is passed over here. */
  part(size: number): Cursor {
    if (!(size >= 0) || size > this.left) throw damaged(this.file.what, 'a structure ends early');
    const at = this.position;
    this.position += size;
    return new Cursor(this.file, at, at + size);
  }

  /** A text that ends at a zero. */
  text(): string {
    const length = this.file.bytes.subarray(this.position, this.end).indexOf(0);
    if (length < 0) throw damaged(this.file.what, 'a name has no end');
    const text = decodeText(this.bytes(length));
    this.skip(1);
    return text;
  }
}

const decoder = new TextDecoder();

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A text of a fixed number of bytes, behind which there is filling. */
export function textUntilZero(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeText(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A text without the zeros behind it. */
export function textBeforeZeros(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return decodeText(bytes.subarray(0, end));
}

/** Bytes that a number up to `limit` takes, as HDF5 counts them. */
export function sizeFor(limit: number): number {
  return Math.floor(Math.log2(Math.max(limit, 1)) / 8) + 1;
}
