import { describe, expect, test } from 'vitest';
import { foldScales, MAX_SHIFT } from '../../ts/spec/fold.ts';
import type { LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { FOLDED } from '../tolerances.ts';
import { expectClose, gruLayer, numbers } from './helpers.ts';

const size = 6;
const vector = (seed: number, low: number, high: number) =>
  numbers(size, seed).map((x) => low + ((high - low) * (x + 1)) / 2);
/** Factors of 1/30 to 30 and summands up to the bound, as batch normalization has them. */
const scale = (name: string, rest = {}): LayerSpec => ({
  type: 'scale',
  name,
  inputSize: size,
  weights: {
    scale: vector(7, -3, 3).map((x) => Math.sign(x) * 10 ** (Math.abs(x) - 1.5)),
    shift: vector(8, -MAX_SHIFT, MAX_SHIFT),
  },
  ...rest,
});
const dense = (name: string, rest = {}): LayerSpec => ({
  type: 'dense',
  name,
  inputSize: size,
  outputSize: size,
  weights: { kernel: numbers(size * size, 3), bias: numbers(size, 4) },
  ...rest,
});
const lstm = (name: string): LayerSpec => ({
  type: 'lstm',
  name,
  inputSize: size,
  hiddenSize: 2,
  weights: {
    'forward.input': numbers(8 * size, 1),
    'forward.recurrent': numbers(16, 2),
    'forward.bias': numbers(8, 3),
  },
});
const rnn = (name: string): LayerSpec => ({
  type: 'rnn',
  name,
  inputSize: size,
  hiddenSize: 3,
  direction: 'bidirectional',
  weights: {
    'forward.input': numbers(3 * size, 1),
    'forward.recurrent': numbers(9, 2),
    'reverse.input': numbers(3 * size, 3),
    'reverse.recurrent': numbers(9, 4),
  },
});
const conv = (rest = {}): LayerSpec => ({
  type: 'conv1d',
  name: 'c',
  inputSize: size,
  outputSize: size,
  kernelSize: 3,
  weights: { kernel: numbers(3 * size * size, 5), bias: numbers(size, 6) },
  ...rest,
});
const grouped = { groups: 2, weights: { kernel: numbers((3 * size * size) / 2, 5) } };
const factor = { weights: { scale: vector(1, -2, 2) } };
const norm: LayerSpec = { type: 'norm', name: 'n', inputSize: size, norm: 'rms', epsilon: 0.1, weights: {} };
const tanh = (name: string, from: string): LayerSpec => ({
  type: 'activation',
  name,
  inputs: [from],
  activation: 'tanh',
});

const spec = (layers: LayerSpec[], outputs?: ModelSpec['outputs']): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size }],
  layers,
  ...(outputs ? { outputs } : {}),
});

