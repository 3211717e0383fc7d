import { type Cursor, damaged, type Hdf5File, unsupported } from './file.ts';

/** Types of messages (IV.A.2). */
export const DATASPACE = 1;
export const LINK_INFO = 2;
export const DATATYPE = 3;
export const LINK = 6;
export const LAYOUT = 8;
export const FILTERS = 11;
export const ATTRIBUTE = 12;
const CONTINUATION = 16;
export const SYMBOL_TABLE = 17;
export const ATTRIBUTE_INFO = 21;

/** A message of an object header. */
export interface Message {
  type: number;
  /** Its body lies elsewhere: it says where. */
  shared: boolean;
  /** Reads its body anew. */
  body(): Cursor;
}

/** The messages of the object whose header lies at an address (IV.A.1). */
export function readHeader(file: Hdf5File, address: number | undefined): Message[] {
  const start = file.at(address);
  const version = start.u8();
  if (version === 1) return readVersion1(start);
  if (version === 0x4f) return readVersion2(file.signed('OHDR', address));
  throw damaged(file.what, 'there is no object where one should be');
}

function readVersion1(cursor: Cursor): Message[] {
  const { file } = cursor;
  let count = cursor.skip(1).u16();
  const size = cursor.skip(4).u32();
  const blocks = [cursor.skip(4).part(size)];
  const messages: Message[] = [];
  for (const block of blocks) {
    while (count > 0 && block.left >= 8) {
      count--;
      const [type, length, flags] = [block.u16(), block.u16(), block.u8()];
      const body = block.skip(3).part(length);
      if (type === CONTINUATION) blocks.push(file.at(body.address(), body.length()));
      else messages.push(message(file, type, flags, body));
    }
  }
  return messages;
}

function readVersion2(cursor: Cursor): Message[] {
  const { file } = cursor;
  if (cursor.u8() !== 2) throw damaged(file.what, 'an object header has an unknown version');
  const flags = cursor.u8();
  if (flags & 0x20) cursor.skip(16);
  if (flags & 0x10) cursor.skip(4);
  const blocks = [cursor.part(cursor.uint(1 << (flags & 3)))];
  const messages: Message[] = [];
  const ordered = flags & 4 ? 2 : 0;
  for (const block of blocks) {
    // less than the head of a message is a gap
    while (block.left >= 4 + ordered) {
      const [type, length, messageFlags] = [block.u8(), block.u16(), block.u8()];
      const body = block.skip(ordered).part(length);
      if (type === CONTINUATION) {
        const next = file.signed('OCHK', body.address());
        // its size has the signature and a checksum in it
        blocks.push(next.part(body.length() - 8));
      } else messages.push(message(file, type, messageFlags, body));
    }
  }
  return messages;
}

function message(file: Hdf5File, type: number, flags: number, { position, end }: Cursor): Message {
  return { type, shared: (flags & 2) !== 0, body: () => file.at(position, end - position) };
}

/** The body of a message that lies with another object, a datatype that has a name. */
export function sharedBody(cursor: Cursor, type: number): Cursor {
  const { file } = cursor;
  const [version, kind] = [cursor.u8(), cursor.u8()];
  if (version < 1 || version > 3) throw damaged(file.what, `a shared message of version ${version}`);
  if (version === 1) cursor.skip(6);
  if (version === 3 && kind === 1) throw unsupported(file.what, 'a heap of shared messages is not read');
  const found = readHeader(file, cursor.address()).find((m) => m.type === type && !m.shared);
  if (!found) throw damaged(file.what, 'a shared message is not where it should be');
  return found.body();
}
