import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';

/** @typedef {Record<string, Uint8Array>} Parts */

/** The files of a zip archive. */
export function unzip(/** @type {Uint8Array} */ bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end--;
  let at = view.getUint32(end + 16, true);
  /** @type {Parts} */
  const parts = {};
  for (let n = view.getUint16(end + 8, true); n > 0; n--) {
    const [method, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const lengths = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + lengths[0]));
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const packed = bytes.subarray(start, start + size);
    parts[name] = new Uint8Array(method === 8 ? inflateRawSync(packed) : packed);
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
  return parts;
}

/** A zip archive whose sizes and CRCs are right, unless `lie` gives others (`size` of what is unpacked). */
export function zip(
  /** @type {Parts} */ parts,
  { deflate = false, /** @type {number | undefined} */ lie = undefined } = {},
) {
  /** @type {Buffer[]} */
  const local = [];
  /** @type {Buffer[]} */
  const directory = [];
  let offset = 0;
  for (const [name, data] of Object.entries(parts)) {
    const rawName = Buffer.from(name);
    const packed = deflate ? deflateRawSync(data) : data;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(lie ?? data.length, 18);
    common.writeUInt16LE(rawName.length, 22);
    local.push(Buffer.from('PK\x03\x04'), common, rawName, Buffer.from(packed));
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, rest, rawName);
    offset += 30 + rawName.length + packed.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(Object.keys(parts).length, 8);
  end.writeUInt16LE(Object.keys(parts).length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return new Uint8Array(Buffer.concat([...local, ...directory, end]));
}
