import { GruError } from '../base/errors.ts';
import { allocate } from '../base/limits.ts';
import { describe } from '../base/tensor.ts';
import { kindOf, sizeOf } from '../base/typed-array.ts';
import { readState, type Slots, stateLength } from './slots.ts';

/**
 * 'GRUs', the version of the layout, the model's fingerprint, the number of values; then the values. From version 2 on the names of the
 * state slots follow: how many UTF-16 units, the units, zeros to a multiple of 4 bytes. Last, in every version from 2 on, the CRC-32 of
 * all bytes before it. All little-endian.
 */
const MAGIC = 0x73555247;
const VERSION = 2;
const CHECKSUM = 4;
const FINGERPRINT = 16;
const HEADER = 4 + 4 + FINGERPRINT + 4;

/**
 * 128 bits that differ between models: four chains of multiply and rotate over the words of the saved model. Not
 * cryptographic: it tells models apart, it does not defend against forgery.
 */
export function fingerprint(saved: Uint8Array): Uint8Array {
  const lanes = Int32Array.of(0x243f6a88, -0x7a5cf72e, 0x13198a2e, 0x03707344);
  const words = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  for (let at = 0; at < saved.length; at += 4) {
    // Weights of 8 bits may end within a word.
    const word =
      at + 4 > saved.length ? saved.subarray(at).reduce((all, byte) => (all << 8) | byte) : words.getInt32(at, true);
    const lane = (at >> 2) & 3;
    const mixed = Math.imul(lanes[lane]! ^ word, 0x2c1b3c6d);
    lanes[lane] = ((mixed << 13) | (mixed >>> 19)) + lanes[(lane + 1) & 3]!;
  }
  lanes.forEach((value, lane) => (lanes[lane] = Math.imul(value ^ (value >>> 15) ^ saved.length, 0x297a2d39)));
  return new Uint8Array(lanes.buffer.slice(0));
}

/** Bytes that the names of the slots take. */
function namesSize(length: number): number {
  return 4 + 4 * Math.ceil(length / 2);
}

/** State values as bytes. They are read into where they stay: thousands of snapshots a second are a buffer each, not two. */
export function encodeSnapshot(state: Slots, print: Uint8Array, slots: string): Uint8Array {
  const length = stateLength(state);
  const names = HEADER + 4 * length;
  const end = names + namesSize(slots.length);
  const bytes = new Uint8Array(end + CHECKSUM);
  const values = new Float32Array(bytes.buffer, HEADER, length);
  readState(state, values);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  bytes.set(print, 8);
  view.setUint32(HEADER - 4, length, true);
  // No forEach: it makes an object of each value, 1 KB of garbage for 64 of them.
  for (let i = 0; i < length; i++) view.setFloat32(HEADER + 4 * i, values[i]!, true);
  view.setUint32(names, slots.length, true);
  // No TextEncoder: an AudioWorklet has none.
  for (let i = 0; i < slots.length; i++) view.setUint16(names + 4 + 2 * i, slots.charCodeAt(i), true);
  view.setUint32(end, checksum(bytes.subarray(0, end)), true);
  return bytes;
}

/** The CRC-32 of zip, by a table of bytes; that of its reader has 4096 of words. */
function checksum(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255]!;
  return ~crc >>> 0;
}

const TABLE = Int32Array.from({ length: 256 }, (_, c) => {
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/**
 * State values from bytes.
 *
 * @throws GruError `invalid_file` for bytes that are no snapshot, a damaged one, or that of another model or batch.
 */
export function decodeSnapshot(given: unknown, print: Uint8Array, slots: string, length: number): Float32Array {
  if (kindOf(given) !== 'Uint8Array') {
    throw new GruError('dtype_mismatch', `snapshot: expected a Uint8Array, got ${describe(given)}`);
  }
  const size = sizeOf(given as Uint8Array);
  const fail = (message: string) => new GruError('invalid_file', `snapshot: ${message}`);
  if (size < HEADER) throw fail(`${size} bytes that are no snapshot of a hidden state`);
  const bytes = allocate(size, 'snapshot', () => new Uint8Array(given as Uint8Array));
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== MAGIC) throw fail(`${size} bytes that are no snapshot of a hidden state`);
  const version = view.getUint32(4, true);
  const end = version === 1 ? size : size - CHECKSUM;
  if (version !== 1 && (size % 4 !== 0 || view.getUint32(end, true) !== checksum(bytes.subarray(0, end)))) {
    throw fail('it is damaged: its checksum is another');
  }
  if (version < 1 || version > VERSION)
    throw new GruError('unsupported', `snapshot: version ${version}, this is ${VERSION}`);
  const count = view.getUint32(HEADER - 4, true);
  const at = HEADER + 4 * count;
  const names = version === 1 ? undefined : readNames(view, at, end);
  const sameNames = names === slots.slice(0, MOST_NAMES);
  if (print.some((byte, i) => byte !== bytes[8 + i])) {
    // What is alike would say nothing.
    let pair = [names ?? `${count} values`, slots];
    if (sameNames) pair = [`${count} values`, `${length}`];
    if (sameNames && count === length) {
      pair = [bytes.subarray(8, 8 + FINGERPRINT), print].map((of) => `the fingerprint ${of.join('.')}`);
    }
    const [its, own] = pair.map((side) => side || 'no states');
    throw fail(`it was taken from another model or precision: it holds ${its!}, this one has ${own!}`);
  }
  const known = HEADER + 4 * length + (version === 1 ? 0 : namesSize(slots.length));
  if (count !== length || end !== known) {
    const older = sameNames ? '' : '; an older version kept no past';
    throw fail(
      `expected ${length} values of ${slots || 'no states'}, got ${count} in ${size} bytes, not ${known + size - end}${older}`,
    );
  }
  return Float32Array.from({ length }, (_, i) => view.getFloat32(HEADER + 4 * i, true));
}

/** Units of the names of slots, a line of them. */
const MOST_NAMES = 200;

/** The names of the slots, at most so many. */
function readNames(view: DataView, at: number, end: number): string {
  if (at + 4 > end) return '';
  const length = Math.min(view.getUint32(at, true), Math.floor((end - at - 4) / 2), MOST_NAMES);
  return String.fromCharCode(...Array.from({ length }, (_, i) => view.getUint16(at + 4 + 2 * i, true)));
}
