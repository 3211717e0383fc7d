import { expect, test } from 'vitest';
import { fromRows, parseRows, suggestedLayers } from '../lib/data.ts';

const INPUT = { name: 'x', dtype: 'float32', shape: ['batch', 'steps', 2] } as const;

test('rows are numbers with any separator, a header is left out', () => {
  expect(parseRows('a,b\n1, 2\n\n3;4\r\n5\t6')).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(() => parseRows('1,2\n3,x')).toThrow("row 2 of the data: 'x' is not a number");
});

test.each([
  ['a,b,c,d', "the data has no row of numbers, only a header: 'a,b,c,d'"],
  [' \n', 'the data has no row of numbers'],
  ['NaN,NaN', "row 1 of the data: 'NaN' is not a finite number"],
  ['a,b\n1,2\n3,-Inf', "row 2 of the data: '-Inf' is not a finite number"],
  ['1,1e999', "row 1 of the data: '1e999' is not a finite number"],
  ['1,Infinity', "row 1 of the data: 'Infinity' is not a finite number"],
  [',,,', 'row 1 of the data: value 1 is empty'],
  ['1,2\n3,,4', 'row 2 of the data: value 2 is empty'],
  ['1\t\t2', 'row 1 of the data: value 2 is empty'],
  ['1,2,', 'row 1 of the data: value 3 is empty'],
  ['1,2\n0x10,1', "row 2 of the data: '0x10' is not a number"],
  ['-0x1,0b1', "row 1 of the data: '-0x1' is not a number"],
  ['x,1', "row 1 of the data: 'x' is not a number"],
])('rows that are none: %j', (text, message) => {
  expect(() => parseRows(text)).toThrow(new Error(message));
});

test('a header may have a corner without a name', () => {
  expect(parseRows(',a , b\n0 , 1;\t2')).toEqual([[0, 1, 2]]);
});

test('values that an input does not hold are told, with their row', () => {
  const ids = { name: 'letters', dtype: 'int32', shape: ['batch', 'steps'], vocabularySize: 28 } as const;
  expect(fromRows(ids, [[1, 2], [27]])).toEqual({ data: Int32Array.of(1, 2, 27), shape: [3] });
  for (const id of [1.5, -1, 28])
    expect(() => fromRows(ids, [[1], [id]])).toThrow(
      new Error(`row 2 of the data: ${id} is no id: input 'letters' takes whole numbers from 0 to 27`),
    );
  expect(() => fromRows({ ...ids, shape: ['batch'] }, [[1, 2]])).toThrow(
    new Error("the data has 2 ids; input 'letters' takes one"),
  );
  expect(() => fromRows(INPUT, [[1, 1e39]])).toThrow(new Error('row 1 of the data: 1e+39 is too large for float32'));
  const vector = { name: 'v', dtype: 'float32', shape: ['batch', 2] } as const;
  expect(fromRows(vector, [[1, 2]])).toEqual({ data: Float32Array.of(1, 2), shape: [2] });
  expect(() =>
    fromRows(vector, [
      [1, 2],
      [3, 4],
    ]),
  ).toThrow(new Error("the data has 2 rows; input 'v' takes one"));
});

test('rows must be as wide as the input', () => {
  expect(fromRows(INPUT, [[1, 2]])).toEqual({ data: Float32Array.of(1, 2), shape: [1, 2] });
  expect(() => fromRows(INPUT, [[1, 2], [3]])).toThrow("row 2 of the data has 1 numbers; input 'x' takes 2 a step");
});

test('the wiring that an error suggests, as JSON', () => {
  const message =
    "say it, like { pytorch: { layers: [{ gru: 'rnn' }, { step: -1 }, { linear: 'fc' }] } } (without ...)";
  expect(JSON.parse(suggestedLayers(message)!)).toEqual([{ gru: 'rnn' }, { step: -1 }, { linear: 'fc' }]);
  expect(suggestedLayers('no such file')).toBeUndefined();
});
