import { describe, expect, test } from 'vitest';
import { ends, from, H, KERAS2, layer, MASKING, read, refusal, TFJS, words, X } from './keras-made.ts';

const T = layer('InputLayer', 't', { batch_input_shape: [null, 6, 4] });
const V = layer('InputLayer', 'v', { batch_input_shape: [null, 6] });
const of = (className: string, config: object, input: object = X, name = 'x') =>
  words(read([input, layer(className, 'g', config as Record<string, unknown>, from(name))]));

describe('Keras layers over time', () => {
  test('global pools', () => {
    expect(of('GlobalMaxPooling1D', {})).toEqual(['reduce g of x, reduce max']);
    expect(of('GlobalAveragePooling1D', { data_format: 'channels_last', keepdims: true })).toEqual([
      'reduce g of x, reduce mean',
      'unflatten g_step of g, steps 1',
    ]);
    expect(of('GlobalMaxPooling1D', { data_format: 'channels_first' })).toEqual(['reduceFeatures g of x, reduce max']);
  });

  test('the mean alone takes the mask', () => {
    const masked = (className: string, dialect = KERAS2) =>
      words(read([X, MASKING, layer(className, 'g', {}, from('m'))], { dialect })).at(-1);
    expect(masked('GlobalAveragePooling1D')).toContain('reduce mean, mask ');
    expect(masked('GlobalMaxPooling1D')).toBe('reduce g of x, reduce max');
    const layers = [X, MASKING, layer('GlobalAveragePooling1D', 'g', {}, from('m'))];
    expect(refusal(layers, { dialect: TFJS })).toContain('takes no mask in TensorFlow.js');
  });

  test('pools, upsampling, padding, cropping', () => {
    expect(of('MaxPooling1D', { pool_size: [2], padding: 'valid' })).toEqual([
      'pool g of x, pool max, window 2, stride 2',
    ]);
    expect(of('AveragePooling1D', { pool_size: 3, strides: [1], padding: 'same' })).toEqual([
      'pool g of x, pool mean, window 3, stride 1, padding same',
    ]);
    expect(of('UpSampling1D', { size: 3 })).toEqual(['upsample g of x, factor 3']);
    expect(of('ZeroPadding1D', { padding: 2 })).toEqual(['pad g of x, before 2, after 2']);
    expect(of('Cropping1D', { cropping: [1, 0] })).toEqual(['pad g of x, before -1, after 0']);
    const refused = (className: string, config: Record<string, unknown>) =>
      refusal([X, layer(className, 'g', config, from('x'))]);
    expect(refused('MaxPooling1D', { pool_size: 2, padding: 'causal' })).toContain('padding "causal"');
    expect(refused('MaxPooling1D', { pool_size: [2, 2] })).toContain('pool_size');
    expect(refused('ZeroPadding1D', { padding: [1] })).toContain('padding must be 2 whole numbers');
  });

  test('shapes', () => {
    expect(of('Flatten', {}, T, 't')).toEqual(['flatten g of t, steps 6']);
    expect(ends(read([H, layer('Flatten', 'f', {}, from('h')), layer('Dense', 'g', { units: 1, use_bias: false, activation: 'linear' }, from('f'))], { shapes: { kernel: [2, 1] } }))).toEqual(['g']); // prettier-ignore
    expect(of('Reshape', { target_shape: [3, -1] }, V, 'v')).toEqual(['unflatten g of v, steps 3']);
    expect(of('Reshape', { target_shape: [-1, 8] }, T, 't')).toEqual(['flatten g_flat of t, steps 6', 'unflatten g of g_flat, steps 3']); // prettier-ignore
    expect(of('RepeatVector', { n: 6 }, V, 'v')).toEqual(['repeat g of v, steps 6']);
    const both = [V, T, layer('RepeatVector', 'r', { n: 6 }, from('v')), layer('Concatenate', 'g', { axis: -1 }, from('r'), from('t'))]; // prettier-ignore
    expect(words(read(both))[0]).toBe('repeat r of v, steps 6, like t');
    const refused = (className: string, config: Record<string, unknown>, input: object = X, name = 'x') =>
      refusal([input, layer(className, 'g', config, from(name))]);
    expect(refused('Flatten', {})).toContain('whose number the input shape has to fix');
    expect(refused('Reshape', { target_shape: [2, 3, 4] }, T, 't')).toContain('steps of 3 steps of 4 features');
    expect(refused('Reshape', { target_shape: [5, 5] }, T, 't')).toContain('24 numbers do not have the shape (5, 5)');
  });
});
