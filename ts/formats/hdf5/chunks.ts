import { treeEntries, treeRecords } from './btree.ts';
import { type Cursor, damaged, type Hdf5File, unsupported } from './file.ts';
import type { Dataspace } from './types.ts';

/** A chunk: its place in units of chunks, where it is stored, in how many bytes, and the filters that were left out. */
export interface Chunk {
  place: number[];
  address: number;
  size: number;
  skipped: number;
}

export interface ChunkedLayout {
  /** Elements a chunk, by dimension. */
  chunk: number[];
  chunks: Iterable<Chunk>;
}

interface Grid {
  file: Hdf5File;
  chunk: number[];
  /** Chunks by dimension: of the data as they are, and as large as they may become. */
  counts: number[];
  most: number[];
  /** Bytes of a chunk when nothing is filtered. */
  bytes: number;
  isFiltered: boolean;
}

/** Chunks of layout version 3: a B-tree of version 1, whose keys say size, mask and the offset in elements. */
export function readChunks3(message: Cursor, { dims }: Dataspace, itemSize: number): ChunkedLayout {
  const rank = message.u8() - 1;
  const tree = message.address();
  const chunk = readChunk(message, rank, 4, dims, itemSize);
  return { chunk, chunks: ofTree(message.file, chunk, tree) };
}

function* ofTree(file: Hdf5File, chunk: number[], tree: number | undefined): Generator<Chunk> {
  if (tree === undefined) return;
  for (const { key, child } of treeEntries(file, tree, 1, 8 + 8 * (chunk.length + 1))) {
    const [size, skipped] = [key.u32(), key.u32()];
    const place = chunk.map((length) => key.uint(8) / length);
    if (child !== undefined) yield { place, address: child, size, skipped };
  }
}

/** Chunks of layout version 4 (IV.A.2.i): one of five indices. */
export function readChunks4(message: Cursor, space: Dataspace, itemSize: number, isFiltered: boolean): ChunkedLayout {
  const { file } = message;
  const flags = message.u8();
  if (flags & 1) throw unsupported(file.what, 'chunks at the edge of the data are stored without filters');
  const rank = message.u8() - 1;
  const chunk = readChunk(message, rank, message.u8(), space.dims, itemSize);
  const countsOf = (dims: readonly number[]) => dims.map((length, d) => Math.ceil(length / chunk[d]!));
  const bytes = chunk.reduce((n, length) => n * length, itemSize);
  const grid: Grid = { file, chunk, counts: countsOf(space.dims), most: countsOf(space.most), bytes, isFiltered };
  const index = message.u8();
  switch (index) {
    case 1: {
      const [size, skipped] = flags & 2 ? [message.length(), message.u32()] : [grid.bytes, 0];
      return { chunk, chunks: inOrder(grid, [{ address: message.address(), size, skipped }]) };
    }
    case 2: {
      const start = message.address();
      return { chunk, chunks: inOrder(grid, sideBySide(grid, start)) };
    }
    case 3:
      message.skip(1);
      return { chunk, chunks: inOrder(grid, fixedArray(grid, message.address())) };
    case 4:
      message.skip(5);
      return { chunk, chunks: inOrder(grid, extensibleArray(grid, message.address())) };
    case 5:
      message.skip(6);
      return { chunk, chunks: ofRecords(grid, message.address()) };
    default:
      throw unsupported(file.what, `an index of chunks of kind ${index}`);
  }
}

function readChunk(message: Cursor, rank: number, size: number, shape: readonly number[], itemSize: number): number[] {
  const { what } = message.file;
  if (rank !== shape.length) throw damaged(what, 'chunks have other dimensions than the data');
  const chunk = Array.from({ length: rank }, () => message.uint(size));
  if (chunk.some((length) => length < 1) || message.uint(size) !== itemSize)
    throw damaged(what, 'chunks have no sound sizes');
  return chunk;
}

type Stored = Pick<Chunk, 'size' | 'skipped'> & { address: number | undefined };

/** Chunks of an index that is in the order of their places, the last dimension first and one without limit last. */
function* inOrder({ counts, most }: Grid, stored: Iterable<Stored>): Generator<Chunk> {
  const place = counts.map(() => 0);
  const order = [...counts.keys()].sort((a, b) => Number(most[a] === Infinity) - Number(most[b] === Infinity) || b - a);
  let left = counts.reduce((n, count) => n * count, 1);
  if (left === 0) return;
  for (const { address, size, skipped } of stored) {
    if (place.every((at, d) => at < counts[d]!)) {
      if (address !== undefined) yield { place: [...place], address, size, skipped };
      if (--left === 0) return;
    }
    for (const d of order) {
      if (++place[d]! < most[d]!) break;
      place[d] = 0;
    }
  }
}

