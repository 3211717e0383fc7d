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
