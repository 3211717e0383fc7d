import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { ReadBudget } from '../../ts/io/budget.ts';
import { Hdf5File } from '../../ts/formats/hdf5/file.ts';
import { Hdf5Dataset, Hdf5Group, openHdf5 } from '../../ts/formats/hdf5.ts';
import { writeH5 } from './h5-writer.ts';
import { random } from '../random.ts';
import { mutate } from './mutate.ts';
import { wordsOf } from './refusal.ts';

/** Patches of a small file, each of which a reader that believes it follows for ever or takes any memory for. */

const file = writeH5({
  attributes: { text: 'a text of its own', list: ['one', 'two', 'three'] },
  members: {
    group: { members: { inner: { shape: [2, 3], data: new Float32Array(6) } } },
    other: { shape: [4], data: new Float32Array(4) },
  },
});
const view = new DataView(file.buffer);
const find = (text: string, from = 0) => Buffer.from(file).indexOf(text, from, 'latin1');

/** Object headers, in the file's order: of inner, group, other, the root. Each has its size at byte 8. */
const ROOT = Number(view.getBigUint64(64, true));
/** Messages of an object header: where their bodies are. */
function messages(header: number): { type: number; at: number; body: number }[] {
  const list = [];
  let at = header + 16;
  for (let n = view.getUint16(header + 2, true); n > 0; n--) {
    list.push({ type: view.getUint16(at, true), at, body: at + 8 });
    at += 8 + view.getUint16(at + 2, true);
  }
  return list;
}
const bodyOf = (header: number, type: number) => messages(header).find((m) => m.type === type)!.body;
const tables = [find('SNOD')];
for (let at = find('SNOD', tables[0]! + 1); at >= 0; at = find('SNOD', at + 1)) tables.push(at);
const [INNER, GROUP] = [
  Number(view.getBigUint64(tables[0]! + 16, true)),
  Number(view.getBigUint64(tables[1]! + 16, true)),
];

const [DATASPACE, LAYOUT, ATTRIBUTE, CONTINUATION, SYMBOLS] = [1, 8, 12, 16, 17];
type Patch = (view: DataView) => void;
const byte = (at: number, value: number) => (v: DataView) => {
  v.setUint8(at, value);
};
const word16 = (at: number, value: number) => (v: DataView) => {
  v.setUint16(at, value, true);
};
const word32 = (at: number, value: number) => (v: DataView) => {
  v.setUint32(at, value, true);
};
const word64 = (at: number, value: bigint) => (v: DataView) => {
  v.setBigUint64(at, value, true);
};
const HUGE = 0xffff_ffff_ffff_fff0n;

/** All of a file. */
function readAll(bytes: Uint8Array): void {
  const root = openHdf5(bytes, 'file.h5');
  root.attribute('text');
  root.attribute('list');
  for (const path of ['group/inner', 'other']) root.dataset(path)?.floats();
  let group = root.group('group');
  for (let depth = 0; group && depth < 100; depth++) group = group.group('group') ?? group.group('inner');
}

test('the file as it should be', () => {
  readAll(file);
  const root = openHdf5(file, 'file.h5');
  expect(root.attribute('text')).toBe('a text of its own');
  expect(root.attribute('list')).toEqual(['one', 'two', 'three']);
  expect(root.dataset('group/inner')).toMatchObject({ shape: [2, 3], dtype: '<f4' });
});

const attribute = messages(ROOT).filter(({ type }) => type === ATTRIBUTE);
const list = attribute.at(-1)!.body;
// after the header of the attribute, its name and its type of 8 bytes: version, dimensions, flags, sizes from byte 8
const listSpace = list + 8 + 8 + 8;
const text = attribute[0]!.body;
const textData = text + 8 + 8 + 16 + 8;

const goesOnInItself: Patch = (v) => {
  const { at, body } = messages(ROOT)[1]!;
  v.setUint16(ROOT + 2, 65_535, true);
  v.setUint16(at, CONTINUATION, true);
  v.setBigUint64(body, BigInt(at), true);
  v.setBigUint64(body + 8, HUGE, true);
};

