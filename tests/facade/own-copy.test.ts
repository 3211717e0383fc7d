import { expect, test } from 'vitest';
import { ownCopy } from '../../ts/base/own-copy.ts';

test('a copy shares nothing with what it is of, each property of which is read once', () => {
  const reads: string[] = [];
  const watched = new Proxy(
    { list: [1, [2]], data: Float32Array.of(3), nothing: undefined, flag: true },
    {
      get(of, key) {
        reads.push(String(key));
        return Reflect.get(of, key) as unknown;
      },
    },
  );
  const copy = ownCopy(watched);
  expect(copy).toEqual({ list: [1, [2]], data: Float32Array.of(3), nothing: undefined, flag: true });
  const again = reads.filter((key, i) => reads.indexOf(key) !== i && key !== 'Symbol(Symbol.toStringTag)');
  expect(again).toEqual([]);
  watched.data[0] = 9;
  expect(copy.data[0]).toBe(3);
});

test('a tensor is copied with its shape', () => {
  const tensor = { data: Float32Array.of(1, 2), shape: [2] };
  const copy = ownCopy({ x: tensor });
  tensor.data.fill(0);
  tensor.shape[0] = 1;
  expect(copy).toEqual({ x: { data: Float32Array.of(1, 2), shape: [2] } });
});

test('what is in itself many times over is copied once, and stays what it is inside', () => {
  let reads = 0;
  const list: unknown[] = [];
  // 60 ^ 8 copies, if each were one of its own.
  for (let i = 0; i < 60; i++) {
    Object.defineProperty(list, i, { enumerable: true, configurable: true, get: () => (reads++, list) });
  }
  const copy = ownCopy(list);
  expect(reads).toBe(60);
  expect(copy).not.toBe(list);
  expect(copy.every((item) => item === list)).toBe(true);

  const record: Record<string, unknown> = {};
  for (let i = 0; i < 60; i++) record[`k${i}`] = record;
  const own = ownCopy(record);
  expect(own).not.toBe(record);
  expect(Object.values(own).every((field) => field === record)).toBe(true);
  const twice = { a: [1] };
  const both = ownCopy({ first: twice, second: twice });
  expect(both.first).toEqual(twice);
  expect(both.first).not.toBe(twice);
  expect(both.second).toBe(both.first);
});

test('a key may be __proto__', () => {
  const copy = ownCopy(JSON.parse('{"__proto__":[1]}') as object);
  expect(Object.entries(copy)).toEqual([['__proto__', [1]]]);
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
});

test.each([0, 1, 100])('what is none of these stays, and so does a list with a hole behind %i items', (count) => {
  const holes = Array.from({ length: count }, (_, i) => i);
  holes.length = 2 ** 30;
  const date = new Date();
  const copy = ownCopy({ holes, date, deep: { f: Math.sin } });
  expect(copy.holes).toBe(holes);
  expect(copy.date).toBe(date);
  expect(copy.deep.f).toBe(Math.sin);
});
