import { type Cursor, damaged, type Hdf5File, sizeFor } from './file.ts';

/** Deepest tree: nodes of two children would hold 2^32. */
const MAX_DEPTH = 32;

/**
 * The leaves of a B-tree of version 1 (III.A.1): the key before each child, and where the child is.
 *
 * @param kind 0: of groups, 1: of chunks.
 */
export function* treeEntries(
  file: Hdf5File,
  address: number | undefined,
  kind: 0 | 1,
  keySize: number,
  level?: number,
): Generator<{ key: Cursor; child: number | undefined }> {
  const node = file.signed('TREE', address);
  const [found, own, count] = [node.u8(), node.u8(), node.u16()];
  if (found !== kind) throw damaged(file.what, 'a tree is of another kind');
  if (own !== (level ?? own) || own > MAX_DEPTH) throw damaged(file.what, 'a tree has the wrong depth');
  node.skip(2 * file.offsetSize);
  for (let i = 0; i < count; i++) {
    file.spend(keySize);
    const key = node.part(keySize);
    const child = node.address();
    if (own === 0) yield { key, child };
    else yield* treeEntries(file, child, kind, keySize, own - 1);
  }
}

/** The records of a B-tree of version 2 (III.A.2), without order. */
export function* treeRecords(file: Hdf5File, address: number | undefined): Generator<Cursor> {
  const head = file.signed('BTHD', address).skip(2);
  const [nodeSize, recordSize, depth] = [head.u32(), head.u16(), head.u16()];
  const root = head.skip(2).address();
  const count = head.u16();
  if (depth > MAX_DEPTH || recordSize === 0) throw damaged(file.what, 'a tree has no sound sizes');
  if (root === undefined) return;
  // Signature, version, type and checksum of a node take 10 bytes. Records that a node of a level and its children hold:
  const leafRecords = Math.floor((nodeSize - 10) / recordSize);
  const countSize = sizeFor(leafRecords);
  const totalSizes = [0];
  let total = leafRecords;
  for (let level = 1; level <= depth; level++) {
    const pointer = file.offsetSize + countSize + totalSizes[level - 1]!;
    const records = Math.floor((nodeSize - 10 - pointer) / (recordSize + pointer));
    total = (records + 1) * total + records;
    totalSizes.push(Math.min(sizeFor(total), 8));
  }
  yield* nodeRecords(root, count, depth);

  function* nodeRecords(at: number | undefined, records: number, level: number): Generator<Cursor> {
    const node = file.signed(level === 0 ? 'BTLF' : 'BTIN', at).skip(2);
    for (let i = 0; i < records; i++) {
      file.spend(recordSize);
      yield node.part(recordSize);
    }
    if (level === 0) return;
    for (let i = 0; i <= records; i++) {
      const child = node.address();
      const held = node.uint(countSize);
      node.skip(totalSizes[level - 1]!);
      yield* nodeRecords(child, held, level - 1);
    }
  }
}
