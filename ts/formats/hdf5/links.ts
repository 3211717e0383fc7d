import { treeEntries, treeRecords } from './btree.ts';
import { type Cursor, damaged, decodeText, type Hdf5File } from './file.ts';
import { LINK, LINK_INFO, type Message, SYMBOL_TABLE } from './header.ts';
import { FractalHeap, localHeap } from './heaps.ts';

/** Where a member of a group lies: its header's address, or that it is a link by name. */
export type Target = number | 'soft link' | 'link to another file' | undefined;

/** Whether an object is a group: undefined where it is not. */
export function findLinks(file: Hdf5File, messages: readonly Message[]): Map<string, Target> | undefined {
  const links = new Map<string, Target>();
  let isGroup = false;
  const add = ([name, target]: [string, Target]) => {
    if (name !== '' && name !== '.' && name !== '..' && !name.includes('/')) links.set(name, target);
  };
  for (const message of messages) {
    switch (message.type) {
      case SYMBOL_TABLE:
        for (const link of symbols(file, message.body())) add(link);
        break;
      case LINK:
        add(readLink(message.body()));
        break;
      case LINK_INFO:
        for (const link of manyLinks(file, message.body())) add(link);
        break;
      default:
        continue;
    }
    isGroup = true;
  }
  return isGroup ? links : undefined;
}

/** Members of a group of the older form (III.B, III.C): tables of symbols in a tree, their names in a heap. */
function* symbols(file: Hdf5File, message: Cursor): Generator<[string, Target]> {
  const [tree, heap] = [message.address(), message.address()];
  const nameAt = localHeap(file, heap);
  for (const { child } of treeEntries(file, tree, 0, file.lengthSize)) {
    const table = file.signed('SNOD', child).skip(2);
    for (let count = table.u16(); count > 0; count--) {
      const [name, header] = [nameAt(table.uint(file.offsetSize)), table.address()];
      const cache = table.u32();
      table.skip(20);
      yield [name, cache === 2 ? 'soft link' : header];
    }
  }
}

/** Links of a group that has more than a few (IV.A.2.c). */
function* manyLinks(file: Hdf5File, info: Cursor): Generator<[string, Target]> {
  const flags = info.skip(1).u8();
  if (flags & 1) info.skip(8);
  const [address, tree] = [info.address(), info.address()];
  if (address === undefined) return;
  const heap = new FractalHeap(file, address);
  // the hash of the name, and the link's id
  for (const record of treeRecords(file, tree)) yield readLink(heap.get(record.skip(4)));
}

/** A link message (IV.A.2.g). */
function readLink(message: Cursor): [string, Target] {
  const [version, flags] = [message.u8(), message.u8()];
  if (version !== 1) throw damaged(message.file.what, `a link of version ${version}`);
  const type = flags & 8 ? message.u8() : 0;
  if (flags & 4) message.skip(8);
  if (flags & 16) message.skip(1);
  const name = decodeText(message.bytes(message.uint(1 << (flags & 3))));
  return [name, type === 0 ? message.address() : type === 1 ? 'soft link' : 'link to another file'];
}
