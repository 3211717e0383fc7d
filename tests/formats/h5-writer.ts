/** Writes HDF5 files for tests, as h5py does by default: superblock 0, groups as symbol tables, contiguous float32 data. */

export interface H5Group {
  attributes?: Record<string, string | string[]>;
  members?: Record<string, H5Group | H5Dataset>;
}

export interface H5Dataset {
  shape: number[];
  data: Float32Array;
}

const UNDEFINED = 0xffff_ffff_ffff_ffffn;
const encode = (text: string) => new TextEncoder().encode(text);
const padded = (size: number, to = 8) => Math.ceil(size / to) * to;

/** Bytes of little-endian numbers: [size, value]. */
function pack(...fields: [size: 1 | 2 | 4 | 8, value: number | bigint][]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((n, [size]) => n + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 8) view.setBigUint64(at, BigInt(value), true);
    else for (let i = 0; i < size; i++) bytes[at + i] = Number(value) >>> (8 * i);
    at += size;
  }
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((n, { length }) => n + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const padTo8 = (bytes: Uint8Array) => join(bytes, new Uint8Array(padded(bytes.length) - bytes.length));

type Message = [type: number, body: Uint8Array];

/** Messages of object headers: types of the specification. */
const [DATASPACE, DATATYPE, LAYOUT, ATTRIBUTE, SYMBOL_TABLE] = [1, 3, 8, 12, 17];

const dataspace = (shape: readonly number[]) =>
  join(pack([1, 1], [1, shape.length], [1, 0], [1, 0], [4, 0]), ...shape.map((d) => pack([8, d])));

const FLOAT32 = pack(
  [1, 0x11],
  [1, 0x20],
  [1, 0x1f],
  [1, 0],
  [4, 4],
  [2, 0],
  [2, 32],
  [1, 23],
  [1, 8],
  [1, 0],
  [1, 23],
  [4, 127],
);

class Writer {
  readonly #parts: Uint8Array[] = [];
  size = 96;

  /** Room that libhdf5 gives a structure, full or not: its trees, tables and headers are larger than they need to be. */
  put(bytes: Uint8Array, room = 0): number {
    const at = this.size;
    const all = padTo8(bytes.length < room ? join(bytes, new Uint8Array(room - bytes.length)) : bytes);
    this.#parts.push(all);
    this.size += all.length;
    return at;
  }

  finish(root: number): Uint8Array {
    const head = join(
      Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0, 0, 8, 8, 0),
      pack([2, 4], [2, 16], [4, 0], [8, 0], [8, UNDEFINED], [8, this.size], [8, UNDEFINED]),
      pack([8, 0], [8, root], [4, 0], [4, 0], [8, 0], [8, 0]),
    );
    return join(head, ...this.#parts);
  }

  #header(messages: Message[]): number {
    const bodies = messages.map(([type, body]) => {
      const all = padTo8(body);
      return join(pack([2, type], [2, all.length], [1, 0], [1, 0], [2, 0]), all);
    });
    const size = bodies.reduce((n, { length }) => n + length, 0);
    return this.put(join(pack([1, 1], [1, 0], [2, messages.length], [4, 1], [4, size], [4, 0]), ...bodies), 272);
  }

  /** A string lies in a heap of its own; of a list each is as long as the longest, in the attribute. */
  #attribute(name: string, value: string | string[]): Message {
    const label = join(encode(name), Uint8Array.of(0));
    let [type, data] = [pack([1, 0x19], [1, 1], [1, 1], [1, 0], [4, 16], [1, 0x10], [1, 0], [2, 0], [4, 1]), pack()];
    if (typeof value === 'string') {
      const text = encode(value);
      const object = join(pack([2, 1], [2, 1], [4, 0], [8, text.length]), padTo8(text), pack([8, 0], [8, 0]));
      const heap = this.put(join(encode('GCOL'), pack([4, 1], [8, 16 + object.length]), object));
      data = pack([4, text.length], [8, heap], [4, 1]);
    } else {
      const size = Math.max(1, ...value.map((item) => encode(item).length));
      type = pack([1, 0x13], [1, 0], [1, 0], [1, 0], [4, size]);
      data = new Uint8Array(size * value.length);
      value.forEach((item, i) => {
        data.set(encode(item), size * i);
      });
    }
    const space = dataspace(typeof value === 'string' ? [] : [value.length]);
    const sizes = pack([1, 1], [1, 0], [2, label.length], [2, type.length], [2, space.length]);
    return [ATTRIBUTE, join(sizes, padTo8(label), padTo8(type), padTo8(space), data)];
  }

  object(value: H5Group | H5Dataset): number {
    if ('data' in value) {
      const { data, shape } = value;
      const at = this.put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      const layout = pack([1, 3], [1, 1], [8, at], [8, data.byteLength]);
      return this.#header([
        [DATASPACE, dataspace(shape)],
        [DATATYPE, FLOAT32],
        [LAYOUT, layout],
      ]);
    }
    const { members = {}, attributes = {} } = value;
    // in the order of their bytes, as they are looked up
    const names = Object.keys(members).sort();
    const objects = names.map((name) => this.object(members[name]!));
    let offset = 8;
    const offsets = names.map((name) => {
      const at = offset;
      offset += padded(encode(name).length + 1);
      return at;
    });
    const segment = join(new Uint8Array(8), ...names.map((name) => padTo8(join(encode(name), Uint8Array.of(0)))));
    const heap = this.put(
      join(encode('HEAP'), pack([4, 0], [8, segment.length], [8, UNDEFINED], [8, this.size + 32]), segment),
      120,
    );
    const tables: Uint8Array[] = [];
    for (let i = 0; i < names.length; i += 8) {
      const count = Math.min(8, names.length - i);
      const entries = Array.from({ length: count }, (_, k) =>
        pack([8, offsets[i + k]!], [8, objects[i + k]!], [4, 0], [4, 0], [8, 0], [8, 0]),
      );
      const at = this.put(join(encode('SNOD'), pack([1, 1], [1, 0], [2, count]), ...entries), 328);
      tables.push(pack([8, at], [8, offsets[i + count - 1]!]));
    }
    const tree = this.put(
      join(encode('TREE'), pack([1, 0], [1, 0], [2, tables.length], [8, UNDEFINED], [8, UNDEFINED], [8, 0]), ...tables),
      544,
    );
    const messages = Object.entries(attributes).map(([name, text]) => this.#attribute(name, text));
    return this.#header([[SYMBOL_TABLE, pack([8, tree], [8, heap])], ...messages]);
  }
}

export function writeH5(root: H5Group): Uint8Array {
  const writer = new Writer();
  const at = writer.object(root);
  return writer.finish(at);
}
