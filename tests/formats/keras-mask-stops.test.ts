import { expect, test } from 'vitest';
import { kerasDialect } from '../../ts/formats/keras/dialect.ts';
import { type Config, from, KERAS2, KERAS3, layer, MASKING, read, X } from './keras-made.ts';

/**
 * Which layers hand the mask of their input on: `supports_masking` of each class in the sources of Keras 2.6 to 2.15 and 3.0 to 3.15, which
 * agree but where a row says so. (Where one that does not is given a mask, TensorFlow's Keras drops it without a word.)
 */
const HAND_ON: Record<string, [config: Config, handsOn: boolean | 'keras3', shapes?: Record<string, number[]>]> = {
  Activation: [{ activation: 'tanh' }, true],
  ActivityRegularization: [{}, true],
  BatchNormalization: [{ axis: -1, center: false, scale: false }, true, { moving_mean: [2], moving_variance: [2] }],
  Dense: [{ units: 2, activation: 'linear', use_bias: false }, true, { kernel: [2, 2] }],
  Dropout: [{ rate: 0.5 }, true],
  ELU: [{}, true],
  GaussianNoise: [{ stddev: 1 }, true],
  GroupNormalization: [{ groups: 1, center: false, scale: false }, true],
  Identity: [{}, 'keras3'],
  LayerNormalization: [{ axis: -1, center: false, scale: false }, true],
  LeakyReLU: [{}, true],
  Normalization: [{ axis: -1, mean: [1, 2], variance: [1, 4] }, 'keras3'],
  PReLU: [{ shared_axes: [1] }, true, { alpha: [1, 2] }],
  ReLU: [{}, true],
  Rescaling: [{ scale: 2 }, 'keras3'],
  RMSNormalization: [{ axis: -1 }, false, { scale: [2] }],
  SpatialDropout1D: [{ rate: 0.5 }, true],
  UnitNormalization: [{ axis: -1 }, true],
  Conv1D: [{ filters: 2, kernel_size: 1, activation: 'linear', use_bias: false }, false, { kernel: [1, 2, 2] }],
  SeparableConv1D: [
    { filters: 2, kernel_size: 1, activation: 'linear', use_bias: false },
    false,
    { depthwise_kernel: [1, 2, 1], pointwise_kernel: [1, 2, 2] },
  ],
  DepthwiseConv1D: [{ kernel_size: 1, activation: 'linear', use_bias: false }, false, { depthwise_kernel: [1, 2, 1] }],
  MaxPooling1D: [{ pool_size: 1 }, false],
  AveragePooling1D: [{ pool_size: 1 }, false],
  UpSampling1D: [{ size: 2 }, false],
  ZeroPadding1D: [{ padding: 1 }, false],
  Cropping1D: [{ cropping: 1 }, false],
  Permute: [{ dims: [1, 2] }, false],
};

const FRAMEWORKS = { keras2: KERAS2, keras3: KERAS3 };
test.each(
  Object.entries(HAND_ON).flatMap(([name, row]) =>
    (['keras2', 'keras3'] as const).map((framework) => [name, framework, row] as const),
  ),
)('%s of %s hands its mask on, or not', (name, framework, [config, handsOn, shapes = {}]) => {
  const mean = layer('GlobalAveragePooling1D', 'g', {}, from('l'));
  const layers = [X, MASKING, layer(name, 'l', config, from('m')), mean];
  const { spec } = read(layers, { dialect: FRAMEWORKS[framework], shapes });
  expect((spec.layers.at(-1) as { mask?: unknown }).mask !== undefined).toBe(handsOn === true || handsOn === framework);
});

const MEAN = layer('GlobalAveragePooling1D', 'g', {}, from('l'));
const masked = (
  layers: object[],
  version: string | undefined,
  shapes: Record<string, number[]>,
  outputs = [['g', 0, 0]],
) => {
  const { spec } = read(layers, { dialect: kerasDialect(version, true), shapes, outputs });
  return (spec.layers.find(({ name }) => name === 'g') as { mask?: unknown }).mask !== undefined;
};

test.each<[version: string | undefined, found: boolean | RegExp]>([
  ['3.7.0', true],
  ['3.8.0', false],
  [undefined, /'h' takes the masks of what it reads away since Keras 3\.8, .* put "keras_version"/],
])('MultiHeadAttention of Keras %s takes the mask of what it reads away, or not', (version, found) => {
  const config = { num_heads: 2, key_dim: 2, use_bias: false };
  const heads = layer('MultiHeadAttention', 'h', config, from('l', { value: ['l', 0, 0] }));
  const shared = layer('Activation', 'l', { activation: 'tanh' }, from('m'));
  // Of two of one depth the one that the search from the outputs comes upon later is run first.
  const run = (...outputs: string[]) =>
    masked(
      [X, MASKING, shared, MEAN, heads],
      version,
      { kernel: [2, 2, 2] },
      outputs.map((name) => [name, 0, 0]),
    );
  if (found instanceof RegExp) expect(() => run('g', 'h')).toThrow(found);
  else expect(run('g', 'h')).toBe(found);
  expect(run('h', 'g')).toBe(true);
});

test.each([
  ['3.10.0', false],
  ['3.11.0', true],
])('Keras %s hands a mask on that is given, or not', (version, handsOn) => {
  const given = layer('InputLayer', 'k', { batch_input_shape: [null, null], dtype: 'bool' });
  const config = { axis: -1, center: false, scale: false };
  const norm = layer('BatchNormalization', 'l', config, from('x', { mask: ['k', 0, 0] }));
  expect(masked([X, given, norm, MEAN], version, { moving_mean: [2], moving_variance: [2] })).toBe(handsOn);
});
