import { describe, expect, test } from 'vitest';
import { foldBiases, recurrentWeights, toFloats, transpose } from '../../ts/formats/layouts/canonical.ts';
import { fromKeras } from '../../ts/formats/layouts/keras.ts';
import { fromPytorch, pytorchLayers } from '../../ts/formats/layouts/pytorch.ts';
import { fromTextbook } from '../../ts/formats/layouts/textbook.ts';
import { refusal } from './refusal.ts';

/** Arrays of weights of each layout, number by number. */

const f32 = (...values: number[]) => Float32Array.from(values);
const count = (n: number, from = 0) => Float32Array.from({ length: n }, (_, i) => from + i);

test.each([
  [1, 1],
  [3, 5],
  [4, 64],
  [5, 65],
  [8, 63],
  [9, 130],
  [0, 4],
  [130, 3],
])('%i rows of %i transposed', (rows, columns) => {
  const data = count(rows * columns);
  const out = transpose(data, rows, columns);
  const wanted = Float32Array.from({ length: data.length }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!); // prettier-ignore
  expect(out).toEqual(wanted);
});

describe('biases', () => {
  const [input, recurrent] = [f32(1, 2, 3, 4, 5, 6), f32(10, 20, 30, 40, 50, 60)];
  test.each<[string, Float32Array | undefined, Float32Array | undefined, boolean, object]>([
    ['none', undefined, undefined, true, {}],
    ['of the input', input, undefined, true, { bias: input }],
    ['of both', input, recurrent, false, { bias: f32(11, 22, 33, 44, 55, 66) }],
    ['of both, the last apart', input, recurrent, true, { bias: f32(11, 22, 33, 44, 5, 6), recurrentBias: f32(50, 60) }],
    ['of the recurrent product', undefined, recurrent, true, { bias: f32(10, 20, 30, 40, 0, 0), recurrentBias: f32(50, 60) }],
    ['of the recurrent product, together', undefined, recurrent, false, { bias: recurrent }],
  ])('%s', (_, of, and, resetAfter, wanted) => {
    expect(foldBiases(of, and, 2, resetAfter)).toEqual(wanted);
  }); // prettier-ignore
});

describe('numbers', () => {
  test('are copied unless they may be shared', () => {
    const data = count(6);
    expect(toFloats('w', data, [2, 3])).toEqual(data);
    expect(toFloats('w', data, [2, 3]).buffer).not.toBe(data.buffer);
    expect(toFloats('w', data, [2, 3], false).buffer).toBe(data.buffer);
    expect(toFloats('w', [1, 2, 3], [3], false)).toEqual(f32(1, 2, 3));
    expect(toFloats('w', Float64Array.of(0.1), [1])).toEqual(f32(0.1));
  });

  test.each<[unknown, RegExp]>([
    [count(5), /shape_mismatch: w: expected 6 values of shape \[2, 3\], got 5/],
    [undefined, /dtype_mismatch: w: expected an array of shape \[2, 3\], got undefined/],
    [7, /dtype_mismatch: w: expected an array/],
    [[1, 2, 3, '4', 5, 6], /dtype_mismatch: w: expected a flat array of numbers, got .*4.* at 3/],
  ])('refused: %j', (data, message) => {
    expect(refusal(() => toFloats('w', data, [2, 3]))).toMatch(message);
  });
});

test('weights of both directions are kept by their names', () => {
  const one = { input: count(1), recurrent: count(1, 1), bias: count(1, 2) };
  expect(recurrentWeights({ forward: one, reverse: { input: count(1, 3), recurrent: count(1, 4) } })).toEqual({
    'forward.input': f32(0),
    'forward.recurrent': f32(1),
    'forward.bias': f32(2),
    'reverse.input': f32(3),
    'reverse.recurrent': f32(4),
  });
  expect(recurrentWeights({ reverse: one })).toHaveProperty('reverse.input');
  expect(recurrentWeights({})).toEqual({});
});

test("Keras's matrices are transposed, its biases are one row or two", () => {
  const sizes = { inputSize: 2, hiddenSize: 1 };
  const arrays = { kernel: [1, 2, 3, 4, 5, 6], recurrentKernel: [7, 8, 9] };
  const matrices = { input: f32(1, 4, 2, 5, 3, 6), recurrent: f32(7, 8, 9) };
  expect(fromKeras(arrays, sizes, true)).toEqual(matrices);
  expect(fromKeras({ ...arrays, bias: [1, 2, 3] }, sizes, false)).toEqual({ ...matrices, bias: f32(1, 2, 3) });
  const bias = [1, 2, 3, 10, 20, 30];
  expect(fromKeras({ ...arrays, bias }, sizes, true)).toEqual({ ...matrices, bias: f32(11, 22, 3), recurrentBias: f32(30) }); // prettier-ignore
  expect(() => fromKeras({ ...arrays, kernel: [1] }, sizes, true, 'forward.')).toThrow(/forward\.kernel/);
});

