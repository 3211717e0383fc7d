import { GruError } from '../../base/errors.ts';

/**
 * Messages of object headers, as far as jsfive reads them wrongly or without checks. Layouts: HDF5 File Format
 * Specification 3.0, IV.A.2.
 */

export function damaged(what: string, why: string): GruError {
  return new GruError('invalid_file', `${what}: damaged HDF5 file: ${why}`);
}

const FIXED_POINT = 0;
const FLOATING_POINT = 1;
const STRING = 3;
const VARIABLE_LENGTH = 9;

/** Element sizes in bytes -> bits of exponent and mantissa, and the exponent's bias (IEEE 754). */
const IEEE = new Map([
  [2, { exponent: 5, mantissa: 10, bias: 15 }],
  [4, { exponent: 8, mantissa: 23, bias: 127 }],
  [8, { exponent: 11, mantissa: 52, bias: 1023 }],
]);

/** Whether a datatype message says IEEE floats of 2, 4 or 8 bytes, which jsfive takes for granted. */
export function isIeeeFloat(view: DataView, offset: number): boolean {
  if (offset + 20 > view.byteLength || (view.getUint8(offset) & 15) !== FLOATING_POINT) return false;
  const size = view.getUint32(offset + 4, true);
  const expected = IEEE.get(size);
  return (
    expected !== undefined &&
    view.getUint16(offset + 8, true) === 0 &&
    view.getUint16(offset + 10, true) === 8 * size &&
    view.getUint8(offset + 2) === 8 * size - 1 &&
    view.getUint8(offset + 12) === expected.mantissa &&
    view.getUint8(offset + 13) === expected.exponent &&
    view.getUint8(offset + 14) === 0 &&
    view.getUint8(offset + 15) === expected.mantissa &&
    view.getUint32(offset + 16, true) === expected.bias
  );
}

/**
 * Checks an attribute message before jsfive reads it: that the elements it says to have are in it, since jsfive allocates
 * and loops for as many as the message says.
 *
 * @returns Its name, and whether its type is one that is read (numbers, strings).
 */
export function checkAttribute(
  view: DataView,
  offset: number,
  size: number,
  what: string,
): { name: string; readable: boolean } {
  const end = offset + size;
  if (end > view.byteLength || size < 8) throw damaged(what, 'an attribute reaches beyond the end of the file');
  const version = view.getUint8(offset);
  if (version !== 1 && version !== 3) {
    throw new GruError('unsupported', `${what}: attribute message of version ${version}; supported: 1 and 3`);
  }
  if (version === 3 && view.getUint8(offset + 1) !== 0) {
    throw new GruError('unsupported', `${what}: an attribute has a shared datatype`);
  }
  const padded = (n: number) => (version === 1 ? 8 * Math.ceil(n / 8) : n);
  const nameSize = view.getUint16(offset + 2, true);
  const nameStart = offset + (version === 1 ? 8 : 9);
  const type = nameStart + padded(nameSize);
  const space = type + padded(view.getUint16(offset + 4, true));
  const data = space + padded(view.getUint16(offset + 6, true));
  if (data > end || type + 8 > end || space + 4 > end) throw damaged(what, 'an attribute has no room for its parts');
  const bytes = new Uint8Array(view.buffer, view.byteOffset + nameStart, nameSize);
  const name = new TextDecoder().decode(bytes).replace(/\0.*$/s, '');

  const typeClass = view.getUint8(type) & 15;
  const elementSize = view.getUint32(type + 4, true);
  const isNumber = (typeClass === FIXED_POINT || typeClass === FLOATING_POINT) && [1, 2, 4, 8].includes(elementSize);
  const isString = typeClass === STRING || (typeClass === VARIABLE_LENGTH && (view.getUint8(type + 1) & 15) === 1);
  if (!isString && !isNumber) return { name, readable: false };

  const dimensions = view.getUint8(space + 1);
  const first = space + (view.getUint8(space) === 1 ? 8 : 4);
  if (first + 8 * dimensions > data) throw damaged(what, `attribute '${name}' has no room for its dimensions`);
  let bytesNeeded = typeClass === VARIABLE_LENGTH ? 16 : Math.max(elementSize, 1);
  for (let d = 0; d < dimensions; d++) bytesNeeded *= Number(view.getBigUint64(first + 8 * d, true));
  if (bytesNeeded > end - data) throw damaged(what, `attribute '${name}' says to have more values than it has`);
  return { name, readable: true };
}

/** Where a data-layout message says the data are; undefined: never written. */
export function dataRange(view: DataView, offset: number, what: string): [start: number, size: number] | undefined {
  if (offset + 18 > view.byteLength) throw damaged(what, 'its layout reaches beyond the end of the file');
  const version = view.getUint8(offset);
  const layout = view.getUint8(offset + 1);
  if (version !== 3 || layout > 1) {
    const found =
      version === 3 ? (['compact', 'contiguous', 'chunked'][layout] ?? `class ${layout}`) : `version ${version}`;
    throw new GruError(
      'unsupported',
      `${what}: its data layout is ${found}; supported: compact and contiguous (as Keras writes; no chunks, no compression)`,
    );
  }
  if (layout === 0) return [offset + 4, view.getUint16(offset + 2, true)];
  const start = view.getBigUint64(offset + 2, true);
  const size = Number(view.getBigUint64(offset + 10, true));
  return start === 0xffff_ffff_ffff_ffffn ? undefined : [Number(start), size];
}
