import { describe, expect, test } from 'vitest';
import {
  addSizes,
  bakedSize,
  BATCH as B,
  divideSizes,
  exactQuotient,
  equalSizes,
  multiplySizes,
  ownSteps,
  shapeText,
  sizeText,
  stepsBy,
  TIME as T,
  type Baked,
  type Size,
  type Steps,
} from '../../../ts/formats/onnx/size.ts';

/** c B^b T^t + k */
const of = (c: number, b: number, t: number, k = 0): Size => ({ c, b, t, k });
/** c S + k of the steps S = floor((mul T + add) / div). */
const floor = (size: Size, steps: Steps): Size => ({ ...(size as object), steps }) as Size;
const FREE: Baked = { batch: undefined, time: undefined };

test.each<[Size, Size, Size | undefined]>([
  [2, 3, 5],
  [T, 1, of(1, 0, 1, 1)],
  [2, B, of(1, 1, 0, 2)],
  [T, T, of(2, 0, 1)],
  [T, of(-1, 0, 1), 0],
  [of(1, 0, 1, 1), of(-1, 0, 1, 2), 3],
  [of(1, 0, 1, 1), of(1, 0, 1, -1), of(2, 0, 1)],
  [T, B, undefined],
  [of(1, 1, 1), T, undefined],
  [of(1, 1, 1), B, undefined],
])('%j and %j are %j', (x, y, sum) => {
  expect(addSizes(x, y)).toEqual(sum);
});

test.each<[Size, Size, Size | undefined]>([
  [2, 3, 6],
  [T, 2, of(2, 0, 1)],
  [3, of(1, 0, 1, 2), of(3, 0, 1, 6)],
  [of(2, 1, 0, 1), 3, of(6, 1, 0, 3)],
  [of(1, 0, 1, 2), 0, 0],
  [0, of(1, 0, 1, 2), 0],
  [of(2, 0, 1), of(3, 1, 0), of(6, 1, 1)],
  [T, T, of(1, 0, 2)],
  [of(1, 0, 1, 1), T, undefined],
  [T, of(1, 0, 1, 1), undefined],
])('%j times %j are %j', (x, y, product) => {
  expect(multiplySizes(x, y)).toEqual(product);
});

test.each<[Size, Size, Size | undefined]>([
  [7, 2, 3],
  [-7, 2, -3],
  [7, 0, undefined],
  [of(2, 0, 1), 2, T],
  [of(2, 0, 1, 4), 2, of(1, 0, 1, 2)],
  [of(2, 0, 1, 1), 2, floor(of(1, 0, 1), { mul: 2, add: 1, div: 2 })],
  [of(3, 0, 1, 2), 2, floor(of(1, 0, 1, 1), { mul: 3, add: 0, div: 2 })],
  [of(1, 1, 1, 1), 2, undefined],
  [of(-1, 0, 1, 1), 2, undefined],
  [T, 0, undefined],
  [T, T, 1],
  [of(6, 1, 1), of(2, 0, 1), of(3, 1, 0)],
  [of(1, 1, 1), B, T],
  [of(1, 0, 3), T, of(1, 0, 2)],
  [of(1, 3, 0), B, of(1, 2, 0)],
  [T, of(1, 1, 1), undefined],
  [B, of(1, 1, 1), undefined],
  [of(3, 0, 1), of(2, 0, 1), undefined],
  [of(1, 0, 1, 1), T, undefined],
  [T, of(1, 0, 1, 1), undefined],
  [4, T, undefined],
])('%j by %j is %j', (x, y, quotient) => {
  expect(divideSizes(x, y)).toEqual(quotient);
});

test.each<[Size, Size, boolean | undefined, Baked?]>([
  [2, 2, true],
  [2, 3, false],
  [T, T, true],
  [T, of(1, 0, 1, 1), false],
  [of(2, 0, 1), T, undefined],
  [T, B, undefined],
  [of(1, 1, 1), of(1, 0, 1), undefined],
  [of(1, 1, 1), of(1, 1, 0), undefined],
  [T, 5, undefined],
  [T, 5, true, { batch: undefined, time: 5 }],
  [5, T, false, { batch: undefined, time: 4 }],
  [T, B, true, { batch: 5, time: 5 }],
  [T, B, undefined, { batch: undefined, time: 5 }],
  [B, T, undefined, { batch: undefined, time: 5 }],
  // no size is negative
  [T, -1, false],
  [-1, of(1, 1, 0, 2), false],
  [T, 0, undefined],
  [of(1, 0, 1, -3), -1, undefined],
  [-1, of(1, 0, 1, -3), undefined],
  [of(-1, 0, 1), -1, undefined],
  [-1, of(-1, 0, 1), undefined],
])('%j equals %j: %j', (x, y, equal, baked = FREE) => {
  expect(equalSizes(x, y, baked)).toBe(equal);
});

