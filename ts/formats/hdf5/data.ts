import { product, shapeText } from '../../base/tensor.ts';
import type { ReadBudget } from '../../io/budget.ts';
import { type Chunk, type ChunkedLayout, readChunks3, readChunks4 } from './chunks.ts';
import { type Cursor, damaged, type Hdf5File, unsupported } from './file.ts';
import { MOST_UNPACKED, readFilters, unfilter } from './filters.ts';
import { FILTERS, LAYOUT, type Message } from './header.ts';
import type { Dataspace } from './types.ts';

/** What may be spent on data that are larger than their bytes in the file. */
export type Unpacked = Pick<ReadBudget, 'spend'> | undefined;

/** The bytes of a dataset (IV.A.2.i), and whether they are a view of the file. */
export function readData(
  file: Hdf5File,
  messages: readonly Message[],
  space: Dataspace,
  itemSize: number,
  what: string,
  unpacked: Unpacked,
): { bytes: Uint8Array; isView: boolean } {
  const message = messages.find(({ type }) => type === LAYOUT)?.body();
  if (!message) throw damaged(what, 'it says nowhere where its data are');
  const shape = space.dims;
  const size = product(shape) * itemSize;
  const [version, layout] = [message.u8(), message.u8()];
  if (version < 3 || version > 5) throw unsupported(what, `a data layout of version ${version}; supported: 3 to 5`);
  if (layout === 2) {
    const filters = messages.find(({ type }) => type === FILTERS)?.body();
    const pipeline = filters ? readFilters(filters) : [];
    const found =
      version === 3
        ? readChunks3(message, space, itemSize)
        : readChunks4(message, space, itemSize, pipeline.length > 0);
    const chunkBytes = product(found.chunk) * itemSize;
    const read = ({ address, size: stored, skipped }: Chunk) =>
      unfilter(bytesAt(file, address, stored, what), pipeline, skipped, chunkBytes, what);
    const spend = (count: number) => {
      file.spendUnpacked(count * chunkBytes, what);
      unpacked?.spend(count * chunkBytes, what);
    };
    return { bytes: join(file, found, shape, itemSize, size, spend, read, what), isView: false };
  }
  const bytes = layout === 0 ? compact(message) : layout === 1 ? contiguous(file, message, what) : undefined;
  if (!bytes) throw unsupported(what, 'its data are in other files or datasets');
  if (bytes.length !== size) throw damaged(what, `data of shape ${shapeText(shape)} have ${bytes.length} bytes`);
  return { bytes, isView: true };
}

function compact(message: Cursor): Uint8Array {
  return message.bytes(message.u16());
}

function contiguous(file: Hdf5File, message: Cursor, what: string): Uint8Array {
  const address = message.address();
  const size = message.length();
  // never written
  return address === undefined ? new Uint8Array(0) : bytesAt(file, address, size, what);
}

function bytesAt(file: Hdf5File, address: number, size: number, what: string): Uint8Array {
  if (address + size > file.bytes.length) throw damaged(what, 'its data reach beyond the end of the file');
  file.spendData(size);
  return file.bytes.subarray(address, address + size);
}

/** Puts chunks together. */
function join(
  file: Hdf5File,
  { chunk, chunks }: ChunkedLayout,
  shape: readonly number[],
  itemSize: number,
  size: number,
  spend: (chunks: number) => void,
  read: (chunk: Chunk) => Uint8Array,
  what: string,
): Uint8Array {
  // before any memory is taken: a file without chunks may say any shape
  const list = [...chunks];
  const counts = shape.map((length, d) => Math.ceil(length / chunk[d]!));
  if (list.length < product(counts)) throw unsupported(what, 'some of its chunks were never written');
  const stored = list.reduce((n, one) => n + one.size, 0);
  if (stored > file.bytes.length || size > MOST_UNPACKED * stored + 64 * list.length)
    throw damaged(what, `its ${size} bytes cannot be in chunks of ${stored}`);
  spend(list.length);
  let all: Uint8Array | undefined;
  const seen = new Set<number>();
  for (const one of list) {
    if (one.place.some((at, d) => !(Number.isInteger(at) && at < counts[d]!)))
      throw damaged(what, 'a chunk is out of place');
    seen.add(one.place.reduce((n, at, d) => n * counts[d]! + at, 0));
    const bytes = read(one);
    all ??= new Uint8Array(size);
    copy(bytes, chunk, all, shape, one.place, itemSize);
  }
  if (seen.size < product(counts)) throw damaged(what, 'it has a chunk twice');
  return all ?? new Uint8Array(0);
}

/** Rows of a chunk to their places; what reaches beyond the data is filling. */
function copy(
  bytes: Uint8Array,
  chunk: readonly number[],
  all: Uint8Array,
  shape: readonly number[],
  place: readonly number[],
  itemSize: number,
): void {
  const starts = place.map((at, d) => at * chunk[d]!);
  const lengths = shape.map((length, d) => Math.min(chunk[d]!, length - starts[d]!));
  const last = shape.length - 1;
  const rowBytes = (lengths[last] ?? 1) * itemSize;
  const rows = product(lengths.slice(0, -1));
  const at = lengths.slice(0, -1).map(() => 0);
  for (let row = 0; row < rows; row++) {
    let [from, to] = [0, 0];
    for (let d = 0; d <= last; d++) {
      from = from * chunk[d]! + (at[d] ?? 0);
      to = to * shape[d]! + starts[d]! + (at[d] ?? 0);
    }
    all.set(bytes.subarray(from * itemSize, from * itemSize + rowBytes), to * itemSize);
    for (let d = last - 1; d >= 0; d--) {
      if (++at[d]! < lengths[d]!) break;
      at[d] = 0;
    }
  }
}