describe.each<[string, Patch]>([
  ['a header that goes on in itself', goesOnInItself],
  [
    'two headers that go on in each other',
    (v) => {
      for (const [header, target] of [
        [ROOT, GROUP],
        [GROUP, ROOT],
      ] as const) {
        const { at, body } = messages(header)[0]!;
        v.setUint16(header + 2, 65_535, true);
        v.setUint16(at, CONTINUATION, true);
        v.setBigUint64(body, BigInt(target + 16), true);
        v.setBigUint64(body + 8, 24n, true);
      }
    },
  ],
  ['a header of 65,535 messages', word16(INNER + 2, 65_535)],
  ['a header of a huge size', word32(INNER + 8, 0xffff_ffff)],
  ['a group that is its own member', word64(tables[0]! + 16, BigInt(GROUP))],
  [
    "a group whose members are the root's",
    (v) => {
      const [from, to] = [bodyOf(ROOT, SYMBOLS), bodyOf(GROUP, SYMBOLS)];
      for (const k of [0, 8]) v.setBigUint64(to + k, v.getBigUint64(from + k, true), true);
    },
  ],
  ['a table of 65,535 members', word16(tables[0]! + 6, 65_535)],
  [
    'a tree that is its own child',
    (v) => {
      const tree = find('TREE');
      v.setUint8(tree + 5, 1);
      v.setBigUint64(tree + 32, BigInt(tree), true);
    },
  ],
  ['a heap of a huge size', word64(find('HEAP') + 8, HUGE)],
  ['names outside of the heap', word64(tables[0]! + 8, HUGE)],
  [
    'huge dimensions',
    (v) => {
      v.setBigUint64(bodyOf(INNER, DATASPACE) + 8, 2n ** 40n, true);
      v.setBigUint64(bodyOf(INNER, DATASPACE) + 16, 2n ** 40n, true);
    },
  ],
  ['dimensions of 2^64', word64(bodyOf(INNER, DATASPACE) + 8, HUGE)],
  [
    'dimensions whose product wraps to the size',
    (v) => {
      v.setBigUint64(bodyOf(INNER, DATASPACE) + 8, 2n ** 63n + 3n, true);
      v.setBigUint64(bodyOf(INNER, DATASPACE) + 16, 2n, true);
    },
  ],
  ['255 dimensions', byte(bodyOf(INNER, DATASPACE) + 1, 255)],
  ['data past the end', word64(bodyOf(INNER, LAYOUT) + 2, HUGE)],
  ['data of a huge size', word64(bodyOf(INNER, LAYOUT) + 10, HUGE)],
  ['a list of 2^40 texts', word64(listSpace + 8, 2n ** 40n)],
  ['a list of 2^64 texts', word64(listSpace + 8, HUGE)],
  ['a list of 255 dimensions', byte(listSpace + 1, 255)],
  ['texts of 4 GB', word32(list + 8 + 8 + 4, 0xffff_ffff)],
  ['an attribute with a name of 64 KB', word16(list + 2, 0xffff)],
  ['an attribute with a type of 64 KB', word16(list + 4, 0xffff)],
  ['an attribute with a space of 64 KB', word16(list + 6, 0xffff)],
  ['a message of 64 KB', word16(attribute.at(-1)!.at + 2, 0xffff)],
  ['a text in a heap far away', word64(textData + 4, HUGE)],
  ["a text that is its heap's number 9", word32(textData + 12, 9)],
  ['a heap of texts of a huge size', word64(find('GCOL') + 8, HUGE)],
  ['a text of a huge size in the heap', word64(find('GCOL') + 24, HUGE)],
])('%s', (_, patch) => {
  test('ends in a GruError, or in what the bytes are, in bounded work', () => {
    const bytes = file.slice();
    patch(new DataView(bytes.buffer));
    expect(bytes).not.toEqual(file);
    const spend = vi.spyOn(Hdf5File.prototype, 'spend');
    try {
      readAll(bytes);
    } catch (error) {
      expect(wordsOf(error)).toMatch(/^(invalid_file|unsupported): .*file\.h5/);
    } finally {
      const work = spend.mock.calls.reduce((n, [cost]) => n + cost, 0);
      expect(work).toBeLessThan(65_536 + 5 * bytes.length);
      spend.mockRestore();
    }
  });
});

