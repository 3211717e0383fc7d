import { afterEach, describe, expect, test, vi } from 'vitest';
import { crc32, portableCrc32 } from '../../ts/io/crc32.ts';
import { isZip, openZip } from '../../ts/io/zip.ts';
import { random } from '../random.ts';
import { mutate, survives } from './mutate.ts';
import { writeZip, type ZipFile } from './zip-writer.ts';

const text = (s: string) => new TextEncoder().encode(s);
const hello: ZipFile = { name: 'm/a.txt', data: text('hello zip') };
const packed: ZipFile = { name: 'm/b', data: text('again and '.repeat(500)), method: 8 };

test.each([crc32, portableCrc32])('crc32 gives the standard check values', (crc) => {
  expect(crc(text('123456789'))).toBe(0xcbf43926);
  expect(crc(text('The quick brown fox jumps over the lazy dog'))).toBe(0x414fa339);
  expect(crc(text(''))).toBe(0);
});

describe.each([false, true, 'spare'] as const)('a zip file (zip64: %s)', (zip64) => {
  test('gives its files; stored ones as views', async () => {
    const bytes = writeZip([hello, packed, { name: 'empty', data: text('') }], { zip64 });
    expect(isZip(bytes)).toBe(true);
    const zip = await openZip(bytes, 'x.zip');
    expect(zip.names).toEqual(['m/a.txt', 'm/b', 'empty']);
    expect(zip.size('m/b')).toBe(5000);
    expect((await zip.read('m/a.txt')).buffer).toBe(bytes.buffer);
    expect(await zip.read('m/a.txt')).toEqual(hello.data);
    expect(await zip.read('m/b')).toEqual(packed.data);
    expect(await zip.read('empty')).toEqual(text(''));
    await expect(zip.read('m/c')).rejects.toMatchObject({
      code: 'invalid_file',
      message: expect.stringMatching(/'m\/c'/) as string,
    });
  });

  test.each<[string, ZipFile['lie'] & object, string, RegExp]>([
    ['another CRC', { crc: 1 }, 'invalid_file', /CRC/],
    ['two sizes', { size: 4 }, 'invalid_file', /two sizes/],
    ['too large a size', { size: 1e9, packedSize: 1e9 }, 'invalid_file', /./],
    ['an offset elsewhere', { offset: 7 }, 'invalid_file', /./],
    ['another local name', { localName: 'm/x.txt' }, 'invalid_file', /name/],
    ['another method', { method: 12 }, 'invalid_file', /method/],
  ])('is refused with %s', async (_, lie, code, message) => {
    const bytes = writeZip([{ ...hello, lie }], { zip64 });
    const read = async () => (await openZip(bytes, 'x.zip')).read('m/a.txt');
    await expect(read()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});

test.each([false, true, 'spare'] as const)(
  'the first file may have a name of any length (zip64: %s)',
  async (zip64) => {
    // 46 bytes and the name are the first record of the directory; PyTorch's ZIP64 records are 76.
    for (let length = 1; length <= 120; length++) {
      const name = 'n'.repeat(length);
      const zip = await openZip(writeZip([{ ...hello, name }, packed], { zip64 }), 'x.zip');
      expect(zip.names).toEqual([name, 'm/b']);
      expect(await zip.read(name)).toEqual(hello.data);
    }
  },
);

test.each([32, 40, 48])('ZIP64 records that differ from the plain one (byte %i) are refused', async (at) => {
  const bytes = writeZip([hello, packed], { zip64: 'spare' });
  bytes[bytes.length - 98 + at]! ^= 1;
  await expect(openZip(bytes, 'x.zip')).rejects.toMatchObject({
    code: 'invalid_file',
    message: expect.stringMatching(/two ends that differ/) as string,
  });
});

test('a name of the Unicode field that is another is refused; that of one which is no ASCII is taken', async () => {
  const files = (unicodeName: string) => writeZip([{ ...hello, unicodeName }, packed]);
  expect((await openZip(files('m/a.txt'), 'x.zip')).names).toEqual(['m/a.txt', 'm/b']);
  // PyTorch would read one file, a reader of that field the other.
  await expect(openZip(files('m/c'), 'x.zip')).rejects.toMatchObject({
    code: 'invalid_file',
    message: expect.stringMatching(/'m\/a\.txt'.*second name, 'm\/c'/) as string,
  });
  const accented = writeZip([{ ...hello, name: 'm\u00e8/a', unicodeName: 'me/a' }]);
  expect((await openZip(accented, 'x.zip')).names).toEqual(['me/a']);
});

test('a file that unpacks to more than it says is refused', async () => {
  const bomb = writeZip([{ name: 'z', data: new Uint8Array(4_000_000), method: 8, lie: { size: 100 } }]);
  await expect((await openZip(bomb, 'x.zip')).read('z')).rejects.toThrow(/more than the 100 bytes/);
});

test.each([12, 5_000, 100_000])('sizes that lie are refused, of a file of %d bytes', async (size) => {
  const data = Uint8Array.from({ length: size }, (_, i) => i % 7);
  for (const [said, message] of [
    [size - 1, /more than the \d+ bytes/],
    [size + 1, new RegExp(`unpacks to ${size} bytes, the directory says`)],
  ] as const) {
    const zip = await openZip(writeZip([{ name: 'z', data, method: 8, lie: { size: said } }]), 'x.zip');
    await expect(zip.read('z')).rejects.toMatchObject({
      code: 'invalid_file',
      message: expect.stringMatching(message) as string,
    });
  }
});

describe('a stream of the host', () => {
  afterEach(() => void vi.unstubAllGlobals());

  test('unpacks large files alone: small ones are many, and it takes longer to set up than they to unpack', async () => {
    let streams = 0;
    class Counted extends DecompressionStream {
      constructor(format: CompressionFormat) {
        streams++;
        super(format);
      }
    }
    vi.stubGlobal('DecompressionStream', Counted);
    const files = Array.from({ length: 1000 }, (_, i) => ({
      name: `f${i}`,
      data: text(`${i} `.repeat(9)),
      method: 8 as const,
    }));
    const large = { name: 'large', data: new Uint8Array(100_000), method: 8 as const };
    const zip = await openZip(writeZip([...files, large]), 'x.zip');
    for (const { name, data } of files) expect(await zip.read(name)).toEqual(data);
    expect(streams).toBe(0);
    expect(await zip.read('large')).toEqual(large.data);
    expect(streams).toBe(1);
  });
});

test('what unpacks to far more than the file is refused before it is unpacked', async () => {
  const bomb = writeZip([{ name: 'z', data: new Uint8Array(40_000_000), method: 8 }]);
  await expect((await openZip(bomb, 'x.zip')).read('z')).rejects.toMatchObject({ code: 'unsupported' });
});

test('a name that comes twice, and data before the archive, are refused', async () => {
  await expect(openZip(writeZip([hello, hello]), 'x.zip')).rejects.toThrow(/twice/);
  const zip = writeZip([hello]);
  await expect(openZip(Uint8Array.from([1, 2, 3, ...zip]), 'x.zip')).rejects.toThrow(/not a zip file/);
});

test('files that overlap are refused: a file of n bytes would be read n times', async () => {
  const inner = writeZip([hello]).subarray(0, 30 + hello.name.length + hello.data.length);
  const outer: ZipFile = { name: 'outer', data: inner };
  const whole = await openZip(writeZip([outer, { ...hello, name: 'm/b.txt' }]), 'x.zip');
  expect(await whole.read('outer')).toEqual(inner);
  for (const method of [0, 8] as const) {
    const inside = { ...hello, lie: { offset: 30 + 'outer'.length } };
    const nested = writeZip([{ ...outer, method }, inside]);
    await expect(openZip(nested, 'x.zip')).rejects.toMatchObject({
      code: 'invalid_file',
      message: "x.zip: 'm/a.txt' overlaps another file in the zip file",
    });
  }
  const same = [hello, { ...hello, name: 'm/b.txt', lie: { offset: 0 } }];
  await expect(openZip(writeZip(same), 'x.zip')).rejects.toThrow(/overlaps/);
});

test('folders are told by their names, not by attributes, by which a file could be hidden', async () => {
  const bytes = writeZip([hello, { name: 'm/', data: text('') }]);
  const at = bytes.findIndex((_, i) => text('PK\x01\x02').every((byte, j) => bytes[i + j] === byte));
  bytes[at + 38] = 0x10;
  expect((await openZip(bytes, 'x.zip')).names).toEqual(['m/a.txt']);
});

test('more than 10,000 files are refused', async () => {
  const many = Array.from({ length: 10_001 }, (_, i) => ({ name: `f${i}`, data: text('') }));
  await expect(openZip(writeZip(many), 'x.zip')).rejects.toThrow(/10000 files/);
});

describe('hostile zip files', () => {
  const readAll = async (bytes: Uint8Array) => {
    const zip = await openZip(bytes, 'x.zip');
    for (const name of zip.names) await zip.read(name);
  };
  const small = writeZip([hello, { ...packed, data: text('abcabcabcabc') }]);
  const zip64 = writeZip([hello, { ...packed, data: text('abcabcabcabc') }], { zip64: true });

  test('cut at every byte', async () => {
    for (const bytes of [small, zip64]) {
      for (let n = 0; n < bytes.length; n++) await survives(readAll, bytes.subarray(0, n));
    }
  });

  test('mutated', async () => {
    const next = random(1);
    for (let i = 0; i < 3000; i++) await survives(readAll, mutate(i % 2 ? small : zip64, next));
  });
});
