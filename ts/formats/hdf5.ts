import { GruError } from '../base/errors.ts';
import { doublesToFloats } from '../io/double.ts';
import { halvesToFloats } from '../io/half.ts';
import { findHdf5 } from './detect.ts';
import { findAttributes } from './hdf5/attributes.ts';
import type { Unpacked } from './hdf5/data.ts';
import { readData } from './hdf5/data.ts';
import { damaged, Hdf5File, unsupported } from './hdf5/file.ts';
import { DATASPACE, DATATYPE, type Message, readHeader, sharedBody } from './hdf5/header.ts';
import { GlobalHeap } from './hdf5/heaps.ts';
import { findLinks, type Target } from './hdf5/links.ts';
import { type Dataspace, type Datatype, readDataspace, readDatatype } from './hdf5/types.ts';

/**
 * Opens an HDF5 file: any superblock, old and new groups, attributes, and data in one piece or in chunks, plain or under gzip,
 * lzf, shuffle and fletcher32.
 *
 * Time and memory are in proportion to the file's bytes, whatever it says (see ./hdf5/file.ts).
 *
 * @param what Names the file in errors.
 * @param unpacked What compressed data may unpack to.
 * @param fileBytes Of the file that holds it, where that is another.
 * @throws GruError `invalid_file` when damaged, `unsupported` for other features of HDF5.
 */
export function openHdf5(bytes: Uint8Array, what: string, unpacked?: Unpacked, fileBytes?: number): Hdf5Group {
  const start = findHdf5(bytes);
  if (start === undefined) throw new GruError('invalid_file', `${what}: not an HDF5 file`);
  // before it is what the user put there; addresses count from the signature
  const file = new Hdf5File(bytes.subarray(start), what, fileBytes);
  const source: Source = { file, heap: new GlobalHeap(file), unpacked };
  const messages = readHeader(file, rootOf(file));
  const links = findLinks(file, messages);
  if (!links) throw damaged(what, 'it has no root group');
  return new Hdf5Group(source, '/', messages, links);
}

/** Where the root group's header is: a superblock of any version (II.A). */
function rootOf(file: Hdf5File): number | undefined {
  const cursor = file.at(8);
  const version = cursor.u8();
  if (version > 3) throw unsupported(file.what, `HDF5 superblock version ${version}; supported: 0 to 3`);
  if (version <= 1) cursor.skip(4);
  file.offsetSize = cursor.u8();
  file.lengthSize = cursor.u8();
  for (const size of [file.offsetSize, file.lengthSize])
    if (![2, 4, 8].includes(size)) throw damaged(file.what, `addresses or lengths of ${size} bytes`);
  if (version >= 2) return cursor.skip(1 + 3 * file.offsetSize).address();
  // four addresses, and the offset of the root's name
  return cursor.skip((version === 0 ? 9 : 13) + 5 * file.offsetSize).address();
}

interface Source {
  file: Hdf5File;
  heap: GlobalHeap;
  unpacked: Unpacked;
}

abstract class Hdf5Object {
  readonly path: string;
  protected readonly source: Source;
  protected readonly messages: readonly Message[];
  #attributes: Map<string, () => unknown> | undefined;
  readonly #values = new Map<string, unknown>();

  constructor(source: Source, path: string, messages: readonly Message[]) {
    this.source = source;
    this.path = path;
    this.messages = messages;
  }

  /** An attribute: a number or a text, an array of them unless it is a scalar; undefined when there is none. */
  attribute(name: string): unknown {
    const { file, heap } = this.source;
    if (!this.#values.has(name)) {
      this.#attributes ??= findAttributes(file, this.messages, heap);
      try {
        this.#values.set(name, this.#attributes.get(name)?.());
      } catch (cause) {
        if (!(cause instanceof GruError)) throw cause;
        const message = cause.message.replace(file.what, `${file.what}: attribute '${name}' of '${this.path}'`);
        throw new GruError(cause.code, message, { cause });
      }
    }
    return this.#values.get(name);
  }
}

