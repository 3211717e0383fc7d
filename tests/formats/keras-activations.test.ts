import { expect, test } from 'vitest';
import { readActivation, activationLayer } from '../../ts/formats/keras/activation.ts';
import { kerasDialect, tfjsDialect } from '../../ts/formats/keras/dialect.ts';
import { Fields } from '../../ts/formats/keras/fields.ts';

const KERAS3 = kerasDialect('3.15.1', true);
const KERAS2 = kerasDialect('2.15.0', false);
const read = (activation: unknown, dialect = KERAS3) =>
  readActivation(new Fields("Dense layer 'd'", { activation }), 'activation', dialect);
const layer = (className: string, config: Record<string, unknown>, rank?: number) =>
  activationLayer(className, new Fields(className, config), rank);

test.each([
  ['linear', 'linear'],
  [null, 'linear'],
  ['sigmoid', 'sigmoid'],
  ['tanh', 'tanh'],
  ['relu', 'relu'],
  ['softsign', 'softsign'],
  ['softplus', 'softplus'],
  ['softmax', 'softmax'],
  ['elu', { name: 'elu', alpha: 1 }],
  ['leaky_relu', { name: 'leaky_relu', alpha: 0.2 }],
  [{ class_name: 'function', config: 'tanh', registered_name: 'tanh' }, 'tanh'],
  [{ class_name: 'function', config: 'relu', registered_name: 'function' }, 'unsupported'],
  [{ class_name: 'function', config: 'relu', registered_name: null }, 'relu'],
  [{ class_name: 'function', config: 'relu', registered_name: 'my>relu' }, 'unsupported'],
  [{ class_name: 'sigmoid' }, 'sigmoid'],
  [{ class_name: 'sigmoid', config: {} }, 'sigmoid'],
  [{ class_name: 'ReLU' }, 'unsupported'],
  [
    { class_name: 'ReLU', config: { max_value: 6 } },
    { name: 'clip', alpha: 0, beta: 6 },
  ],
  [{ class_name: 'ReLU', config: { max_value: 6, negative_slope: 0.1 } }, 'unsupported'],
  [
    { class_name: 'LeakyReLU', config: { negative_slope: 0.4 } },
    { name: 'leaky_relu', alpha: 0.4 },
  ],
  ['gelu', 'gelu'],
  ['relu6', { name: 'clip', alpha: 0, beta: 6 }],
  ['swish', 'swish'],
  ['silu', 'swish'],
  ['selu', 'selu'],
  ['mish', 'mish'],
  ['exponential', 'exp'],
  ['hard_silu', 'hard_swish'],
  ['hard_tanh', { name: 'clip', alpha: -1, beta: 1 }],
  ['soft_shrink', { name: 'shrink', alpha: 0.5, beta: 0.5 }],
  ['sparse_sigmoid', { name: 'hard_sigmoid', alpha: 0.5, beta: 0.5 }],
  ['log_softmax', 'log_softmax'],
  ['glu', 'unsupported'],
  ['sparsemax', 'unsupported'],
  ['constructor', 'unsupported'],
  [undefined, 'invalid_file'],
  [7, 'invalid_file'],
  [{ class_name: 'function', config: 1 }, 'invalid_file'],
  [{ class_name: 1 }, 'invalid_file'],
])('activation %j is %j', (activation, expected) => {
  if (expected === 'unsupported' || expected === 'invalid_file') {
    expect(() => read(activation)).toThrow(expect.objectContaining({ code: expected }));
  } else {
    expect(read(activation)).toEqual(expected);
  }
});

test.each([
  ['Keras 3', KERAS3, 1 / 6],
  ['Keras 2', KERAS2, 0.2],
  ['TensorFlow.js', tfjsDialect('4.22.0'), 0.2],
])('hard_sigmoid of %s has its own slope', (_, dialect, alpha) => {
  for (const name of ['hard_sigmoid', 'hardSigmoid']) {
    expect(read(name, dialect)).toEqual({ name: 'hard_sigmoid', alpha, beta: 0.5 });
  }
});

test.each([
  ['LeakyReLU', {}, { name: 'leaky_relu', alpha: 0.3 }],
  ['LeakyReLU', { alpha: 0.1 }, { name: 'leaky_relu', alpha: 0.1 }],
  ['LeakyReLU', { negative_slope: 0.25 }, { name: 'leaky_relu', alpha: 0.25 }],
  ['ELU', {}, { name: 'elu', alpha: 1 }],
  ['ELU', { alpha: 0.7 }, { name: 'elu', alpha: 0.7 }],
  ['ThresholdedReLU', {}, { name: 'thresholded_relu', alpha: 1 }],
  ['ThresholdedReLU', { theta: 0.5 }, { name: 'thresholded_relu', alpha: 0.5 }],
  ['ReLU', {}, 'relu'],
  ['ReLU', { max_value: null, negative_slope: 0, threshold: 0 }, 'relu'],
  ['ReLU', { negative_slope: 0.1 }, { name: 'leaky_relu', alpha: 0.1 }],
  ['ReLU', { threshold: 0.5 }, { name: 'thresholded_relu', alpha: 0.5 }],
  ['ReLU', { max_value: 6 }, { name: 'clip', alpha: 0, beta: 6 }],
  ['ReLU', { threshold: 1, negative_slope: 0.1 }, { name: 'leaky_relu', alpha: 0.1, beta: 1 }],
  ['Softmax', {}, 'softmax'],
  ['Softmax', { axis: -1 }, 'softmax'],
  ['Softmax', { axis: 2 }, 'softmax'],
])('layer %s %j is %j', (className, config, expected) => {
  expect(layer(className, config, 3)).toEqual([expected]);
});

test('a ReLU with a slope and an upper bound is two functions', () => {
  const found = layer('ReLU', { max_value: 2, negative_slope: 0.1, threshold: 1 }, 3);
  expect(found).toEqual([
    { name: 'leaky_relu', alpha: 0.1, beta: 1 },
    { name: 'clip', beta: 2 },
  ]);
});

test.each([
  ['Softmax', { axis: 1 }],
  ['ELU', { beta: 1 }],
])('layer %s %j is refused by name', (className, config) => {
  expect(() => layer(className, config, 3)).toThrow(expect.objectContaining({ code: 'unsupported' }));
});

test.each([{ threshold: -1 }, { max_value: -1 }, { negative_slope: -1 }])(
  'ReLU %j is refused, as Keras does',
  (config) => {
    expect(() => layer('ReLU', config, 3)).toThrow(expect.objectContaining({ code: 'invalid_file' }));
  },
);

test.each([
  ['2.15.0', 'and'],
  ['3.0.0', 'lost'],
  ['3.3.3', 'lost'],
  ['3.4.0', 'or'],
  ['3.15.1', 'or'],
  ['4.0.0', 'or'],
  [undefined, undefined],
])('masks that merge layers of Keras %s read', (version, expected) => {
  expect(kerasDialect(version, true).mergeMasks).toBe(expected);
});