test.each<[Size, number | undefined, Baked]>([
  [5, 5, FREE],
  [T, undefined, FREE],
  [B, undefined, { batch: undefined, time: 5 }],
  [T, undefined, { batch: 5, time: undefined }],
  [of(2, 1, 2, 3), 203, { batch: 4, time: 5 }],
  [of(2, 0, 2, 3), 53, { batch: undefined, time: 5 }],
  [of(2, 2, 0, -3), 29, { batch: 4, time: undefined }],
])('%j was %j at export', (size, baked, sizes) => {
  expect(bakedSize(size, sizes)).toBe(baked);
});

test('sizes in words', () => {
  const sizes = [5, T, of(2, 1, 1), of(1, 0, 1, 3), of(1, 2, 0, -3), of(1, 0, 12)];
  expect(sizes.map(sizeText)).toEqual(['5', 'time', '2 batch time', 'time + 3', 'batch batch - 3', 'time '.repeat(9).trim()]); // prettier-ignore
  expect(shapeText([B, 3])).toBe('[batch, 3]');
});

describe('steps of axes that layers make', () => {
  const pooled = stepsBy({ mul: 1, add: 0, div: 2 }, T);
  const cut = stepsBy({ mul: 1, add: -2, div: 1 }, T);

  test.each<[string, Size, string]>([
    ['half of T', pooled, 'floor((time) / 2)'],
    ['a whole part is beside the floor', stepsBy({ mul: 1, add: -3, div: 2 }, T), 'floor((time + 1) / 2) - 2'],
    ['without a floor it is a sum', cut, 'time - 2'],
    ['twice half', stepsBy({ mul: 2, add: 0, div: 1 }, pooled), '2 floor((time) / 2)'],
    ['half of half is a quarter', stepsBy({ mul: 1, add: 0, div: 2 }, pooled), 'floor((time) / 4)'],
    [
      'half of three halves stays one of the other',
      stepsBy({ mul: 3, add: 1, div: 2 }, pooled),
      'floor((3 floor((time) / 2) + 1) / 2)',
    ],
    ['T again', stepsBy({ mul: 1, add: 2, div: 1 }, cut), 'time'],
    ['a number', stepsBy({ mul: 0, add: 7, div: 1 }, T), '7'],
    ['of a number', stepsBy({ mul: 1, add: -9, div: 2 }, 4), '0'],
  ])('%s', (_, size, text) => {
    expect(sizeText(size)).toBe(text);
  });

  test('what a graph computes of them is the same', () => {
    expect(
      equalSizes(divideSizes(addSizes(T, -3)!, 2)!, addSizes(stepsBy({ mul: 1, add: 1, div: 2 }, T), -2)!, FREE),
    ).toBe(true);
    expect(equalSizes(pooled, T, FREE)).toBe(undefined);
    expect(equalSizes(pooled, 3, { batch: undefined, time: 7 })).toBe(true);
    expect(bakedSize(cut, { batch: undefined, time: 1 })).toBe(-1);
    expect(addSizes(pooled, T)).toBe(undefined);
    expect(addSizes(pooled, pooled)).toEqual(multiplySizes(pooled, 2));
  });

  test('products with the batch and back', () => {
    for (const steps of [cut, pooled, stepsBy({ mul: 2, add: 4, div: 1 }, pooled)]) {
      const rows = multiplySizes(B, steps)!;
      expect(exactQuotient(rows, steps)).toEqual(B);
      expect(exactQuotient(rows, B)).toEqual(steps);
      expect(exactQuotient(rows, T)).toBe(undefined);
    }
    expect(exactQuotient(of(2, 0, 1, -4), cut)).toBe(2);
    expect(exactQuotient(T, cut)).toBe(undefined);
    expect(exactQuotient(T, 0)).toBe(undefined);
  });

  test('they are not made of each other without end', () => {
    const rule = { mul: 3, add: 1, div: 2 };
    const all = (n: number) => Array.from({ length: n }).reduce<Size>((size) => stepsBy(rule, size), T);
    expect(sizeText(all(16)).length).toBeGreaterThan(100);
    expect(() => all(18)).toThrow('more than 16 times');
  });
});

test('steps of an input of its own are no others', () => {
  const [U, V] = [ownSteps('u'), ownSteps('v')];
  expect(equalSizes(U, ownSteps('u'), FREE)).toBe(true);
  for (const other of [T, V]) {
    expect(equalSizes(U, other, FREE)).toBeUndefined();
    expect(addSizes(U, other)).toBeUndefined();
    expect(multiplySizes(U, other)).toBeUndefined();
  }
  const half = stepsBy({ mul: 1, add: 1, div: 2 }, U);
  expect(stepsBy({ mul: 2, add: -1, div: 1 }, stepsBy({ mul: 1, add: 3, div: 1 }, U))).toEqual({ ...U, c: 2, k: 5 });
  expect(half).toEqual(divideSizes(addSizes(U, 1)!, 2));
  expect([U, addSizes(U, 2)!, half].map(sizeText)).toEqual([
    "steps of 'u'",
    "steps of 'u' + 2",
    "floor((steps of 'u' + 1) / 2)",
  ]);
});
