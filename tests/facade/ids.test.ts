import { expect, test } from 'vitest';
import type { Name } from '../../ts/base/errors.ts';
import { readIds } from '../../ts/run/ids.ts';
import type { GraphInput } from '../../ts/spec/graph.ts';
import { failure } from './helpers.ts';

const input = { name: 'ids', vocabularySize: 11 } as GraphInput;

test.each<[string, ArrayLike<unknown>, number[] | undefined, Name | undefined, string]>([
  [
    'the id after the last',
    [0, 10, 11],
    undefined,
    undefined,
    "input 'ids': the id at [2] must be a whole number from 0 to 10, got 11",
  ],
  [
    'a negative id',
    [-1, 0],
    undefined,
    undefined,
    "input 'ids': the id at [0] must be a whole number from 0 to 10, got -1",
  ],
  ['half an id', [0.5], undefined, undefined, 'at [0] must be a whole number from 0 to 10, got 0.5'],
  ['text', [1, '2'], undefined, undefined, 'at [1] must be a whole number'],
  ['a row of several', [0, 0, 0, 0, 0, 11], [2, 3], undefined, 'the id at [1, 2] must'],
  ['a block of rows', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0], [2, 2, 3], undefined, 'the id at [1, 1, 1] must'],
  [
    'the third sequence',
    [1, 11],
    undefined,
    () => "input 'ids', sequence 2",
    "input 'ids', sequence 2: the id at [1] must",
  ],
])('names %s', (_, from, shape, what, message) => {
  const error = failure(() => {
    readIds(input, from, new Int32Array(from.length), shape, what);
  });
  expect(error.code).toBe('id_out_of_range');
  expect(error.message).toContain(message);
});

test('BigInts are ids, exactly', () => {
  const into = new Int32Array(2);
  readIds(input, BigInt64Array.of(1n, 10n), into);
  expect([...into]).toEqual([1, 10]);
  for (const id of [11n, -1n, 2n ** 32n, 2n ** 62n + 1n]) {
    const error = failure(() => {
      readIds(input, BigInt64Array.of(1n, id), into);
    });
    expect(error).toMatchObject({ code: 'id_out_of_range', message: expect.stringContaining(String(id)) as string });
  }
});

test('takes the first id as it was read', () => {
  const into = new Int32Array(3);
  readIds(input, [9, 0, 10], into, undefined, undefined, 4);
  expect([...into]).toEqual([4, 0, 10]);
});
