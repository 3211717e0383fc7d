import { expect, test } from 'vitest';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { makeState } from './helpers.ts';

const model = (...layers: LayerSpec[]): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
  layers,
});

test.each([false, true])('step: the first or last of each sequence, timeMajor %s', (timeMajor) => {
  const layers = [0, -1].map((index) => ({ name: `at${index}`, type: 'step', inputs: ['x'], index }) as LayerSpec);
  const state = makeState({ ...model(...layers), outputs: ['at0', 'at-1'] }, 2, [3, 3], timeMajor);
  state.inputFloats(0).set(Array.from({ length: 12 }, (_, i) => i));
  state.run();
  expect([...state.output(0)]).toEqual(timeMajor ? [0, 1, 2, 3] : [0, 1, 6, 7]);
  expect([...state.output(1)]).toEqual(timeMajor ? [8, 9, 10, 11] : [4, 5, 10, 11]);
});

test('step: sequences of differing lengths, one without steps', () => {
  const state = makeState(model({ name: 'end', type: 'step', index: -1 }), 3, [2, 0, 1]);
  state.inputFloats(0).set([1, 2, 3, 4, 5, 6]);
  state.run();
  expect([...state.output(0)]).toEqual([3, 4, 0, 0, 5, 6]);
});

test('slice: columns of each row', () => {
  const state = makeState(model({ name: 's', type: 'slice', start: 1, size: 1 }), 1, [3]);
  state.inputFloats(0).set([1, 2, 3, 4, 5, 6]);
  state.run();
  expect([...state.output(0)]).toEqual([2, 4, 6]);
});

test.each([
  { type: 'slice', start: 1, size: 2 },
  { type: 'slice', start: -1, size: 1 },
  { type: 'slice', start: 0, size: 0 },
  { type: 'step', index: 1 },
])('refused: %o', (layer) => {
  expect(() => resolveGraph(model({ name: 'layer', ...layer } as LayerSpec))).toThrow(/layer 'layer'/);
});
