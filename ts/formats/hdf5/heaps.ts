import { treeRecords } from './btree.ts';
import { type Cursor, damaged, type Hdf5File, sizeFor, unsupported } from './file.ts';

/** The names of a group of the older form (III.D): where they begin. */
export function localHeap(file: Hdf5File, address: number | undefined): (offset: number) => string {
  const head = file.signed('HEAP', address).skip(4);
  const size = head.length();
  const data = head.skip(file.lengthSize).address();
  const { position, end } = file.at(data, size);
  return (offset) => file.at(position + offset, end - position - offset).text();
}

/** Texts of variable length (III.E): collections of numbered objects. */
export class GlobalHeap {
  readonly #file: Hdf5File;
  readonly #collections = new Map<number, Map<number, Cursor>>();

  constructor(file: Hdf5File) {
    this.#file = file;
  }

  /** An object as bytes. */
  get(address: number | undefined, index: number): Uint8Array {
    let collection = this.#collections.get(address ?? -1);
    if (!collection) {
      collection = this.#read(address);
      this.#collections.set(address ?? -1, collection);
    }
    const object = collection.get(index);
    if (!object) throw damaged(this.#file.what, 'a text is not in its heap');
    const { position, end } = object;
    return this.#file.at(position, end - position).bytes(end - position);
  }

  #read(address: number | undefined): Map<number, Cursor> {
    const head = this.#file.signed('GCOL', address).skip(4);
    const size = head.length();
    const cursor = this.#file.at(head.position, size - 8 - this.#file.lengthSize);
    const objects = new Map<number, Cursor>();
    while (cursor.left >= 8 + this.#file.lengthSize) {
      const index = cursor.u16();
      const length = cursor.skip(6).length();
      // the rest is free
      if (index === 0) break;
      objects.set(index, cursor.part(length));
      cursor.part(Math.min((8 - (length % 8)) % 8, cursor.left));
    }
    return objects;
  }
}

/** Links and attributes of a group that has many (III.G): objects by their ids. */
export class FractalHeap {
  readonly #file: Hdf5File;
  readonly #width: number;
  readonly #startSize: number;
  readonly #maxDirect: number;
  readonly #offsetBytes: number;
  readonly #lengthBytes: number;
  readonly #root: number | undefined;
  readonly #rows: number;
  readonly #hugeTree: number | undefined;
  /** By a number as text: V8 hashes numbers in a way that is known, and a file could choose such as collide. */
  #huge: Map<string, Cursor> | undefined;

  constructor(file: Hdf5File, address: number | undefined) {
    this.#file = file;
    const head = file.signed('FRHP', address).skip(3);
    const filters = head.u16();
    if (filters > 0) throw unsupported(file.what, 'a heap of links or attributes is compressed');
    const maxManaged = head.skip(1).u32();
    head.skip(file.lengthSize);
    this.#hugeTree = head.address();
    head.skip(file.lengthSize + file.offsetSize + 8 * file.lengthSize);
    this.#width = head.u16();
    this.#startSize = head.length();
    this.#maxDirect = head.length();
    this.#offsetBytes = Math.ceil(head.u16() / 8);
    this.#root = head.skip(2).address();
    this.#rows = head.u16();
    this.#lengthBytes = Math.min(Math.ceil(Math.log2(this.#maxDirect) / 8), sizeFor(maxManaged));
    if (!(this.#width > 0 && isPowerOf2(this.#startSize) && isPowerOf2(this.#maxDirect) && this.#offsetBytes <= 8))
      throw damaged(file.what, 'a heap has no sound sizes');
  }

  get(id: Cursor): Cursor {
    const first = id.u8();
    switch ((first >> 4) & 3) {
      case 0: {
        const offset = id.uint(this.#offsetBytes);
        return this.#managed(offset, id.uint(this.#lengthBytes));
      }
      case 1:
        return this.#hugeObject(id.uint(id.left));
      case 2:
        return id.part((first & 15) + 1);
      default:
        throw damaged(this.#file.what, 'an object of a heap has an unknown kind');
    }
  }

  /** Objects larger than blocks, by number. */
  #hugeObject(number: number): Cursor {
    if (!this.#huge) {
      this.#huge = new Map();
      for (const record of treeRecords(this.#file, this.#hugeTree)) {
        const [address, length] = [record.address(), record.length()];
        this.#huge.set(String(record.length()), this.#file.at(address, length));
      }
    }
    const found = this.#huge.get(String(number));
    if (!found) throw damaged(this.#file.what, 'an object of a heap is not there');
    return this.#file.at(found.position, found.end - found.position);
  }

  /** Rows 0 and 1 have blocks of the start size, each further row of twice the size of the one before. */
  #blockSize(row: number): number {
    return row === 0 ? this.#startSize : this.#startSize * 2 ** (row - 1);
  }

  #managed(offset: number, length: number): Cursor {
    const file = this.#file;
    let [address, start, rows] = [this.#root, 0, this.#rows];
    let size = this.#startSize;
    while (rows > 0) {
      const block = file.signed('FHIB', address).skip(1 + file.offsetSize + this.#offsetBytes);
      let row = 0;
      for (; row < rows; row++) {
        const next = start + this.#width * this.#blockSize(row);
        if (offset < next) break;
        start = next;
      }
      if (row === rows) throw damaged(file.what, 'an object lies outside of its heap');
      size = this.#blockSize(row);
      const column = Math.floor((offset - start) / size);
      block.part((row * this.#width + column) * file.offsetSize);
      address = block.address();
      start += column * size;
      rows = size <= this.#maxDirect ? 0 : Math.log2(size) - Math.log2(this.#startSize * this.#width) + 1;
    }
    const block = file.signed('FHDB', address);
    const inside = offset - start;
    if (!(inside >= 0) || inside + length > size) throw damaged(file.what, 'an object lies outside of its heap');
    return file.at(block.position - 4 + inside, length);
  }
}

function isPowerOf2(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
