import { GruError } from '../base/errors.ts';

/** The end of a zip file (without a comment), its ZIP64 record, and the locator of that, which come in front of it in this order. */
const [END, RECORD, LOCATOR] = [22, 56, 20];
const SIGNATURES = { end: 0x06054b50, record: 0x06064b50, locator: 0x07064b50 };

/** A zip file by offset and length. */
export interface ZipBytes {
  size: number;
  read: (offset: number, length: number) => Uint8Array;
}

/**
 * The file without ZIP64 records that say nothing new, which PyTorch writes into each: zip.js looks for the directory in front of the last
 * record, so 76 bytes too far behind, and takes it from there where a file of it begins, as it does when the first has a name of 30 bytes.
 *
 * @throws GruError `invalid_file` where they say something else than the last record does: it would be read in two ways.
 */
export function withoutSpareZip64(bytes: Uint8Array, what: string): ZipBytes {
  const whole = {
    size: bytes.length,
    read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
  };
  const end = bytes.length - END;
  const start = end - LOCATOR - RECORD;
  if (start < 0) return whole;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number) => view.getUint32(at, true);
  const isThere =
    u32(end) === SIGNATURES.end && u32(end - LOCATOR) === SIGNATURES.locator && u32(start) === SIGNATURES.record;
  const [files, size, offset] = [view.getUint16(end + 10, true), u32(end + 12), u32(end + 16)];
  if (!isThere || files === 0xffff || size === 0xffffffff || offset === 0xffffffff) return whole;
  const says = [32, 40, 48].map((at) => view.getBigUint64(start + at, true));
  if ([files, size, offset].some((value, i) => BigInt(value) !== says[i])) {
    throw new GruError(
      'invalid_file',
      `${what}: the zip file has two ends that differ (ZIP64 and plain): write it again`,
    );
  }
  const read = (from: number, length: number) => {
    const to = from + length;
    if (to <= start) return bytes.subarray(from, to);
    const rest = bytes.subarray(end + Math.max(from - start, 0), end + to - start);
    if (from >= start) return rest;
    const joined = new Uint8Array(start - from + rest.length);
    joined.set(bytes.subarray(from, start));
    joined.set(rest, start - from);
    return joined;
  };
  return { size: bytes.length - RECORD - LOCATOR, read };
}
