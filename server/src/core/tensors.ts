import type { Tensors, Values } from './model.ts';

const HEADER = 4;

/** Tensors as bytes: the length of a JSON header, the header, and the values in its order, little-endian. */
export function encodeTensors(tensors: Tensors): Uint8Array {
  const entries = Object.entries(tensors);
  const header = Buffer.from(
    JSON.stringify(entries.map(([name, data]) => [name, data instanceof Int32Array ? 'INT32' : 'FP32', data.length])),
  );
  const length = Buffer.alloc(HEADER);
  length.writeUInt32LE(header.length);
  return Buffer.concat([length, header, ...entries.map(([, data]) => bytesOf(data))]);
}

/** What {@link encodeTensors} made. */
export function decodeTensors(bytes: Uint8Array): Tensors {
  const all = Buffer.from(bytes);
  const end = HEADER + all.readUInt32LE(0);
  const header = JSON.parse(all.toString('utf8', HEADER, end)) as [string, 'FP32' | 'INT32', number][];
  let at = end;
  return Object.fromEntries(
    header.map(([name, datatype, length]) => [name, valuesFrom(datatype, all.subarray(at, (at += 4 * length)))]),
  );
}

/** The bytes of values: a view where the machine is little-endian, which all that run V8 today are. */
export function bytesOf({ buffer, byteOffset, byteLength }: Values): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A copy of bytes as values, whatever their alignment. */
export function valuesFrom(datatype: 'FP32' | 'INT32', bytes: Uint8Array): Values {
  const { buffer } = Uint8Array.from(bytes);
  return datatype === 'INT32' ? new Int32Array(buffer) : new Float32Array(buffer);
}
