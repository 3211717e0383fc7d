import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ByteSource } from '../../ts/cli/files/bytes.ts';
import type { DataFormat } from '../../ts/cli/files/format.ts';
import { openRows } from '../../ts/cli/files/rows.ts';
import { cellsOf, rowText, textRows } from '../../ts/cli/files/text.ts';
import { writeWavHeader } from '../../ts/cli/files/wav.ts';
import { readNpyHeader } from '../../ts/io/npy.ts';
import { folder } from './gru.ts';

const at = folder();

/** The rows of a file of `size` values a row. */
async function rows(name: string, content: Uint8Array | string, size = 1, ids?: number): Promise<number[]> {
  writeFileSync(at(name), content);
  const format = name.split('.').at(-1)! as DataFormat;
  const source = await openRows(await ByteSource.open(at(name)), format, size, ids);
  const all: number[] = [];
  for await (const block of source!.blocks) all.push(...block);
  return all;
}

describe('lines of JSON', () => {
  test('are arrays of numbers; null is NaN', async () => {
    expect(await rows('a.ndjson', '[1,2]\n\n [3, null]\n', 2)).toEqual([1, 2, 3, NaN]);
  });

  test.each(['null', '"x"', '{"x":[[1,2]]}', '{]', '5', 'x,y', '1,2', '[1,2', '['.repeat(100_000)])(
    '%.20s is refused, on the first line too',
    async (line) => {
      for (const [text, number] of [[`${line}\n[1,2]\n`, 1], [`[1,2]\n${line}\n`, 2]] as const) {
        await expect(rows('b.ndjson', text, 2)).rejects.toThrow(`line ${number}: is no JSON array`);
      }
    },
  ); // prettier-ignore

  test.each(['[1,"2"]', '[1,true]', '[1,[2]]', '[1,1e39]', '[1,-1e400]'])('%s has a value that is none', async (line) => {
    await expect(rows('c.ndjson', line, 2)).rejects.toThrow(/line 1: value 2 is no number of float32/);
  }); // prettier-ignore
});

describe('numbers of CSV', () => {
  test('a first line of names is passed over, infinities and NaN are written as such', async () => {
    expect(await rows('a.csv', 'x,y\n1,inf\n-Infinity,nan\n', 2)).toEqual([1, Infinity, -Infinity, NaN]);
    expect(await rows('a.csv', '3.4028234e38\n')).toEqual([Math.fround(3.4028234e38)]);
  });

  test.each(['0x10', '0b1', '0o7', '-0x1', '1_000', '1e', '.', '+', '1.2.3', 'Infinit', '\u0661'])(
    '%s is no decimal number, and no name in the first line but for words',
    async (cell) => {
      const wrong = /line 2: value 1 is no number of float32/;
      await expect(rows('d.csv', `1\n${cell}\n`)).rejects.toThrow(wrong);
      if (/^-?0/.test(cell)) await expect(rows('d.csv', `${cell}\n1\n`)).rejects.toThrow(/line 1: value 1/);
    },
  );

  test.each([['+1', 1], ['.5', 0.5], ['5.', 5], ['-1E-2', Math.fround(-0.01)], ['"3"', 3], ['007', 7]] as const)('%s is %d', async (cell, value) => {
    expect(await rows('d.csv', `${cell}\n`)).toEqual([value]);
  }); // prettier-ignore

  test.each(['1,,3', '1,2,', ',1,2', '1;;2'])('an empty cell is none: %s', async (line) => {
    await expect(rows('e.csv', `1,2,3\n${line}\n`, 3)).rejects.toThrow(/line 2: value \d is no number of float32/);
  });

  test.each(['1e39', '-1e400', '9'.repeat(400)])('%.10s is beyond float32', async (cell) => {
    await expect(rows('b.csv', `1\n${cell}\n`)).rejects.toThrow(/line 2: value 1 is no number of float32/);
  });
});

