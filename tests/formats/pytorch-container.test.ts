import { describe, expect, test } from 'vitest';
import { isPickle } from '../../ts/formats/pytorch/container.ts';
import { FloatBudget } from '../../ts/formats/pytorch/tensor.ts';
import { readStateDict } from '../../ts/formats/pytorch.ts';
import { bytes, call, global, ints, key, storage, u64 } from './pickle-writer.ts';
import { writeZip } from './zip-writer.ts';
import { refusalOf } from './refusal.ts';

/** The files of torch.save, made by hand: what each part of one must be. */

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const tensor = (shape: number[], strides: number[], { offset = 0, from = storage() } = {}) =>
  call('torch._utils._rebuild_tensor_v2', from, `K${String.fromCharCode(offset)}`, ints(...shape), ints(...strides), '\x89', 'N'); // prettier-ignore
const dict = (entries: Record<string, string>) =>
  `\x80\x02}(${Object.entries(entries)
    .map(([name, value]) => key(name) + value)
    .join('')}u.`;
const TWELVE = floats(...Array.from({ length: 12 }, (_, i) => i));

type Files = Record<string, Uint8Array | string>;
/** A zip file around a pickle; a storage `k` of 0 to 11. */
const zip = (pickle: string, more: Files = {}) =>
  writeZip(
    Object.entries<Uint8Array | string>({ 'm/data.pkl': pickle, 'm/data/k': TWELVE, ...more }).map(([name, data]) => ({
      name,
      data: typeof data === 'string' ? bytes(data) : data,
    })),
  );
/** A module without attributes. */
const frozen = '\x80\x02c__torch__.M\nM\n)\x81}b.';
const W = dict({ w: tensor([3, 4], [4, 1]) });

async function values(file: Uint8Array, name = 'w'): Promise<number[]> {
  const entry = (await readStateDict(file)).dict.get(name);
  if (!entry || typeof entry === 'string') expect.fail(`no tensor ${name}`);
  return Array.from(await entry.floats());
}

