import { builtin } from '../base/host.ts';

/** Tables of slicing-by-16: one look-up a byte, sixteen bytes a turn (10 MB take 9 ms; one table takes 25 ms). */
const TABLES = ((): Int32Array[] => {
  const tables = Array.from({ length: 16 }, () => new Int32Array(256));
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    tables[0]![i] = c;
  }
  for (let t = 1; t < 16; t++) {
    for (let i = 0; i < 256; i++) {
      const c = tables[t - 1]![i]!;
      tables[t]![i] = tables[0]![c & 255]! ^ (c >>> 8);
    }
  }
  return tables;
})();

type NativeCrc = (bytes: Uint8Array) => number;

/** Node's own: 10 MB take 2 ms. (Types of Node 20.19 do not know it.) */
const native = (builtin('node:zlib') as { crc32?: NativeCrc } | undefined)?.crc32;

/** The CRC-32 of zip (ISO 3309, reflected polynomial 0xedb88320), as an unsigned number. */
export const crc32: NativeCrc = native ? (bytes) => native(bytes) : portableCrc32;

/** {@link crc32} where the host has none. */
export function portableCrc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] = TABLES;
  let c = -1;
  let i = 0;
  for (; i + 16 <= bytes.length; i += 16) {
    const x = c ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    c =
      t15![x & 255]! ^
      t14![(x >>> 8) & 255]! ^
      t13![(x >>> 16) & 255]! ^
      t12![x >>> 24]! ^
      t11![bytes[i + 4]!]! ^
      t10![bytes[i + 5]!]! ^
      t9![bytes[i + 6]!]! ^
      t8![bytes[i + 7]!]! ^
      t7![bytes[i + 8]!]! ^
      t6![bytes[i + 9]!]! ^
      t5![bytes[i + 10]!]! ^
      t4![bytes[i + 11]!]! ^
      t3![bytes[i + 12]!]! ^
      t2![bytes[i + 13]!]! ^
      t1![bytes[i + 14]!]! ^
      t0![bytes[i + 15]!]!;
  }
  for (; i < bytes.length; i++) c = t0![(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
