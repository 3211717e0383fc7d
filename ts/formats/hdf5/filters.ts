import { unzlibSync } from 'fflate';
import { type Cursor, damaged, textUntilZero, unsupported } from './file.ts';

const DEFLATE = 1;
const SHUFFLE = 2;
const FLETCHER32 = 3;
/** Registered by h5py. */
const LZF = 32000;
const NAMES: Record<number, string> = { 4: 'szip', 5: 'nbit', 6: 'scaleoffset' };

/** Most bytes that a byte of deflate unpacks to; of LZF it is less. */
export const MOST_UNPACKED = 1032;

export interface Filter {
  id: number;
  name: string;
  /** SHUFFLE: bytes of an element. */
  values: number[];
}

/** A filter-pipeline message (IV.A.2.l): in the order in which data were written. */
export function readFilters(message: Cursor): Filter[] {
  const [version, count] = [message.u8(), message.u8()];
  if (version !== 1 && version !== 2) throw damaged(message.file.what, `filters of version ${version}`);
  if (version === 1) message.skip(6);
  return Array.from({ length: count }, () => {
    const id = message.u16();
    const named = version === 1 || id >= 256;
    const nameSize = named ? message.u16() : 0;
    message.skip(2);
    const values = message.u16();
    const name = textUntilZero(message.bytes(version === 1 ? 8 * Math.ceil(nameSize / 8) : nameSize));
    const filter = {
      id,
      name,
      values: Array.from({ length: values }, () => message.u32()),
    };
    if (version === 1 && values % 2 === 1) message.skip(4);
    return filter;
  });
}

/** Undoes filters: from the bytes of a chunk as they are stored to the `size` bytes that it has. Bit i of `skipped`: not filter i. */
export function unfilter(
  stored: Uint8Array,
  filters: readonly Filter[],
  skipped: number,
  size: number,
  what: string,
): Uint8Array {
  const applied = filters.filter((_, i) => (skipped & (1 << i)) === 0);
  const isPacked = ({ id }: Filter) => id === DEFLATE || id === LZF;
  if (applied.filter(isPacked).length > 1) throw unsupported(what, 'it is compressed twice');
  if (size > MOST_UNPACKED * stored.length + 64)
    throw damaged(what, `a chunk of ${size} bytes cannot be in ${stored.length}`);
  let bytes = stored;
  for (let i = applied.length - 1; i >= 0; i--) {
    const { id, name, values } = applied[i]!;
    switch (id) {
      case DEFLATE:
      case LZF: {
        // checksums before it were packed with the data
        const packed = size + 4 * applied.slice(0, i).filter((filter) => filter.id === FLETCHER32).length;
        bytes = id === LZF ? unpackLzf(bytes, packed, what) : inflate(bytes, packed, what);
        break;
      }
      case SHUFFLE:
        bytes = unshuffle(bytes, values[0] ?? 1);
        break;
      case FLETCHER32:
        bytes = checkFletcher32(bytes, what);
        break;
      default:
        throw unsupported(
          what,
          `it has the filter ${name || (NAMES[id] ?? id)}; supported: gzip, lzf, shuffle, fletcher32 (or none). Write it again with one of these`,
        );
    }
  }
  if (bytes.length !== size) throw damaged(what, `a chunk has ${bytes.length} bytes instead of ${size}`);
  return bytes;
}

function inflate(packed: Uint8Array, size: number, what: string): Uint8Array {
  // one byte more than there should be tells whether there are too many
  const out = new Uint8Array(size + 1);
  try {
    return unzlibSync(packed, { out });
  } catch (cause) {
    throw damaged(what, `a chunk cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** LibLZF: runs of literals, and copies of what came at most 8 KB before. */
function unpackLzf(packed: Uint8Array, size: number, what: string): Uint8Array {
  const out = new Uint8Array(size);
  let [from, to] = [0, 0];
  while (from < packed.length) {
    const control = packed[from++]!;
    let length = control < 32 ? control + 1 : control >> 5;
    let copy = from;
    let source = packed;
    if (control < 32) from += length;
    else {
      if (length === 7) length += packed[from++] ?? NaN;
      length += 2;
      copy = to - ((control & 31) << 8) - (packed[from++] ?? NaN) - 1;
      source = out;
    }
    if (!(copy >= 0 && from <= packed.length && to + length <= size)) throw damaged(what, 'a chunk cannot be unpacked');
    // a copy may read what it has just written
    for (let i = 0; i < length; i++) out[to++] = source[copy + i]!;
  }
  return out.subarray(0, to);
}

/** First bytes of all elements, then their second bytes, ...; what is left over stays at the end. */
function unshuffle(bytes: Uint8Array, width: number): Uint8Array {
  const count = Math.floor(bytes.length / Math.max(width, 1));
  if (width < 2 || count < 2) return bytes;
  const out = bytes.slice();
  for (let k = 0; k < width; k++) for (let i = 0; i < count; i++) out[i * width + k] = bytes[k * count + i]!;
  return out;
}

/** Fletcher's checksum of 16-bit words, the high byte first, behind the data. */
function checkFletcher32(bytes: Uint8Array, what: string): Uint8Array {
  const data = bytes.subarray(0, Math.max(bytes.length - 4, 0));
  let [a, b] = [0, 0];
  for (let i = 0; i < data.length; i += 2) {
    a = (a + data[i]! * 256 + (data[i + 1] ?? 0)) % 65_535;
    b = (b + a) % 65_535;
  }
  const sum = bytes.subarray(data.length);
  const [low, high] = [sum[0]! + 256 * sum[1]!, sum[2]! + 256 * sum[3]!];
  if (sum.length !== 4 || low % 65_535 !== a || high % 65_535 !== b)
    throw damaged(what, 'the checksum of a chunk is wrong');
  return data;
}