/** A group of an HDF5 file. */
export class Hdf5Group extends Hdf5Object {
  readonly #links: ReadonlyMap<string, Target>;
  readonly #members = new Map<string, Hdf5Group | Hdf5Dataset>();
  readonly names: ReadonlySet<string>;

  constructor(source: Source, path: string, messages: readonly Message[], links: ReadonlyMap<string, Target>) {
    super(source, path, messages);
    this.#links = links;
    this.names = new Set(links.keys());
  }

  /** A member, or a member of a member: `a/b/c`. undefined when there is none. */
  get(path: string): Hdf5Group | Hdf5Dataset | undefined {
    const slash = path.indexOf('/');
    if (slash >= 0) {
      const group = this.get(path.slice(0, slash));
      return group instanceof Hdf5Group ? group.get(path.slice(slash + 1)) : undefined;
    }
    if (!this.#links.has(path)) return undefined;
    let member = this.#members.get(path);
    if (!member) {
      const { file } = this.source;
      const full = `${this.path === '/' ? '' : this.path}/${path}`;
      const target = this.#links.get(path);
      if (typeof target === 'string') throw unsupported(file.what, `'${full}' is a ${target}`);
      const messages = readHeader(file, target);
      const links = findLinks(file, messages);
      member = links ? new Hdf5Group(this.source, full, messages, links) : new Hdf5Dataset(this.source, full, messages);
      this.#members.set(path, member);
    }
    return member;
  }

  group(path: string): Hdf5Group | undefined {
    const member = this.get(path);
    return member instanceof Hdf5Group ? member : undefined;
  }

  dataset(path: string): Hdf5Dataset | undefined {
    const member = this.get(path);
    return member instanceof Hdf5Dataset ? member : undefined;
  }
}

/** A tensor of an HDF5 file. */
export class Hdf5Dataset extends Hdf5Object {
  readonly shape: number[];
  /** As NumPy writes it: `<f4`. */
  readonly dtype: string;
  readonly #what: string;
  readonly #space: Dataspace;
  readonly #type: Datatype;

  constructor(source: Source, path: string, messages: readonly Message[]) {
    super(source, path, messages);
    this.#what = `${source.file.what}: '${path}'`;
    const body = (type: number) => {
      const message = messages.find((m) => m.type === type);
      if (!message) throw damaged(this.#what, 'it is neither a group nor a tensor');
      return message.shared ? sharedBody(message.body(), type) : message.body();
    };
    this.#space = readDataspace(body(DATASPACE)) ?? { dims: [0], most: [0] };
    this.#type = readDatatype(body(DATATYPE));
    this.shape = this.#space.dims;
    this.dtype = this.#type.name;
  }

  /** The values as float32, float64 rounded; with `shared` perhaps a view of the opened file. @throws GruError `unsupported` for another type than floats, and a number beyond float32. */
  floats(shared = false): Float32Array {
    const { kind, size, littleEndian, name } = this.#type;
    if (kind !== 'float')
      throw unsupported(this.#what, `it has the type ${name}; supported: float16, float32 and float64`);
    const { file, unpacked } = this.source;
    const { bytes, isView } = readData(file, this.messages, this.#space, size, this.#what, unpacked);
    const isFree = littleEndian && bytes.byteOffset % size === 0 && (!isView || (shared && size === 4));
    return decodeFloats(isFree ? bytes : new Uint8Array(bytes), size, littleEndian, this.#what);
  }
}

/** Bytes that are aligned, and free to be changed unless they are floats as they are. */
function decodeFloats(bytes: Uint8Array, size: number, littleEndian: boolean, what: string): Float32Array {
  if (!littleEndian) for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
  const { buffer, byteOffset } = bytes;
  const count = bytes.length / size;
  if (size === 4) return new Float32Array(buffer as ArrayBuffer, byteOffset, count);
  if (size === 8) return doublesToFloats(new Float64Array(buffer as ArrayBuffer, byteOffset, count), what);
  return halvesToFloats(new Uint16Array(buffer, byteOffset, count));
}