describe.each<[string, ModelSpec, string[], Record<string, string[]>]>([
  ['into the dense layer before', spec([dense('d'), scale('s')]), ['d'], { s: ['d'] }],
  [
    'into a dense layer without bias',
    spec([dense('d', { weights: { kernel: numbers(36) } }), scale('s')]),
    ['d'],
    { s: ['d'] },
  ],
  ['into the dense layer behind', spec([scale('s'), dense('d', { activation: 'tanh' })]), ['d'], { s: ['d'] }],
  ['into a gru', spec([scale('s'), gruLayer('g', size, 3)]), ['g'], { s: ['g'] }],
  ['into both directions', spec([scale('s'), rnn('r')]), ['r'], { s: ['r'] }],
  ['into an lstm', spec([scale('s'), lstm('l')]), ['l'], { s: ['l'] }],
  [
    'into all that read it',
    spec([scale('s'), lstm('l'), { ...dense('d'), inputs: ['s'] }], ['l', 'd']),
    ['l', 'd'],
    { s: ['l', 'd'] },
  ],
  ['into the convolution before', spec([conv({ padding: 'same' }), scale('s')]), ['c'], { s: ['c'] }],
  ['into one of groups before', spec([conv({ ...grouped, stride: 2 }), scale('s')]), ['c'], { s: ['c'] }],
  ['into the convolution behind', spec([scale('s'), conv({ dilation: 2 })]), ['c'], { s: ['c'] }],
  [
    'a factor into a convolution that pads',
    spec([scale('s', factor), conv({ padding: 'causal' })]),
    ['c'],
    { s: ['c'] },
  ],
  ['not a summand into one that pads', spec([scale('s'), conv({ padding: 'same' })]), ['s', 'c'], {}],
  ['not into one of groups behind', spec([scale('s', factor), conv(grouped)]), ['s', 'c'], {}],
  ['into a norm layer', spec([norm, scale('s')]), ['n'], { s: ['n'] }],
  [
    'one into the other, and on',
    spec([scale('s'), scale('t', { weights: { scale: vector(1, 0, 1) } }), dense('d')]),
    ['d'],
    { s: ['d'], t: ['d'] },
  ],
  [
    'a factor alone, without a bias',
    spec([scale('s', { weights: { scale: vector(1, 0, 2) } }), rnn('r')]),
    ['r'],
    { s: ['r'] },
  ],
  ['not behind an activation', spec([dense('d', { activation: 'relu' }), scale('s')]), ['d', 's'], {}],
  [
    'not where others read the layer before',
    spec([dense('d'), scale('s'), tanh('t', 'd')], ['s', 't']),
    ['d', 's', 't'],
    {},
  ],
  ['not an output', spec([scale('s'), dense('d')], ['s', 'd']), ['s', 'd'], {}],
  [
    'not where one that reads it cannot',
    spec([scale('s'), dense('d'), tanh('t', 's')], ['d', 't']),
    ['s', 'd', 't'],
    {},
  ],
  ['not by step', spec([scale('s', { steps: 5, weights: { shift: numbers(5 * size) } }), dense('d')]), ['s', 'd'], {}],
  ['not a large summand', spec([scale('s', { weights: { shift: vector(1, 4.1, 5) } }), dense('d')]), ['s', 'd'], {}],
  [
    'not beyond float32',
    spec([
      scale('s', { weights: { scale: vector(1, 1e38, 3e38) } }),
      dense('d', { weights: { kernel: numbers(36, 1, 9) } }),
    ]),
    ['s', 'd'],
    {},
  ],
])('%s', (_, given, layers, into) => {
  test('the layers that are left, and where the others went', () => {
    const folded = foldScales(given);
    expect(folded.spec.layers.map(({ name }) => name)).toEqual(layers);
    expect(Object.fromEntries(folded.into)).toEqual(into);
  });

  test.each(BACKENDS)('the same numbers on $name', async ({ api }) => {
    const x = numbers(5 * size, 21, 2);
    const outputs = async (one: ModelSpec) => (await api.createModel(one)).run(x).outputs;
    const [want, got] = [await outputs(given), await outputs(foldScales(given).spec)];
    expect(Object.keys(got)).toHaveLength(Object.keys(want).length);
    Object.values(want).forEach((output, i) => {
      const largest = output.data.reduce((m, y) => Math.max(m, Math.abs(y)), 0);
      expectClose(Object.values(got)[i]!.data, output.data, { atol: FOLDED.rtol * largest, rtol: 0 });
    });
  });
});

test('not where it is read as a state or a mask', () => {
  const state = { ...lstm('l'), initialState: ['s', 's'] } as LayerSpec;
  const vectors: ModelSpec = {
    inputs: [
      { name: 'x', dtype: 'float32', size },
      { name: 'v', dtype: 'float32', size: 2, kind: 'vector' },
    ],
    layers: [scale('s', { inputs: ['v'], inputSize: 2, weights: { shift: numbers(2) } }), { ...state, inputs: ['x'] }],
  };
  expect(foldScales(vectors).into.size).toBe(0);
});

test('the spec that is given stays as it is', () => {
  const given = spec([dense('d'), scale('s')], [{ name: 'y', from: 's' }]);
  const before = structuredClone(given);
  expect(foldScales(given).spec.outputs).toEqual([{ name: 'y', from: 'd' }]);
  expect(given).toEqual(before);
});
