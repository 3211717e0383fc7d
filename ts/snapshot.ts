import { GruError } from './errors.ts';
import { describe } from './tensor.ts';

/** 'GRUs', the version of the layout, the model's fingerprint, the number of values; then the values, all little-endian. */
const MAGIC = 0x73555247;
const VERSION = 1;
const FINGERPRINT = 16;
const HEADER = 4 + 4 + FINGERPRINT + 4;

/**
 * 128 bits that differ between models: four chains of multiply and rotate over the words of the saved model. Not
 * cryptographic: it tells models apart, it does not defend against forgery.
 */
export function fingerprint(saved: Uint8Array): Uint8Array {
  const lanes = Int32Array.of(0x243f6a88, -0x7a5cf72e, 0x13198a2e, 0x03707344);
  const words = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  const whole = saved.length - (saved.length % 4);
  for (let at = 0; at < saved.length; at += 4) {
    const word = at < whole ? words.getInt32(at, true) : saved[at]!;
    const lane = (at >> 2) & 3;
    const mixed = Math.imul(lanes[lane]! ^ word, 0x2c1b3c6d);
    lanes[lane] = ((mixed << 13) | (mixed >>> 19)) + lanes[(lane + 1) & 3]!;
  }
  lanes.forEach((value, lane) => (lanes[lane] = Math.imul(value ^ (value >>> 15) ^ saved.length, 0x297a2d39)));
  return new Uint8Array(lanes.buffer.slice(0));
}

/** Hidden values as bytes. */
export function encodeSnapshot(hidden: Float32Array, print: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + 4 * hidden.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  bytes.set(print, 8);
  view.setUint32(HEADER - 4, hidden.length, true);
  hidden.forEach((value, i) => {
    view.setFloat32(HEADER + 4 * i, value, true);
  });
  return bytes;
}

/**
 * Hidden values from bytes.
 *
 * @throws GruError `invalid_file` for bytes that are no snapshot, or that of another model or batch.
 */
export function decodeSnapshot(bytes: unknown, print: Uint8Array, length: number): Float32Array {
  if (!(bytes instanceof Uint8Array)) {
    throw new GruError('dtype_mismatch', `snapshot: expected a Uint8Array, got ${describe(bytes)}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER || view.getUint32(0, true) !== MAGIC) {
    throw new GruError('invalid_file', `snapshot: ${bytes.length} bytes that are no snapshot of a hidden state`);
  }
  const version = view.getUint32(4, true);
  if (version !== VERSION) throw new GruError('unsupported', `snapshot: version ${version}, this is ${VERSION}`);
  if (print.some((byte, i) => byte !== bytes[8 + i])) {
    throw new GruError('invalid_file', 'snapshot: it was taken from another model');
  }
  const count = view.getUint32(HEADER - 4, true);
  if (count !== length || bytes.length !== HEADER + 4 * count) {
    const got = `${count} in ${bytes.length} bytes`;
    throw new GruError('invalid_file', `snapshot: expected ${length} hidden values, got ${got}`);
  }
  return Float32Array.from({ length }, (_, i) => view.getFloat32(HEADER + 4 * i, true));
}
