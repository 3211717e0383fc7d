import { valuesFrom } from '../core/tensors.ts';
import type { Port, Values } from '../core/model.ts';
import { ServeError } from '../errors.ts';
import { checkDatatype, quote, valuesOf } from './messages.ts';

/** Bytes of a tensor, little-endian, row after row. @throws ServeError where datatype or length are not those of the input. */
export function decodeRaw(port: Port, shape: readonly number[], datatype: unknown, bytes: Uint8Array): Values {
  checkDatatype(port, datatype);
  const what = `input ${port.name}`;
  const expected = valuesOf(shape) * (datatype === 'INT64' ? 8 : 4);
  if (bytes.length !== expected) {
    throw new ServeError('bad_request', `${what}: shape ${quote(shape)} is ${expected} bytes, got ${bytes.length}`);
  }
  return datatype === 'INT64' ? narrow(port, bytes) : valuesFrom(port.datatype, bytes);
}

function narrow(port: Port, bytes: Uint8Array): Int32Array {
  const wide = new BigInt64Array(Uint8Array.from(bytes).buffer);
  return Int32Array.from(wide, (value) => {
    const id = Number(value);
    if ((id | 0) === id) return id;
    throw new ServeError('bad_request', `input ${port.name}: ${value} is no INT32`);
  });
}