test("PyTorch's rows come r, z, n", () => {
  const sizes = { inputSize: 2, hiddenSize: 1 };
  const weights = { weightIh: [1, 2, 3, 4, 5, 6], weightHh: [7, 8, 9] };
  const matrices = { input: f32(3, 4, 1, 2, 5, 6), recurrent: f32(8, 7, 9) };
  expect(fromPytorch('gru', weights, sizes)).toEqual(matrices);
  expect(fromPytorch('gru', { ...weights, biasIh: [1, 2, 3], biasHh: [10, 20, 30] }, sizes)).toEqual({ ...matrices, bias: f32(22, 11, 3), recurrentBias: f32(30) }); // prettier-ignore
  expect(fromPytorch('gru', { ...weights, biasIh: [1, 2, 3] }, sizes)).toEqual({ ...matrices, bias: f32(2, 1, 3) });
  expect(fromPytorch('gru', { ...weights, biasHh: [1, 2, 3] }, sizes)).toEqual({ ...matrices, bias: f32(2, 1, 0), recurrentBias: f32(3) }); // prettier-ignore
  expect(() => fromPytorch('gru', { ...weights, weightHh: [1] }, sizes, '_l3')).toThrow(/weight_hh_l3/);
});

describe('layers of a state dict', () => {
  test('are sorted by their number and direction', () => {
    const dict = { weight_hh_l1: 1, weight_ih_l0: 2, bias_ih_l1_reverse: 3, bias_hh_l0: 4, bias_ih_l0: undefined }; // prettier-ignore
    expect(pytorchLayers('gru', dict)).toEqual([
      {
        suffix: '_l0',
        forward: { weightIh: 2, weightHh: undefined, biasIh: undefined, biasHh: 4 },
        reverse: { weightIh: undefined, weightHh: undefined, biasIh: undefined, biasHh: undefined },
      },
      {
        suffix: '_l1',
        forward: { weightIh: undefined, weightHh: 1, biasIh: undefined, biasHh: undefined },
        reverse: { weightIh: undefined, weightHh: undefined, biasIh: 3, biasHh: undefined },
      },
    ]);
    expect(pytorchLayers('gru', { weight_ih: 1 })).toMatchObject([{ suffix: '', forward: { weightIh: 1 }, reverse: undefined }]); // prettier-ignore
  });

  test.each<[string[], RegExp]>([
    [[], /weight_ih_l0 is missing/],
    [['weight_ih_l0', 'weight_ih_reverse'], /'weight_ih_reverse' is no tensor/],
    [['my_weight_ih_l0'], /'my_weight_ih_l0' is no tensor/],
    [['weight_ih_l0_reversed'], /'weight_ih_l0_reversed' is no tensor/],
    [['weight_ih_lx'], /is no tensor/],
    [['weight_ih_l0', 'weight_ih_l2'], /layer 1 has no weights: got weight_ih_l0, weight_ih_l2/],
    [['weight_ih_l1'], /layer 0 has no weights/],
    [['weight_ih', 'weight_ih_l0'], /of nn.GRUCell and of nn.GRU are mixed/],
  ])('refused: %j', (keys, message) => {
    expect(() => pytorchLayers('gru', Object.fromEntries(keys.map((key) => [key, 1])))).toThrow(message);
  });
});

test("the textbook's gates are rows of the hidden state, then of the input", () => {
  // column j of gate g: hidden row k has 100 g + 10 k + j, the input rows follow
  const gate = (g: number) => ({ kernel: [0, 1, 10, 11, 20, 21].map((v) => 100 * g + v), bias: [g, g + 0.5] });
  const weights = { updateGate: gate(1), resetGate: gate(2), candidateHidden: { kernel: gate(3).kernel } };
  expect(fromTextbook(weights, { inputSize: 1, hiddenSize: 2 })).toEqual({
    recurrent: f32(100, 110, 101, 111, 200, 210, 201, 211, 300, 310, 301, 311),
    input: f32(120, 121, 220, 221, 320, 321),
    bias: f32(1, 1.5, 2, 2.5, 0, 0),
  });
  expect(() => fromTextbook({ ...weights, resetGate: undefined as never }, { inputSize: 1, hiddenSize: 2 }, 'f.')).toThrow(/f\.resetGate\.kernel/); // prettier-ignore
});
