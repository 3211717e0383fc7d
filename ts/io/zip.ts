import { inflateSync } from 'fflate';
import { ZipReader } from '@zip.js/zip.js/lib/zip-core-reader.js';
import type { ReadBudget } from './budget.ts';
import { GruError } from '../base/errors.ts';
import { crc32 } from './crc32.ts';
import { withoutSpareZip64 } from './zip64.ts';

/** A zip file opened for reading. */
export interface ZipArchive {
  /** The files in it, in the order of its directory; folders are left out. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Bytes of a file once unpacked, as the directory says. @throws GruError `invalid_file` when there is no such file. */
  size(name: string): number;
  /**
   * The bytes of a file, its CRC checked. A stored one (as PyTorch and Keras write) is a view of the archive, not a copy.
   *
   * @throws GruError `invalid_file` when it is missing or damaged, `unsupported` for another method than stored and deflate.
   */
  read(name: string): Promise<Uint8Array>;
}

interface Entry {
  size: number;
  packedSize: number;
  offset: number;
  method: number;
  crc: number;
  rawName: Uint8Array;
}

/** One entry takes about 2 KB while the directory is read, but 46 bytes in the file. */
const MAX_ENTRIES = 10_000;
/**
 * All that is unpacked from one archive: its size and this much. Weights hardly shrink, so real models stay far below. Readers
 * make up to five times as many bytes of it (float16 to float32, then another layout).
 */
const MAX_UNPACKED_EXTRA = 12 * 2 ** 20;

/** Bytes up to which a file is unpacked by fflate (10 us): the host's stream, faster a byte, takes 75 us to set up. */
const SMALL = 2 ** 14;

const STORED = 0;
const DEFLATE = 8;
const LOCAL_HEADER_SIZE = 30;

/** Whether the bytes start as a zip file does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Reads the directory of a zip file (ZIP64 too).
 *
 * @param what Names the file in errors.
 * @param budget What may be unpacked.
 * @throws GruError `invalid_file` when the archive is damaged, has bytes in two of its files or could be read in two ways,
 * `unsupported` when it is encrypted, split or has more than 10,000 files.
 */
export async function openZip(
  bytes: Uint8Array,
  what: string,
  budget?: Pick<ReadBudget, 'spend'>,
): Promise<ZipArchive> {
  const entries = await readDirectory(bytes, what);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let unpacked = 0;

  const entry = (name: string): Entry => {
    const found = entries.get(name);
    if (!found) throw new GruError('invalid_file', `${what}: there is no '${name}' in the zip file`);
    return found;
  };
  /** The entry's packed bytes: behind its local header, whose name and extra field have lengths of their own. */
  const packed = (name: string, { offset, packedSize, rawName, method }: Entry): Uint8Array => {
    const fail = (why: string) => new GruError('invalid_file', `${what}: '${name}' in the zip file is damaged: ${why}`);
    if (offset < 0 || offset + LOCAL_HEADER_SIZE > bytes.length || view.getUint32(offset, true) !== 0x04034b50) {
      throw fail(`no local header at byte ${offset}`);
    }
    const nameStart = offset + LOCAL_HEADER_SIZE;
    const nameLength = view.getUint16(offset + 26, true);
    const start = nameStart + nameLength + view.getUint16(offset + 28, true);
    const localName = bytes.subarray(nameStart, nameStart + nameLength);
    if (localName.length !== rawName.length || localName.some((byte, i) => byte !== rawName[i])) {
      throw fail('its local header has another name');
    }
    if (view.getUint16(offset + 8, true) !== method) throw fail('its local header has another compression method');
    if (start + packedSize > bytes.length) {
      throw fail(`${packedSize} bytes are said to follow byte ${start}, the file has ${bytes.length}`);
    }
    return bytes.subarray(start, start + packedSize);
  };

  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    size: (name) => entry(name).size,
    async read(name) {
      const found = entry(name);
      const { size, packedSize, method, crc } = found;
      const raw = packed(name, found);
      let data = raw;
      if (method === DEFLATE) {
        unpacked += size;
        if (unpacked > bytes.length + MAX_UNPACKED_EXTRA) {
          throw new GruError(
            'unsupported',
            `${what}: its files unpack to 12 MB more than its own size ('${name}' alone to ${size} bytes); store them without compression`,
          );
        }
        budget?.spend(size, `${what}: '${name}' in the zip file`);
        const file = `${what}: '${name}' in the zip file`;
        data = Math.max(size, packedSize) > SMALL ? await inflate(raw, size, file) : inflateSmall(raw, size, file);
      } else if (method !== STORED) {
        throw new GruError(
          'unsupported',
          `${what}: '${name}' is compressed by zip method ${method}; supported: stored (0), deflate (8)`,
        );
      } else if (size !== packedSize) {
        throw new GruError(
          'invalid_file',
          `${what}: '${name}' is stored, but its two sizes differ: ${size}, ${packedSize}`,
        );
      }
      if (crc32(data) !== crc) {
        throw new GruError('invalid_file', `${what}: '${name}' in the zip file is damaged: its CRC does not match`);
      }
      return data;
    },
  };
}

