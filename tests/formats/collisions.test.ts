import { expect, test } from 'vitest';
import { Hdf5File } from '../../ts/formats/hdf5/file.ts';
import { FractalHeap } from '../../ts/formats/hdf5/heaps.ts';
import { TORCH } from '../../ts/formats/pytorch/globals.ts';
import { unpickle } from '../../ts/formats/pytorch/pickle.ts';
import { stopwatch } from './mutate.ts';
import { bytes, u32 } from './pickle-writer.ts';

/** The word that V8's hash of small integers, which has no seed, makes this one. */
function unhash(hash: number): number {
  const unshift = (x: number, bits: number) => {
    let y = x;
    for (let at = bits; at < 32; at += bits) y = x ^ (y >>> bits);
    return y;
  };
  // Of odd numbers, by Newton.
  const inverse = (n: number) => {
    let x = n;
    for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(n, x));
    return x;
  };
  let x = unshift(hash, 16);
  x = Math.imul(x, inverse(2057));
  x = unshift(x, 4);
  x = Math.imul(x, inverse(5));
  x = unshift(x, 12);
  // ~key + (key << 15)
  return Math.imul(x + 1, inverse(2 ** 15 - 1)) >>> 0;
}

/** Numbers whose hashes end in 15 zeros: a Map has them all in one place, and takes 4 s for so many. */
const COUNT = 60_000;
const colliding = Array.from({ length: 2 ** 17 }, (_, i) => unhash(i << 15))
  .filter((n) => n < 2 ** 31)
  .slice(0, COUNT);
/** Where it has them each in one, 10 ms; what reads them takes 30 to 100. */
const MOST_MS = 1000;

const read = (pickle: string) => unpickle(bytes(`\x80\x02${pickle}.`), 0, TORCH, 1e8).value;
const ints = colliding.map((n) => `J${u32(n)}`);

test.each<[string, () => unknown, number]>([
  ['keys of a dict', () => (read(`}(${ints.map((n) => `${n}N`).join('')}u`) as Map<unknown, unknown>).size, COUNT],
  ['items of a set', () => (read(`\x8f(${ints.join('')}\x90`) as Set<unknown>).size, COUNT],
  ['items of a frozen set', () => (read(`(${ints.join('')}\x91`) as Set<unknown>).size, COUNT],
  ['a set that is made of a list', () => (read(`cbuiltins\nset\n](${ints.join('')}e\x85R`) as Set<unknown>).size, COUNT],
  ['a dict that is made of pairs', () => (read(`ccollections\nOrderedDict\n](${ints.map((n) => `${n}N\x86`).join('')}e\x85R`) as Map<unknown, unknown>).size, COUNT],
  ['numbers of what is kept', () => read(`${colliding.map((n) => `Nr${u32(n)}0`).join('')}K\x07r${u32(5)}0j${u32(5)}`), 7],
  ['objects of a heap of HDF5', () => hugeObject(colliding, colliding[7]!), 1],
])('%s, chosen to collide, are read at once', (_, run, want) => {
  const took = stopwatch();
  expect(run()).toBe(want);
  expect(took()).toBeLessThan(MOST_MS);
}); // prettier-ignore

/** Bytes of one of the large objects of a heap that has them by these numbers. */
function hugeObject(numbers: readonly number[], wanted: number): number {
  const letters = (signature: string) => Array.from(signature, (letter) => letter.charCodeAt(0));
  const word = (n: number, size: number) => Array.from({ length: size }, (_, i) => Math.floor(n / 256 ** i) % 256);
  const [heap, tree, leaf] = [0, 200, 300];
  const head = [
    ...letters('FRHP'), 0, ...word(8, 2), ...word(0, 2), 0, ...word(4096, 4), ...word(0, 8), ...word(tree, 8), ...word(0, 8 + 8 + 8 * 8),
    ...word(4, 2), ...word(512, 8), ...word(65536, 8), ...word(32, 2), ...word(0, 2), ...word(2 ** 64, 8), ...word(0, 2),
  ]; // prettier-ignore
  const root = [
    ...letters('BTHD'), 0, 1, ...word(10 + 24 * numbers.length, 4), ...word(24, 2), ...word(0, 2), 0, 0, ...word(leaf, 8),
    ...word(numbers.length, 2),
  ]; // prettier-ignore
  const file = new Uint8Array(leaf + 10 + 24 * numbers.length);
  file.set(head, heap);
  file.set(root, tree);
  file.set([...letters('BTLF'), 0, 1], leaf);
  const view = new DataView(file.buffer);
  numbers.forEach((n, i) => {
    view.setBigUint64(leaf + 6 + 24 * i, 0n, true);
    view.setBigUint64(leaf + 14 + 24 * i, 1n, true);
    view.setBigUint64(leaf + 22 + 24 * i, BigInt(n), true);
  });
  const opened = new Hdf5File(file, 'file.h5');
  const id = new Hdf5File(Uint8Array.of(16, ...word(wanted, 8)), 'file.h5').at(0);
  return new FractalHeap(opened, heap).get(id).left;
}