describe('a line of names', () => {
  test.each<[string, number]>([
    ['x,y,z', 3],
    ['"x","y, in volts","z ""1"""', 3],
    ['# x y z', 3],
    ['Temperature °C;Luftdruck;humidité', 3],
    ['\ufeffx\ty\tz', 3],
    ['temperature of the oil', 1],
    ['_0', 1],
  ])('%s is passed over, behind empty lines too', async (names, size) => {
    const row = Array.from({ length: size }, (_, i) => i);
    for (const before of ['', '\n \n']) {
      expect(await rows('a.csv', `${before}${names}\n${row.join(' ')}\n`, size)).toEqual(row);
    }
  });

  const MISSING = ['', 'NA', 'N/A', 'null', 'None', 'true', '#N/A', '#VALUE!', '-', '?'];
  const ODD = ["'1'", '1.5V', '$1', '1d5', '\u22121', '\u0661', '2020-01-01', '--1', '(1)', '<NA>', '1a'];
  test.each([...MISSING, ...ODD])('is not one of %s: data that are no numbers are told', async (cell) => {
    for (const size of [1, 3]) {
      const first = Array.from({ length: size }, () => `"${cell}"`).join(',');
      await expect(rows('a.csv', `${first}\n1,2,3\n`, size)).rejects.toThrow(/a\.csv, line 1: value 1 is no number/);
    }
    await expect(rows('a.csv', `x,y,${cell}\n1,2,3\n`, 3)).rejects.toThrow(/line 1: value 1 is no number/);
  });

  test('is the first, of as many names as there are columns, and has rows below it', async () => {
    await expect(rows('a.csv', '1|2|3\n1,2,3\n', 3)).rejects.toThrow(/line 1: value 1 is no number .*: 1\|2\|3$/);
    await expect(rows('a.csv', 'time,x\n1,2,3\n', 3)).rejects.toThrow(/line 1: 2 names, and the model takes 3 values/);
    await expect(rows('a.csv', 'x,y\nz,w\n1,2\n', 2)).rejects.toThrow(/line 2: value 1/);
    for (const end of ['', '\n', '\n\n \n']) {
      await expect(rows('a.csv', `\nx,y${end}`, 2)).rejects.toThrow(/line 2: names of columns, and no row after them/);
    }
    expect(await rows('a.csv', '\n\n')).toEqual([]);
  });
});

describe('what is between cells', () => {
  test('is the same in a line', async () => {
    for (const line of ['1, 2,3', '1 ;2; 3', '1\t 2\t3', ' 1  2 3 ', '"1","2" , "3"', '"1" "2" 3']) {
      expect(await rows('a.csv', `${line}\r\n`, 3), line).toEqual([1, 2, 3]);
    }
    await expect(rows('a.csv', '1,5;2,5\n', 4)).rejects.toThrow(/value 1 is no number of float32: 1,5;2,5/);
    await expect(rows('a.csv', '1\t\t3\n', 2)).rejects.toThrow(/value 2 is no number/);
  });

  test('is a tab in a .tsv file', async () => {
    expect(await rows('a.tsv', 'one name\tanother, of two\n1\t2\n', 2)).toEqual([1, 2]);
    for (const line of ['1,2', '1 2', '1;2']) {
      await expect(rows('a.tsv', line, 2)).rejects.toThrow(/value 1 is no number/);
    }
    await expect(rows('a.tsv', '\t1\n', 1)).rejects.toThrow(/value 1 is no number/);
  });

  test.each([
    ['a,b', ['a', 'b']],
    ['"a;b",c', ['a;b', 'c']],
    ['"a,b",c', ['a,b', 'c']],
    ['"say ""a, b""", "" ,"x"', ['say "a, b"', '', 'x']],
    ['"a b" c', ['a b', 'c']],
    ['"a"b,"c', ['"a"b', '"c']],
    [',', ['', '']],
    ['""', ['']],
  ])('is no part of a cell, but in quotes: %s', (line, cells) => {
    expect(cellsOf(line)).toEqual(cells);
  });
});

test('infinities are texts in JSON, which has no words for them', async () => {
  const values = [1.5, Infinity, -Infinity, NaN];
  const line = rowText(values, { json: true, separator: ',' });
  expect(line).toBe('[1.5,"Infinity","-Infinity",null]\n');
  expect(await rows('a.ndjson', `${line}["NaN",0,0,0]\n`, 4)).toEqual([...values, NaN, 0, 0, 0]);
});

test('a line that comes in many pieces is joined once', async () => {
  // Joined at each piece it would be half a terabyte.
  const piece = new Uint8Array(64).fill(0x31);
  let left = 2 ** 17;
  const source = { name: 'stdin', next: () => Promise.resolve(left-- > 0 ? piece : undefined) };
  const read = textRows(source as unknown as ByteSource, 1);
  await expect(read.next()).rejects.toThrow(/^stdin, line 1: value 1 is no number of float32: 1{60}$/);
});