test.each<[string, Patch, RegExp]>([
  ['a header that goes on in itself', goesOnInItself, /repeat or overlap|damaged/],
  ['huge dimensions', word64(bodyOf(INNER, DATASPACE) + 8, 2n ** 40n), /inner.*24 bytes/],
  ['data of a huge size', word64(bodyOf(INNER, LAYOUT) + 10, HUGE), /inner.*beyond the end/],
  ['an integer of 18 bytes', byte(text + 16, 0x10), /'text'.*no number or text/],
  ['a list of 2^40 texts', word64(listSpace + 8, 2n ** 40n), /'list'.*says to have more/],
])('%s is refused', (_, patch, message) => {
  const bytes = file.slice();
  patch(new DataView(bytes.buffer));
  expect(() => {
    readAll(bytes);
  }).toThrow(message);
});

describe('chunks that unpack to far more than their data', () => {
  const wide = new Uint8Array(readFileSync(new URL('../fixtures/hdf5/wide_chunks.h5', import.meta.url)));

  test('count as what they unpack to', () => {
    const spent: number[] = [];
    const root = openHdf5(wide, 'file.h5', { spend: (bytes) => spent.push(bytes) });
    expect(root.dataset('small')!.floats()).toHaveLength(3);
    expect(spent).toEqual([12 * 2 ** 20]);
  });

  test('are refused before they are: more than 16 times the file and 24 MiB', () => {
    expect(() => openHdf5(wide, 'file.h5').dataset('large')!.floats()).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringMatching(
          /file\.h5: '\/large': .* unpack .*\(33554432 bytes .*without compression/,
        ) as string,
      }),
    );
    const root = openHdf5(wide, 'file.h5');
    root.dataset('small')!.floats();
    root.dataset('small')!.floats();
    expect(() => root.dataset('small')!.floats()).toThrow(/overlap|unpack/);
    // The file inside a larger one.
    expect(
      openHdf5(wide, 'file.h5', undefined, 2 ** 20)
        .dataset('large')!
        .floats(),
    ).toHaveLength(3);
  });
});

/** What h5py writes in newer forms, damaged at random places. */
describe.each(['data_latest.h5', 'data_earliest.h5', 'many_latest.h5', 'long_indices_latest.h5'])(
  '%s, changed',
  (name) => {
    const whole = new Uint8Array(readFileSync(new URL(`../fixtures/hdf5/${name}`, import.meta.url)));
    const readEverything = (bytes: Uint8Array) => {
      const root = openHdf5(bytes, 'file.h5', new ReadBudget(1e6));
      root.attribute('names');
      const visit = (group: Hdf5Group, depth: number) => {
        for (const member of [...group.names].slice(0, 50)) {
          try {
            const found = group.get(member);
            if (found instanceof Hdf5Group && depth < 4) visit(found, depth + 1);
            else if (found instanceof Hdf5Dataset) found.floats();
          } catch (error) {
            expect(wordsOf(error)).toMatch(/^(invalid_file|unsupported): /);
          }
        }
      };
      visit(root, 0);
    };

    test('ends in GruErrors, or in what the bytes are', () => {
      const next = random(3);
      for (let i = 0; i < 150; i++) {
        try {
          readEverything(mutate(whole, next));
        } catch (error) {
          expect(wordsOf(error)).toMatch(/^(invalid_file|unsupported): /);
        }
      }
    });
  },
);