describe('a zip file', () => {
  test.each<[string, Files]>([
    ['nothing more', {}],
    ['its byte order', { 'm/byteorder': 'little' }],
    ['files like those of a program', { 'm/codes': 'x', 'x/code/y': 'x', 'x/constants.pkl': 'x', 'y/m/code/': 'x' }],
  ])('with %s', async (_, more) => {
    expect(await values(zip(W, more))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('in a folder of any name', async () => {
    for (const folder of ['archive', 'my model.v2']) {
      const files = { 'data.pkl': bytes(W), 'data/k': TWELVE };
      const file = writeZip(Object.entries(files).map(([name, data]) => ({ name: `${folder}/${name}`, data })));
      expect(await values(file)).toHaveLength(12);
    }
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['a program without weights', zip(frozen, { 'm/code/x.py': '' }), /unsupported: .*TorchScript .*torch\.jit\.freeze/],
    ['a program without weights, by its constants', zip(frozen, { 'm/constants.pkl': '' }), /unsupported: .*TorchScript/],
    ['a program of torch.export', writeZip([{ name: 'm/models/model.json', data: bytes('{}') }]), /unsupported: .*torch\.export/],
    ['a program of torch.export, as before', writeZip([{ name: 'serialized_exported_program.json', data: bytes('{}') }]), /unsupported: .*torch\.export/],
    ['another byte order', zip(W, { 'm/byteorder': 'big' }), /unsupported: .*'big'/],
    ['a byte order of 16 letters', zip(W, { 'm/byteorder': 'x'.repeat(16) }), /unsupported: .*'x{16}'/],
    ['a byte order of 17 letters', zip(W, { 'm/byteorder': 'x'.repeat(17) }), /invalid_file: .*is not a byte order/],
    ['bytes after the pickle', zip(`${W}xy`), /invalid_file: .*2 bytes follow the pickle/],
    ['no pickle', writeZip([{ name: 'm/data.txt', data: bytes(W) }]), /invalid_file: .*without a data\.pkl/],
    ['a pickle too deep', writeZip([{ name: 'a/m/data.pkl', data: bytes(W) }]), /without a data\.pkl/],
    ['a pickle of another name', writeZip([{ name: 'm/data.pkl.old', data: bytes(W) }]), /without a data\.pkl/],
  ])('refused: %s', async (_, file, message) => {
    expect(await refusalOf(readStateDict(file))).toMatch(message);
  }); // prettier-ignore

  /** 32 bytes a number: of 24 MB and twice the file they are 838,860. */
  test('gives the values of its pickle memory in proportion', async () => {
    const list = (n: number) => zip(`\x80\x02}(${key('w')}${tensor([3, 4], [4, 1])}${key('l')}](${'N'.repeat(n)}eu.`);
    expect((await readStateDict(list(830_000))).dict.get('l')).toBe('a list');
    expect(await refusalOf(readStateDict(list(850_000)))).toMatch(/too many values/);
  });
});

const MAGIC = '\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19';
/** A file of before PyTorch 1.6. */
const legacy = ({
  magic = `\x80\x02\x8a\x0a${MAGIC}.`,
  version = '\x80\x02M\xe9\x03.',
  system = `\x80\x02}${key('little_endian')}\x88s.`,
  root = W,
  keys = `\x80\x02]${key('k')}a.`,
  data = concat(bytes(u64(12)), TWELVE),
} = {}) => concat(bytes(magic + version + system + root + keys), data);

describe('a legacy file', () => {
  const second = storage({ id: key('l'), elements: 'K\x00' });
  test.each<[string, Uint8Array, number[]]>([
    ['of one storage', legacy(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    ['that ends with an empty storage', legacy({
      root: dict({ v: tensor([0], [1], { from: second }), w: tensor([2, 1], [1, 1]) }),
      keys: `\x80\x02](${key('k')}${key('l')}e.`,
      data: concat(bytes(u64(12)), TWELVE, bytes(u64(0))),
    }), [0, 1]],
    ['with a storage of two types of a size', legacy({
      root: dict({ v: tensor([1], [1], { from: storage({ type: global('torch.IntStorage') }) }), w: tensor([2, 1], [1, 1]) }),
    }), [0, 1]],
    ['with an untyped storage, which counts bytes', legacy({
      root: dict({ w: call('torch._utils._rebuild_tensor_v3', storage({ type: global('torch.storage.UntypedStorage'), elements: 'K\x30' }), 'K\x00', ints(2, 1), ints(1, 1), '\x89', 'N', global('torch.float32')) }),
      data: concat(bytes(u64(48)), TWELVE),
    }), [0, 1]],
  ])('%s', async (_, file, wanted) => {
    expect(await values(file)).toEqual(wanted);
  }); // prettier-ignore

  test.each<[string, Uint8Array, RegExp]>([
    ['another pickle', bytes(W), /unsupported: .*torch\.save did not write/],
    ['another number that begins alike', legacy({ magic: `\x80\x02\x8a\x0a${MAGIC.slice(0, -1)}\x18.` }), /unsupported: .*torch\.save did not write/],
    ['a number too far on', legacy({ magic: `\x80\x02${'N0'.repeat(16)}\x8a\x0a${MAGIC}.` }), /unsupported: .*torch\.save did not write/],
    ['the number as bytes', legacy({ magic: `\x80\x03C\x0a${MAGIC}.` }), /invalid_file: .*magic number/],
    ['another version', legacy({ version: '\x80\x02M\xea\x03.' }), /unsupported: .*version 1002/],
    ['a version in letters', legacy({ version: `\x80\x02${key('1001')}.` }), /unsupported: .*version a str/],
    ['no machine', legacy({ system: '\x80\x02N.' }), /invalid_file: .*writing machine/],
    ['a big-endian machine', legacy({ system: `\x80\x02}${key('little_endian')}\x89s.` }), /unsupported: .*not little-endian/],
    ['a machine of no order', legacy({ system: '\x80\x02}.' }), /unsupported: .*not little-endian/],
    ['a storage of two sizes', legacy({
      root: dict({ v: tensor([1], [1], { from: storage({ type: global('torch.HalfStorage') }) }), w: tensor([2, 1], [1, 1]) }),
    }), /invalid_file: .*storage k has two types/],
    ['no list of storages', legacy({ keys: '\x80\x02N.' }), /invalid_file: .*list of its storages/],
    ['a storage that no tensor has', legacy({ keys: `\x80\x02]${key('x')}a.` }), /invalid_file: .*that no tensor has/],
    ['a storage of a number', legacy({ keys: '\x80\x02]Na.' }), /invalid_file: .*that no tensor has/],
    ['a storage twice', legacy({ keys: `\x80\x02](${key('k')}${key('k')}e.`, data: concat(bytes(u64(12)), TWELVE, bytes(u64(12)), TWELVE) }), /invalid_file: .*storage k twice/],
    ['a size cut off', legacy({ data: new Uint8Array(7) }), /invalid_file: .*truncated before storage k/],
    ['a storage cut off', legacy({ data: concat(bytes(u64(12)), TWELVE.subarray(1)) }), /invalid_file: .*48 bytes of storage k, 47 left/],
    ['bytes at the end', legacy({ data: concat(bytes(u64(12)), TWELVE, new Uint8Array(3)) }), /invalid_file: .*3 bytes follow the last storage/],
  ])('refused: %s', async (_, file, message) => {
    expect(await refusalOf(readStateDict(file))).toMatch(message);
  }); // prettier-ignore

  test('without a storage of a tensor is refused when that is read', async () => {
    const file = legacy({ keys: '\x80\x02].', data: new Uint8Array() });
    expect(await refusalOf(values(file))).toMatch(/invalid_file: .*storage k is missing/);
  });
});

test.each<[string, boolean]>([
  ['\x80\x02N.', true],
  ['\x80\x05N.', true],
  ['\x80\x01N.', false],
  ['\x80\x06N.', false],
  ['\x7f\x02N.', false],
])('a pickle of protocol 2 to 5: %j is %s', async (start, known) => {
  expect(isPickle(bytes(start))).toBe(known);
  if (!known) expect(await refusalOf(readStateDict(bytes(start)))).toMatch(/invalid_file: .*neither a zip file nor/);
});

describe('a view of a storage of 0 to 11', () => {
  test.each<[string, number[], number[], number, number[]]>([
    ['rows', [2, 3], [3, 1], 0, [0, 1, 2, 3, 4, 5]],
    ['rows to the end', [2, 3], [3, 1], 6, [6, 7, 8, 9, 10, 11]],
    ['columns', [2, 3], [1, 2], 0, [0, 2, 4, 1, 3, 5]],
    ['rows of a wider matrix', [2, 2], [4, 1], 5, [5, 6, 9, 10]],
    ['three axes, turned', [2, 3, 2], [1, 4, 2], 0, [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]],
    ['an axis of 1 of any stride', [2, 1, 2], [2, 7, 1], 1, [1, 2, 3, 4]],
    ['a row again and again', [3, 2], [0, 1], 4, [4, 5, 4, 5, 4, 5]],
    ['one number', [1, 1], [9, 9], 11, [11]],
    ['nothing', [0, 2], [2, 1], 200, []],
  ])('%s', async (_, shape, strides, offset, wanted) => {
    expect(await values(zip(dict({ w: tensor(shape, strides, { offset }), v: tensor([1, 1], [1, 1]) })))).toEqual(wanted);
  }); // prettier-ignore

  test.each<[string, string, RegExp]>([
    ['past its end', tensor([2, 3], [3, 1], { offset: 7 }), /reaches element 12 of a storage of 12/],
    ['past the end of a view', tensor([2, 3], [3, 1], { from: storage({ view: `(${key('v')}K\x04K\x05t` }) }), /reaches element 5 of a storage of 5/],
    ['of a storage larger than its file', tensor([2, 3], [3, 1], { from: storage({ elements: 'K\x0d' }) }), /its storage has 13 elements of 4 bytes, the file has 48 bytes/],
    ['of a view that its file does not hold', tensor([2, 3], [3, 1], { from: storage({ elements: 'K\x14', view: `(${key('v')}K\x07K\x06t` }) }), /the file has 48 bytes/],
  ])('refused: %s', async (_, view, message) => {
    expect(await refusalOf(values(zip(dict({ w: view }))))).toMatch(message);
  }); // prettier-ignore

  test('in a view of its own', async () => {
    const view = storage({ view: `(${key('v')}K\x04K\x06t` });
    expect(await values(zip(dict({ w: tensor([2, 2], [3, 1], { offset: 1, from: view }) })))).toEqual([5, 6, 8, 9]);
  });

  test('of doubles that lie at no multiple of 8', async () => {
    const double = storage({ type: global('torch.DoubleStorage'), elements: 'K\x03' });
    const data = new Uint8Array(Float64Array.of(1, 2, 3).buffer);
    for (let shift = 0; shift < 8; shift++) {
      const root = dict({ ['x'.repeat(shift)]: 'N', w: tensor([2, 1], [1, 1], { offset: 1, from: double }) });
      expect(await values(legacy({ root, data: concat(bytes(u64(3)), data) }))).toEqual([2, 3]);
    }
  });
});

test('values made of a file are as many as three times its bytes and 16 MB hold', () => {
  const budget = new FloatBudget(400);
  budget.spend('a', [2 ** 22]);
  budget.spend('b', [300]);
  expect(() => {
    budget.spend('c', [1]);
  }).toThrow(/c \[1\] is too large for its file/);
});
