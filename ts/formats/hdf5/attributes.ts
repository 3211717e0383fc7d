import { treeRecords } from './btree.ts';
import { type Cursor, damaged, type Hdf5File, textUntilZero } from './file.ts';
import { ATTRIBUTE, ATTRIBUTE_INFO, DATASPACE, DATATYPE, type Message, sharedBody } from './header.ts';
import { FractalHeap, type GlobalHeap } from './heaps.ts';
import { readDataspace, readDatatype, readValues } from './types.ts';

/** The attributes of an object by name: each is read when it is asked for. */
export function findAttributes(
  file: Hdf5File,
  messages: readonly Message[],
  heap: GlobalHeap,
): Map<string, () => unknown> {
  const found = new Map<string, () => unknown>();
  const add = (body: Cursor) => {
    const [name, read] = readAttribute(body, heap);
    if (!found.has(name)) found.set(name, read);
  };
  for (const message of messages) {
    if (message.type === ATTRIBUTE) add(message.body());
    if (message.type === ATTRIBUTE_INFO) for (const body of manyAttributes(file, message.body())) add(body);
  }
  return found;
}

/** Those of an object that has more than a few (IV.A.2.v). */
function* manyAttributes(file: Hdf5File, info: Cursor): Generator<Cursor> {
  const flags = info.skip(1).u8();
  if (flags & 1) info.skip(2);
  const address = info.address();
  const tree = info.address();
  if (address === undefined) return;
  const objects = new FractalHeap(file, address);
  for (const record of treeRecords(file, tree)) yield objects.get(record.part(8));
}

/** An attribute message (IV.A.2.m). */
function readAttribute(cursor: Cursor, heap: GlobalHeap): [name: string, read: () => unknown] {
  const { what } = cursor.file;
  const [version, flags] = [cursor.u8(), cursor.u8()];
  if (version < 1 || version > 3) throw damaged(what, `an attribute message of version ${version}`);
  const padded = (size: number) => (version === 1 ? 8 * Math.ceil(size / 8) : size);
  const sizes = [cursor.u16(), cursor.u16(), cursor.u16()] as const;
  if (version === 3) cursor.skip(1);
  const name = cursor.part(padded(sizes[0]));
  const [type, space] = [cursor.part(padded(sizes[1])), cursor.part(padded(sizes[2]))];
  const text = textUntilZero(name.bytes(sizes[0]));
  const read = () => {
    const datatype = readDatatype(version > 1 && flags & 1 ? sharedBody(type, DATATYPE) : type);
    const dataspace = readDataspace(version > 1 && flags & 2 ? sharedBody(space, DATASPACE) : space);
    return readValues(cursor, datatype, dataspace, heap);
  };
  return [text, read];
}
