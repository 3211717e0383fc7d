import { GruError } from '../../base/errors.ts';

/**
 * Work that a file of this many bytes may cause. One unit is about 10 microseconds of jsfive's time; Keras files of many small
 * layers need up to one a 62 bytes.
 */
function workFor(bytes: number): number {
  return 5_000 + bytes / 32;
}

/** What is left of the work that a file may cause. Structures that overlap or repeat, cycles among them, use it up. */
class Budget {
  #left: number;
  readonly #what: string;

  constructor(what: string, bytes: number) {
    this.#what = what;
    this.#left = workFor(bytes);
  }

  spend(work: number): void {
    this.#left -= work;
    if (this.#left < 0) throw new GruError('invalid_file', `${this.#what}: its HDF5 structures repeat or overlap`);
  }
}

/** Four letters at the start of a structure, as jsfive reads them before the structure itself. */
const TREE = 0x45455254;
const NEW_STYLE = new Map([
  [0x5244484f, 'object headers of version 2'],
  [0x50485246, 'fractal heaps'],
  [0x44485442, 'B-trees of version 2'],
]);

/**
 * The bytes of a file, as jsfive gets them. jsfive 0.4.2 believes what a file says: it follows a B-tree whose children are
 * one node 65535 times over, reads a heap anew for each object that refers to it, and goes on in object headers of version 2
 * whose continuation blocks overlap. Each of its loops calls `slice` once a round (for a signature, a name or a reserved
 * field), except those over the entries of a B-tree node and over the messages of an object header of version 2: the first
 * are counted when the signature of the node is read, the second are refused (Keras, and h5py unless told otherwise, write
 * version 1).
 */
export class GuardedBuffer extends ArrayBuffer {
  readonly #budget: Budget;

  private constructor(length: number, budget: Budget) {
    super(length);
    this.#budget = budget;
  }

  /** A copy of the bytes. */
  static of(bytes: Uint8Array, what: string): GuardedBuffer {
    const buffer = new GuardedBuffer(bytes.length, new Budget(what, bytes.length));
    new Uint8Array(buffer).set(bytes);
    return buffer;
  }

  override slice(begin = 0, end = this.byteLength): ArrayBuffer {
    const start = Math.min(Math.max(begin, 0), this.byteLength);
    const length = Math.max(Math.min(end, this.byteLength) - start, 0);
    this.#budget.spend(1 + length / 1024);
    if (length === 4) this.#checkSignature(start);
    const part = new GuardedBuffer(length, this.#budget);
    new Uint8Array(part).set(new Uint8Array(this, start, length));
    return part;
  }

  #checkSignature(start: number): void {
    const view = new DataView(this);
    const signature = view.getUint32(start, true);
    if (signature === TREE && start + 8 <= this.byteLength) {
      this.#budget.spend(16 + view.getUint16(start + 6, true) / 2);
    }
    const refused = NEW_STYLE.get(signature);
    if (refused) {
      throw new GruError(
        'unsupported',
        `the HDF5 file has ${refused}; supported: those of the earliest file format, which h5py and Keras write by default`,
      );
    }
  }
}
