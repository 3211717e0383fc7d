import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../../ts/io/crc32.ts';

/** A file to put into a zip; what is left out is derived. */
export interface ZipFile {
  name: string;
  data: Uint8Array;
  method?: 0 | 8;
  /** In the extra field 0x7075, with the CRC of `name`; bit 11, which says that `name` is UTF-8, is not set then. */
  unicodeName?: string;
  /** Write other values than the true ones into the directory. */
  lie?: { size?: number; packedSize?: number; crc?: number; offset?: number; method?: number; localName?: string };
}

/** A zip file like PyTorch's: general-purpose bit 3 set and no sizes in the local headers; with ZIP64 records on request: needed ones, or
 * (`spare`) as PyTorch writes them, beside true values in the plain record. */
export function writeZip(files: ZipFile[], { zip64 = false }: { zip64?: boolean | 'spare' } = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  const push = (...bytes: Uint8Array[]) => {
    for (const b of bytes) {
      parts.push(b);
      offset += b.length;
    }
  };
  for (const { name, data, method = 0, unicodeName, lie = {} } of files) {
    const rawName = new TextEncoder().encode(name);
    const localName = new TextEncoder().encode(lie.localName ?? name);
    const packed = method === 8 ? new Uint8Array(deflateRawSync(data)) : data;
    const start = lie.offset ?? offset;
    push(
      fields('4:67324752 2:45 2:2056 2:', [method, '2:0 2:33 4:0 4:0 4:0 2:', localName.length, '2:0']),
      localName,
      packed,
    );
    push(fields('4:134695760 4:', [crc32(data), '4:', packed.length, '4:', data.length]));
    const size = lie.size ?? data.length;
    const packedSize = lie.packedSize ?? packed.length;
    const needed = zip64 === true;
    const sizes = needed ? fields('2:1 2:24 8:', [size, '8:', packedSize, '8:', start]) : [];
    const other = new TextEncoder().encode(unicodeName);
    const named = unicodeName === undefined ? [] : fields('2:28789 2:', [5 + other.length, '1:1 4:', crc32(rawName)]);
    const extra = Uint8Array.of(...sizes, ...named, ...other);
    const [size32, packed32, start32] = needed ? [0xffffffff, 0xffffffff, 0xffffffff] : [size, packedSize, start];
    directory.push(
      fields(`4:33639248 2:45 2:45 2:${unicodeName === undefined ? 2056 : 8} 2:`, [
        lie.method ?? method,
        '2:0 2:33 4:',
        lie.crc ?? crc32(data),
      ]),
      fields('4:', [packed32, '4:', size32, '2:', rawName.length, '2:', extra.length, '2:0 2:0 2:0 4:0 4:', start32]),
      rawName,
      extra,
    );
  }
  const directoryStart = offset;
  push(...directory);
  const directorySize = offset - directoryStart;
  if (zip64) {
    const record = offset;
    push(
      fields('4:101075792 8:44 2:45 2:45 4:0 4:0 8:', [
        files.length,
        '8:',
        files.length,
        '8:',
        directorySize,
        '8:',
        directoryStart,
      ]),
    );
    push(fields('4:117853008 4:0 8:', [record, '4:1']));
  }
  const needed = zip64 === true;
  const count = needed ? 0xffff : files.length;
  push(
    fields('4:101010256 2:0 2:0 2:', [count, '2:', count, '4:', needed ? 0xffffffff : directorySize]),
    fields('4:', [needed ? 0xffffffff : directoryStart, '2:0']),
  );
  const out = new Uint8Array(offset);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Little-endian fields written as `bytes:value`; a `bytes:` at the end of a string takes the number that follows. */
function fields(first: string, rest: (string | number)[]): Uint8Array {
  const words = [first, ...rest]
    .join(' ')
    .replaceAll(/: (?=\d)/g, ':')
    .trim()
    .split(' ');
  const bytes = words.flatMap((word) => {
    const [size, value] = word.split(':') as [string, string];
    return Array.from({ length: Number(size) }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
  });
  return Uint8Array.from(bytes);
}