async function readDirectory(bytes: Uint8Array, what: string): Promise<Map<string, Entry>> {
  if (!isZip(bytes)) throw new GruError('invalid_file', `${what}: not a zip file with files in it`);
  const { size, read } = withoutSpareZip64(bytes, what);
  const source = {
    size,
    init: () => Promise.resolve(),
    readUint8Array: (offset: number, length: number) => Promise.resolve(read(offset, length)),
  };
  const reader = new ZipReader(source as unknown as ConstructorParameters<typeof ZipReader>[0], {
    strictness: 'balanced',
    maxAppendedDataSize: 0,
    filenameValidation: 'tolerant',
  });
  const entries = new Map<string, Entry>();
  let count = 0;
  try {
    for await (const found of reader.getEntriesGenerator()) {
      if (++count > MAX_ENTRIES) {
        throw new GruError('unsupported', `${what}: the zip file holds more than ${MAX_ENTRIES} files`);
      }
      if (found.encrypted)
        throw new GruError('unsupported', `${what}: '${found.filename}' in the zip file is encrypted`);
      // By its name, as Python and PyTorch see it: by its attributes it could be hidden.
      if (found.rawFilename.at(-1) === 0x2f) continue;
      // Some readers take the name of an extra field (0x7075) instead; PyTorch's does not.
      const plain = asciiName(found.rawFilename);
      if (plain !== undefined && plain !== found.filename) {
        throw new GruError(
          'invalid_file',
          `${what}: '${plain}' in the zip file has a second name, '${found.filename}', by which it is another file; write the archive again`,
        );
      }
      if (entries.has(found.filename)) {
        throw new GruError('invalid_file', `${what}: '${found.filename}' comes twice in the zip file`);
      }
      entries.set(found.filename, {
        size: found.uncompressedSize,
        packedSize: found.compressedSize,
        offset: found.offset,
        method: found.compressionMethod,
        crc: (found.crc32 ?? 0) >>> 0,
        rawName: found.rawFilename,
      });
    }
  } catch (cause) {
    if (cause instanceof GruError) throw cause;
    const { message, reason } = cause as Error & { reason?: string };
    const why = reason ? `${message} (${reason})` : message;
    throw new GruError('invalid_file', `${what}: not a readable zip file: ${why}`, { cause });
  }
  checkApart(entries, what);
  return entries;
}

const decoder = new TextDecoder();

/** A name of ASCII alone, of which there are not two readings. */
function asciiName(raw: Uint8Array): string | undefined {
  return raw.every((byte) => byte < 0x80) ? decoder.decode(raw) : undefined;
}

/** Bytes of two files would be read twice, and so on: time in proportion to the square of the archive's size. */
function checkApart(entries: ReadonlyMap<string, Entry>, what: string): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.offset - b.offset);
  let end = 0;
  for (const [name, { offset, packedSize, rawName }] of sorted) {
    if (offset < end) {
      throw new GruError('invalid_file', `${what}: '${name}' overlaps another file in the zip file`);
    }
    end = offset + LOCAL_HEADER_SIZE + rawName.length + packedSize;
  }
}

function damagedFile(what: string, why: string, cause?: unknown): GruError {
  return new GruError('invalid_file', `${what} is damaged: ${why}`, cause === undefined ? {} : { cause });
}

/** {@link inflate} at once. */
function inflateSmall(packed: Uint8Array, size: number, what: string): Uint8Array {
  let data: Uint8Array;
  try {
    // One byte more than there should be tells whether there are too many.
    data = inflateSync(packed, { out: new Uint8Array(size + 1) });
  } catch (cause) {
    throw damagedFile(what, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (data.length > size) throw damagedFile(what, `it unpacks to more than the ${size} bytes that the directory says`);
  if (data.length < size) throw damagedFile(what, `it unpacks to ${data.length} bytes, the directory says ${size}`);
  return data;
}

/** Unpacks to exactly `size` bytes; stops as soon as there are more. */
async function inflate(packed: Uint8Array, size: number, what: string): Promise<Uint8Array> {
  const damaged = (why: string, cause?: unknown) => damagedFile(what, why, cause);
  const stream = new Blob([packed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
    .getReader();
  const data = new Uint8Array(size);
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await stream.read();
      if (done) break;
      if (length + value.length > size) {
        throw damaged(`it unpacks to more than the ${size} bytes that the directory says`);
      }
      data.set(value, length);
      length += value.length;
    }
  } catch (cause) {
    stream.cancel().catch(() => undefined);
    throw cause instanceof GruError ? cause : damaged(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (length !== size) throw damaged(`it unpacks to ${length} bytes, the directory says ${size}`);
  return data;
}
