import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findFormat } from '../../ts/formats/format.ts';
import { FORMATS } from '../../ts/formats/index.ts';
import { Hdf5Dataset, type Hdf5Group, openHdf5 } from '../../ts/formats/hdf5.ts';
import { writeH5 } from './h5-writer.ts';
import { filled } from '../filled.ts';

/** Written by h5py: see make.py there. */
const FOLDER = new URL('../fixtures/hdf5/', import.meta.url);
const load = (name: string) => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const open = (name: string) => openHdf5(load(name), name);
const named = (part: string) =>
  filled(
    readdirSync(FOLDER).filter((name) => name.startsWith(part) && name.endsWith('.h5')),
    `files ${part}*.h5`,
  );

/** All tensors below a group. */
function* tensors(group: Hdf5Group): Generator<Hdf5Dataset> {
  for (const name of group.names) {
    const member = group.get(name)!;
    if (member instanceof Hdf5Dataset) yield member;
    else yield* tensors(member);
  }
}

const SHAPES: Record<string, number[]> = {
  plain: [5, 3],
  scalar: [],
  nothing: [0, 4],
  cube: [3, 4, 5],
  named: [2],
  compact: [10],
  early: [10],
  lzf_long: [3000],
  big_end: [6],
  ...Object.fromEntries(['f2', 'f2big', 'f4big', 'f8', 'f8big'].map((type) => [`type${type}`, [7]])),
};

describe.each(named('data_'))('%s', (name) => {
  const all = [...tensors(open(name))];
  test.each(all.map((tensor) => [tensor.path, tensor]))('%s', (path, tensor) => {
    const shape = SHAPES[path.replace(/.*\//, '')] ?? [5, 7];
    const count = shape.reduce((n, d) => n * d, 1);
    expect(tensor.shape).toEqual(shape);
    expect(tensor.floats()).toEqual(Float32Array.from({ length: count }, (_, i) => i / 4));
  });
  test('has all of them', () => {
    expect(all).toHaveLength(Object.keys(SHAPES).length + 13);
  });
  test('a type with a name', () => {
    expect(open(name).attribute('named')).toEqual([1, 2]);
  });
});

test.each([
  ['fixed', [1100]],
  ['fixed_gzip', [1100]],
  ['growing', [700]],
  ['tree', [60, 20]],
])('chunks in a long index: %s', (name, shape) => {
  const tensor = open('long_indices_latest.h5').dataset(name)!;
  const count = shape.reduce((n, d) => n * d, 1);
  expect(tensor.shape).toEqual(shape);
  expect(tensor.floats()).toEqual(Float32Array.from({ length: count }, (_, i) => i / 4));
});

const ATTRIBUTES = {
  text: 'x'.repeat(300) + 'é',
  no_text: '',
  list: ['one', 'threes'],
  long_list: ['a', '', 'ccc'],
  floats: [1.5, -2.5],
  int: -7,
  big_end: [1, -2],
  byte: 200,
  none: [],
  empty: [],
  other: undefined,
};

describe.each(named('many_'))('%s', (name) => {
  const root = open(name);
  test('many links', () => {
    const names = Array.from({ length: 120 }, (_, i) => `layer_${i}${'_'.repeat(i % 40)}`);
    expect([...root.names].sort()).toEqual(names.sort());
    for (const member of names) expect(root.group(member), member).toBeDefined();
    expect(root.dataset('layer_0/x')!.floats()).toEqual(Float32Array.of(0, 0.25, 0.5));
    expect(root.get('layer_0/y')).toBeUndefined();
  });
  test('many attributes', () => {
    for (let i = 0; i < 60; i++) expect(root.attribute(`attribute_${i}`)).toEqual(i % 2 ? `text ${i}` : i);
    const names = Array.from({ length: 700 }, (_, i) => `name${String(i).padStart(4, '0')}`);
    expect(root.attribute('names')).toEqual(names);
    for (const [key, value] of Object.entries(ATTRIBUTES)) expect(root.attribute(key), key).toEqual(value);
  });
});

test('a user block, and attributes of all types', () => {
  expect(findFormat(load('few.h5').subarray(0, 4096), FORMATS).name).toBe('Keras');
  const root = open('few.h5');
  for (const [key, value] of Object.entries(ATTRIBUTES)) expect(root.attribute(key), key).toEqual(value);
  expect(root.dataset('x')!.floats()).toEqual(Float32Array.of(0, 0.25, 0.5));
});

test.each<[string, (root: Hdf5Group) => unknown, string]>([
  ['a soft link', (root) => root.get('soft'), "refused.h5: '/soft' is a soft link"],
  ['a link to another file', (root) => root.get('external'), "'/external' is a link to another file"],
  ['whole numbers', (root) => root.dataset('ints')!.floats(), 'has the type <i8; supported: float16'],
  ['another filter', (root) => root.dataset('scaled')!.floats(), "'/scaled': it has the filter scaleoffset; supported"],
  ['chunks without data', (root) => root.dataset('unwritten')!.floats(), 'some of its chunks were never written'],
  ['an attribute of another type', (root) => root.attribute('complex'), "attribute 'complex' of '/': it is no number"],
])('%s: refused by name', (_, read, message) => {
  const refused = { name: 'GruError', code: 'unsupported', message: expect.stringContaining(message) as string };
  expect(() => read(open('refused.h5'))).toThrow(expect.objectContaining(refused) as Error);
});

test('what unpacked data may take is asked for', () => {
  const spent: number[] = [];
  const root = openHdf5(load('data_latest.h5'), 'file', { spend: (bytes) => spent.push(bytes) });
  root.dataset('a/b/gzip')!.floats();
  root.dataset('a/b/plain')!.floats();
  // A chunk of 12 by 4, more than there are.
  expect(spent).toEqual([4 * 48]);
});

test('a chunk whose bytes were changed is told by its checksum', () => {
  const bytes = load('data_earliest.h5');
  const at = Buffer.from(bytes).indexOf(Buffer.from(new Float32Array([0, 0.25, 0.5, 0.75, 1, 1.75]).buffer));
  expect(at).toBeGreaterThan(0);
  bytes[at]! ^= 1;
  expect(() => openHdf5(bytes, 'file').dataset('a/b/fletcher')!.floats()).toThrow(/checksum of a chunk is wrong/);
});

/** Files that grow on reading if believed: linear in their bytes here, for all that is read is counted. */
describe.each(['TREE', 'XXXX'])('a node signed %s that a tree has a hundred times', (sign) => {
  test('ends soon', () => {
    const small = writeH5({ members: { a: { shape: [1], data: new Float32Array(1) } } });
    const tree = Buffer.from(small).lastIndexOf('TREE');
    const room = 24 + 16 * 70_000;
    const file = new Uint8Array(small.length + 2 * room);
    file.set(small);
    const view = new DataView(file.buffer);
    const [leaf, root] = [small.length, small.length + room];
    file.set(new TextEncoder().encode(sign), leaf);
    view.setUint16(leaf + 6, 65_535, true);
    file.set(new TextEncoder().encode('TREE'), root);
    view.setUint8(root + 5, 1);
    view.setUint16(root + 6, 100, true);
    for (let i = 0; i < 100; i++) view.setBigUint64(root + 32 + 16 * i, BigInt(leaf), true);
    for (let i = 0; i + 8 <= small.length; i++)
      if (view.getBigUint64(i, true) === BigInt(tree)) view.setBigUint64(i, BigInt(root), true);
    expect(() => openHdf5(file, 'file')).toThrow(/no (TREE|SNOD) where it should be|beyond the end/);
  });
});
