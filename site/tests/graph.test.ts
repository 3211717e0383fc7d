import { createModel } from 'gru-wasm';
import { expect, test } from 'vitest';
import { draw } from '../lib/graph.ts';

const zeros = (length: number) => new Float32Array(length);

test('each box lies below what it reads; a line that skips boxes is told', async () => {
  const dense = (name: string, inputs: string[], inputSize: number) =>
    ({ type: 'dense', name, inputs, inputSize, outputSize: 2, weights: { kernel: zeros(2 * inputSize) } }) as const;
  const model = await createModel({
    inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
    layers: [
      dense('a', ['x'], 2),
      dense('b', ['a'], 2),
      { type: 'merge', name: 'sum', inputs: ['x', 'b'], merge: 'sum' },
    ],
    outputs: [{ name: 'y', from: 'sum' }, 'a'],
  });
  const { boxes, lines, rows, columns } = draw(model.spec, model.layers);
  expect(boxes.map(({ name, kind, row, column }) => [name, kind, row, column])).toEqual([
    ['x', 'input', 0, 0],
    ['a', 'dense', 1, 0],
    ['b', 'dense', 2, 0],
    ['sum', 'merge', 3, 0],
    ['y', 'output', 4, 0],
    ['a', 'output', 2, 1],
  ]);
  expect([rows, columns]).toEqual([5, 2]);
  expect(lines.filter(({ skips }) => skips)).toEqual([{ from: 0, to: 3, skips: true }]);
  expect(lines).toHaveLength(6);
});

test('an initial state and a port are lines too', () => {
  const gru = (name: string, rest: object) =>
    ({
      type: 'gru',
      name,
      inputSize: 2,
      hiddenSize: 2,
      resetAfter: false,
      weights: { forward: { kernel: zeros(12), recurrentKernel: zeros(12) } },
      ...rest,
    }) as const;
  const spec = {
    inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
    layers: [gru('first', {}), gru('second', { inputs: ['x'], initialState: ['first:forwardState'] })],
  };
  const { lines } = draw(spec as never, []);
  expect(lines).toEqual([
    { from: 0, to: 1, skips: false },
    { from: 0, to: 2, skips: true },
    { from: 1, to: 2, skips: false },
    { from: 2, to: 3, skips: false },
  ]);
});
