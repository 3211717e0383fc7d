import { Dataset, File, Group } from 'jsfive';
import type { DataObjects } from 'jsfive';
import { GruError } from '../base/errors.ts';
import { product, shapeText } from '../base/tensor.ts';
import { isHdf5 } from './detect.ts';
import { halvesToFloats } from '../io/half.ts';
import { GuardedBuffer } from './hdf5/guard.ts';
import { checkAttribute, damaged, dataRange, isIeeeFloat } from './hdf5/messages.ts';

const DATATYPE = 3;
const LAYOUT = 8;
const ATTRIBUTE = 12;

/**
 * Opens an HDF5 file of the kind that Keras writes: superblock version 0, contiguous data.
 *
 * jsfive reads the structures; data are read here, as bytes. It is guarded (see ./hdf5/guard.ts) so that a hostile file
 * neither hangs it nor makes it allocate more than a small multiple of the file.
 *
 * @param what Names the file in errors.
 * @throws GruError `invalid_file` when damaged, `unsupported` for features of HDF5 beyond those above.
 */
export function openHdf5(bytes: Uint8Array, what: string): Hdf5Group {
  if (!isHdf5(bytes)) throw new GruError('invalid_file', `${what}: not an HDF5 file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 96) throw damaged(what, `it ends after ${bytes.length} bytes`);
  if (bytes[8] !== 0) {
    throw new GruError(
      'unsupported',
      `${what}: HDF5 superblock version ${bytes[8]!}; supported: 0, the earliest, which h5py and Keras write by default`,
    );
  }
  if (view.getBigUint64(24, true) !== 0n) throw new GruError('unsupported', `${what}: HDF5 file with a user block`);
  const source: Source = { what, view, buffer: GuardedBuffer.of(bytes, what), bytesRead: 0 };
  return new Hdf5Group(
    source,
    '/',
    guarded(source, '/', () => new File(source.buffer)),
  );
}

interface Source {
  what: string;
  view: DataView;
  buffer: GuardedBuffer;
  /** Bytes of datasets read so far. Datasets do not overlap, so more than the file has means a hostile file. */
  bytesRead: number;
}

/** jsfive throws strings, TypeErrors (its `assert`) and RangeErrors (reads beyond the end). */
function guarded<T>(source: Source, path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof GruError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GruError('invalid_file', `${source.what}: damaged HDF5 file at '${path}': ${why}`, { cause });
  }
}

abstract class Hdf5Object {
  readonly path: string;
  protected readonly source: Source;

  constructor(source: Source, path: string) {
    this.source = source;
    this.path = path;
  }

  protected abstract readonly objects: DataObjects;

  /** Where attributes lie, by name: an object may have 65535, and a list of layers asks for as many. */
  #attributes: Map<string, { offset: number; readable: boolean }> | undefined;

  #findAttributes(): Map<string, { offset: number; readable: boolean }> {
    const { view, what } = this.source;
    const found = new Map<string, { offset: number; readable: boolean }>();
    for (const message of this.objects.msgs) {
      if (message.get('type') !== ATTRIBUTE) continue;
      const offset = message.get('offset_to_message') ?? 0;
      const size = message.get('size') ?? 0;
      const { name, readable } = checkAttribute(view, offset, size, `${what}: '${this.path}'`);
      if (!found.has(name)) found.set(name, { offset, readable });
    }
    return found;
  }

  /** An attribute: numbers or strings, an array of them unless it is a scalar; undefined when there is none. */
  attribute(name: string): unknown {
    const found = (this.#attributes ??= this.#findAttributes()).get(name);
    if (!found) return undefined;
    if (!found.readable) {
      throw new GruError(
        'unsupported',
        `${this.source.what}: attribute '${name}' of '${this.path}' is no number or text`,
      );
    }
    return trim(guarded(this.source, this.path, () => this.objects.unpack_attribute(found.offset)[1]));
  }
}

/** Fixed-size strings are padded with zeros. */
function trim(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(trim);
  return typeof value === 'string' ? value.replace(/\0+$/, '') : value;
}

/** A group of an HDF5 file. */
export class Hdf5Group extends Hdf5Object {
  readonly #group: Group;
  readonly #members = new Map<string, Hdf5Group | Hdf5Dataset>();
  readonly names: ReadonlySet<string>;

  constructor(source: Source, path: string, group: Group) {
    super(source, path);
    this.#group = group;
    const names = group.keys.filter((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('/'));
    this.names = new Set(names);
  }

  protected override get objects(): DataObjects {
    return this.#group._dataobjects;
  }

  /** A member, or a member of a member: `a/b/c`. undefined when there is none. */
  get(path: string): Hdf5Group | Hdf5Dataset | undefined {
    const slash = path.indexOf('/');
    if (slash >= 0) {
      const group = this.get(path.slice(0, slash));
      return group instanceof Hdf5Group ? group.get(path.slice(slash + 1)) : undefined;
    }
    if (!this.names.has(path)) return undefined;
    let member = this.#members.get(path);
    if (!member) {
      const { source } = this;
      const full = `${this.path === '/' ? '' : this.path}/${path}`;
      if (typeof this.#group._links[path] === 'string') {
        throw new GruError('unsupported', `${source.what}: '${full}' is a soft link`);
      }
      const object = guarded(source, full, () => this.#group.get(path));
      member = object instanceof Group ? new Hdf5Group(source, full, object) : new Hdf5Dataset(source, full, object);
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
  readonly #dataset: Dataset;

  constructor(source: Source, path: string, dataset: Dataset) {
    super(source, path);
    this.#dataset = dataset;
    [this.shape, this.dtype] = guarded(source, path, () => [dataset.shape, String(dataset.dtype)] as const);
  }

  protected override get objects(): DataObjects {
    return this.#dataset._dataobjects;
  }

  #message(type: number): number {
    const message = this.objects.msgs.find((m) => m.get('type') === type);
    if (!message) throw damaged(`${this.source.what}: '${this.path}'`, `it has no message of type ${type}`);
    return message.get('offset_to_message') ?? 0;
  }

  /** The values as float32, float64 rounded; with `shared` perhaps a view of the opened file. @throws GruError `unsupported` for another type than floats. */
  floats(shared = false): Float32Array {
    const { source, path, dtype, shape } = this;
    const what = `${source.what}: '${path}'`;
    const match = /^([<>])f([248])$/.exec(dtype);
    if (!match || !isIeeeFloat(source.view, this.#message(DATATYPE))) {
      throw new GruError('unsupported', `${what} has the type ${dtype}; supported: float16, float32 and float64`);
    }
    const itemSize = Number(match[2]);
    const count = product(shape);
    const [start, size] = dataRange(source.view, this.#message(LAYOUT), what) ?? [0, 0];
    if (size !== count * itemSize) {
      throw damaged(what, `a ${dtype} tensor of shape ${shapeText(shape)} has ${size} bytes`);
    }
    if (start + size > source.view.byteLength) throw damaged(what, 'its data reach beyond the end of the file');
    source.bytesRead += size;
    if (source.bytesRead > source.view.byteLength) throw damaged(source.what, 'its tensors overlap');
    const { view } = source;
    if (shared && itemSize === 4 && match[1] === '<' && start % 4 === 0)
      return new Float32Array(source.buffer, start, count);
    const bytes = view.buffer.slice(view.byteOffset + start, view.byteOffset + start + size) as ArrayBuffer;
    return decodeFloats(bytes, itemSize, match[1] === '<');
  }
}

function decodeFloats(bytes: ArrayBuffer, itemSize: number, littleEndian: boolean): Float32Array {
  if (!littleEndian) {
    const all = new Uint8Array(bytes);
    for (let i = 0; i < all.length; i += itemSize) all.subarray(i, i + itemSize).reverse();
  }
  if (itemSize === 4) return new Float32Array(bytes);
  if (itemSize === 8) return new Float32Array(new Float64Array(bytes));
  return halvesToFloats(new Uint16Array(bytes));
}