describe('ids that are none: the file, and which', () => {
  const npy = (type: string, data: ArrayBufferView) => {
    const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (3,), }`.padEnd(117) + '\n';
    const head = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0, ...Buffer.from(text)];
    return Uint8Array.from([...head, ...new Uint8Array(data.buffer)]);
  };
  test.each<[string, Uint8Array | string, RegExp]>([
    ['a.csv', 'letter\n5\n\n99\n', /a\.csv, line 4: value 1 is no id from 0 to 71: 99$/],
    ['a.csv', '1.5\n', /a\.csv, line 1: value 1 is no id from 0 to 71: 1\.5$/],
    ['a.ndjson', '[5]\n[null]\n', /a\.ndjson, line 2: value 1 is no id from 0 to 71/],
    ['a.npy', npy('<i8', BigInt64Array.of(5n, 4294967299n, 6n)), /a\.npy: value 2 is no id from 0 to 71: 4294967299$/],
    ['a.npy', npy('<i4', Int32Array.of(5, 6, -16777217)), /a\.npy: value 3 is no id from 0 to 71: -16777217$/],
    ['a.npy', npy('<f4', Float32Array.of(5, 2 ** 30, 6)), /a\.npy: value 2 is no id from 0 to 71: about 1073741824$/],
  ])('%s', async (name, content, message) => {
    await expect(rows(name, content, 1, 72)).rejects.toThrow(message);
  });
});

describe('a WAV file', () => {
  /** Two samples of float32 with one field of the header changed. */
  const wav = (change: (view: DataView) => void) => {
    const bytes = new Uint8Array(52);
    bytes.set(writeWavHeader(2, 1, 8000));
    new DataView(bytes.buffer).setFloat32(44, 0.5, true);
    change(new DataView(bytes.buffer));
    return bytes;
  };

  test('is read, of an unknown length too', async () => {
    expect(
      await rows(
        'a.wav',
        wav(() => undefined),
      ),
    ).toEqual([0.5, 0]);
    for (const length of [0, 0xffff_ffff]) {
      expect(await rows('a.wav', wav((view) => { view.setUint32(40, length, true); }))).toEqual([0.5, 0]); // prettier-ignore
    }
  });

  test.each<[string, (view: DataView) => void, RegExp]>([
    ['more bytes than it has', (view) => { view.setUint32(40, 1000, true); }, /ends too early for the 1000 bytes that it says/],
    ['bytes that are no whole samples', (view) => { view.setUint32(40, 7, true); }, /7 bytes of sound are no whole frames of 4/],
    ['a frame of other bytes', (view) => { view.setUint16(32, 3, true); }, /1 channels of 32 bits in 3 bytes, 8000 times a second/],
    ['no channels', (view) => { view.setUint16(22, 0, true); }, /0 channels of 32 bits in 4 bytes/],
    ['no samples a second', (view) => { view.setUint32(24, 0, true); }, /0 times a second/],
    ['samples of 12 bits', (view) => { view.setUint16(34, 12, true); }, /12 bits/],
    ['a head that goes on for ever', (view) => { view.setUint32(16, 0xffff_fff0, true); }, /no WAV file, or a damaged one/],
  ])('that says %s is refused', async (_, change, message) => {
    await expect(rows('b.wav', wav(change))).rejects.toThrow(message);
  }); // prettier-ignore
});

describe('the shape in the header of a .npy file', () => {
  const header = (shape: string) => {
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
    return Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0, ...Buffer.from(text)]);
  };
  test.each<[string, number[]]>([['()', []], ['(3,)', [3]], ['(3, )', [3]], ['(2, 4)', [2, 4]], ['(2,4,)', [2, 4]], ['(0, 7)', [0, 7]]])(
    '%s', (text, shape) => {
      expect(readNpyHeader(header(text), 'x').shape).toEqual(shape);
    },
  ); // prettier-ignore

  test.each(['(2, , 2)', '(,)', '(, 2)', '(-1, 2)', '(2.5,)', '(2 2)', '[2]'])('%s is refused', (text) => {
    expect(() => readNpyHeader(header(text), 'x')).toThrow(/damaged header/);
  });
});

test.each<[string, (values: Float64Array) => Uint8Array]>([
  ['a.npy', (values) => {
    const text = `{'descr': '<f8', 'fortran_order': False, 'shape': (${values.length}, 1), }`.padEnd(117) + '\n';
    return Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0, ...Buffer.from(text), ...new Uint8Array(values.buffer)]);
  }],
  ['a.wav', (values) => {
    const bytes = Buffer.concat([writeWavHeader(2 * values.length, 1, 8000), new Uint8Array(values.buffer)]);
    bytes.writeUInt16LE(8, 32);
    bytes.writeUInt16LE(64, 34);
    return bytes;
  }],
])('numbers of 64 bits in %s: one beyond float32 is refused, as in text', async (name, file) => {
  expect(await rows(name, file(Float64Array.of(1e-300, 3.4e38, -Infinity)))).toEqual([0, Math.fround(3.4e38), -Infinity]);
  await expect(rows(name, file(Float64Array.of(1, -1e300)))).rejects.toMatchObject({
    name: 'CommandError',
    message: expect.stringMatching(/a\.(npy|wav) holds -1e\+300, beyond float32, whose largest is 3\.4e38$/) as string,
  });
}); // prettier-ignore

test('a .npy file that ends early says its shape', async () => {
  const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 1), }".padEnd(117) + '\n';
  const bytes = Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0, ...Buffer.from(text), 0, 0, 0, 0]);
  await expect(rows('a.npy', bytes)).rejects.toThrow(/ends too early for a shape of \[4294967296, 1\]/);
  await expect(rows('a.f32', Uint8Array.of(0, 0, 0, 0, 1))).rejects.toThrow(/ends too early, within a number/);
}); // prettier-ignore