function* sideBySide({ file, bytes }: Grid, start: number | undefined): Generator<Stored> {
  if (start === undefined) return;
  for (let address = start; ; address += bytes) {
    file.spend(1);
    yield { address, size: bytes, skipped: 0 };
  }
}

/** An element of an array of chunks, of as many bytes. */
function element({ file, bytes, isFiltered }: Grid, cursor: Cursor, size: number): Stored {
  const address = cursor.address();
  if (!isFiltered) return { address, size: bytes, skipped: 0 };
  return { address, size: cursor.uint(size - file.offsetSize - 4), skipped: cursor.u32() };
}

/** VII.C. Elements lie in pages, each with a checksum, where there are more than a page takes. */
function* fixedArray(grid: Grid, address: number | undefined): Generator<Stored> {
  if (address === undefined) return;
  const { file } = grid;
  const head = file.signed('FAHD', address).skip(2);
  const size = head.u8();
  const page = 2 ** head.u8();
  const count = head.length();
  const data = head.address();
  if (data === undefined) return;
  const block = file.signed('FADB', data).skip(2 + file.offsetSize);
  const isPaged = count > page;
  if (isPaged) block.skip(Math.ceil(Math.ceil(count / page) / 8) + 4);
  for (let i = 0; i < count; i++) {
    if (isPaged && i > 0 && i % page === 0) block.skip(4);
    yield element(grid, block, size);
  }
}

/** VII.D. The first elements lie in the index block, others in blocks that grow; their addresses there, or in further blocks. */
function* extensibleArray(grid: Grid, address: number | undefined): Generator<Stored> {
  if (address === undefined) return;
  const { file } = grid;
  const head = file.signed('EAHD', address).skip(2);
  const size = head.u8();
  const [maxBits, inIndex, smallest, pointers, pageBits] = [head.u8(), head.u8(), head.u8(), head.u8(), head.u8()];
  const root = head.skip(6 * file.lengthSize).address();
  if (root === undefined) return;
  const [offsetBytes, page] = [Math.ceil(maxBits / 8), 2 ** pageBits];
  if (smallest < 1 || pointers < 1) throw damaged(file.what, 'an index of chunks has no sound sizes');
  const index = file.signed('EAIB', root).skip(2 + file.offsetSize);
  for (let i = 0; i < inIndex; i++) yield element(grid, index, size);
  const absent: Stored = { address: undefined, size: 0, skipped: 0 };

  /** Level k has 2^(k/2) blocks of 2^((k+1)/2) times the smallest number of elements. */
  const direct = 2 * Math.floor(Math.log2(pointers));
  const levels = 1 + maxBits - Math.floor(Math.log2(smallest));
  for (let level = 0; level < levels; level++) {
    const blocks = 2 ** Math.floor(level / 2);
    const elements = smallest * 2 ** Math.ceil(level / 2);
    let addresses = index;
    if (level >= direct) {
      const next = index.address();
      if (next === undefined) return;
      addresses = file.signed('EASB', next).skip(2 + file.offsetSize + offsetBytes);
      if (elements > page) addresses.skip(blocks * Math.ceil(elements / page / 8));
    }
    for (let b = 0; b < blocks; b++) {
      const at = addresses.address();
      const block = at === undefined ? undefined : file.signed('EADB', at).skip(2 + file.offsetSize + offsetBytes);
      if (block && elements > page) block.skip(4);
      for (let i = 0; i < elements; i++) {
        if (block && elements > page && i > 0 && i % page === 0) block.skip(4);
        file.spend(1);
        yield block ? element(grid, block, size) : absent;
      }
    }
  }
}

/** Records of a B-tree of version 2, which say the place. */
function* ofRecords(grid: Grid, tree: number | undefined): Generator<Chunk> {
  if (tree === undefined) return;
  for (const record of treeRecords(grid.file, tree)) {
    const { address, size, skipped } = element(grid, record, record.left - 8 * grid.counts.length);
    const place = grid.counts.map(() => record.uint(8));
    if (address !== undefined) yield { place, address, size, skipped };
  }
}
