import { describe, expect, test } from 'vitest';
import { LAYERS } from '../../ts/formats/keras/layers/index.ts';
import { type Config, from, H, K, layer, read, type Setting, TFJS, X } from './keras-made.ts';
import { wordsOf } from './refusal.ts';

/** A class whose fields are gone through. */
interface Swept {
  /** A layer of it: what Keras 3.15 writes, where it is not left to the default. */
  config?: Config;
  /** A value for each field on which the result depends: another model is made, or the field is refused by name. */
  meant: Config;
  /** A value for each field on which it does not depend: the same model is made. */
  harmless?: Config;
  /** Shapes of its weights. */
  shapes?: Record<string, number[]>;
  /** What it reads. Default: steps of 2 features. */
  inputs?: unknown[];
  /** Layers after it, the last of which is the output. */
  more?: (ReturnType<typeof layer> & { config: { name: string } })[];
}

/** Of what is drawn or added while training alone, or starts, bounds and punishes weights. */
const TRAINING = { kernel_initializer: 'zeros', bias_regularizer: 'l2', kernel_constraint: 'max_norm' };
const NOISE = { seed: 3 };
const FORMAT = { data_format: 'channels_first' };
const fixed = (...shape: (number | null)[]) => layer('InputLayer', 'x', { batch_input_shape: [null, ...shape] });
const SIX = fixed(3, 2);

const conv = (shapes: Record<string, number[]>, config: Config, more: Config = {}): Swept => ({
  config: { kernel_size: [3], strides: [1], padding: 'valid', dilation_rate: [1], activation: 'linear', ...config },
  meant: {
    kernel_size: [2],
    strides: [2],
    padding: 'causal',
    dilation_rate: [2],
    activation: 'relu',
    use_bias: false,
    groups: 2,
    ...FORMAT,
    ...more,
  },
  harmless: TRAINING,
  shapes,
});
const POOL: Swept = {
  config: { pool_size: [2], strides: [2], padding: 'valid' },
  meant: { pool_size: [3], strides: [1], padding: 'same', ...FORMAT },
};
const MERGE: Swept = { meant: {}, inputs: [from('h'), from('k')] };
const affine = { gamma: [2], beta: [2], scale: [2], moving_mean: [2], moving_variance: [2] };
const noise = (field: string): Swept => ({ meant: {}, harmless: { [field]: 0.7, ...NOISE } });

const SWEPT: Record<string, Swept> = {
  Conv1D: conv({ kernel: [3, 2, 4], bias: [4] }, { filters: 4 }, { filters: 5 }),
  DepthwiseConv1D: conv({ kernel: [3, 2, 1], bias: [2] }, { depth_multiplier: 1 }, { depth_multiplier: 2, filters: 3 }),
  SeparableConv1D: conv(
    { depthwise_kernel: [3, 2, 1], pointwise_kernel: [1, 2, 4], bias: [4] },
    { filters: 4, depth_multiplier: 1 },
    { filters: 5, depth_multiplier: 2 },
  ),
  Conv1DTranspose: conv({ kernel: [3, 4, 2], bias: [4] }, { filters: 4 }, { filters: 5, output_padding: [1] }),
  MaxPooling1D: POOL,
  AveragePooling1D: POOL,
  GlobalMaxPooling1D: { meant: { keepdims: true, ...FORMAT } },
  GlobalAveragePooling1D: { meant: { keepdims: true, ...FORMAT } },
  UpSampling1D: { config: { size: 2 }, meant: { size: 3 } },
  ZeroPadding1D: { config: { padding: [1, 2] }, meant: { padding: [2, 2], ...FORMAT } },
  Cropping1D: { config: { cropping: [1, 0] }, meant: { cropping: [0, 1], ...FORMAT } },
  CategoryEncoding: {
    config: { num_tokens: 4, output_mode: 'multi_hot', sparse: false },
    meant: { num_tokens: 5, output_mode: 'count', sparse: true },
    inputs: [from('h')],
  },
  RepeatVector: { config: { n: 3 }, meant: { n: 4 }, inputs: [from('h')] },
  Reshape: { config: { target_shape: [2, 3] }, meant: { target_shape: [6] }, inputs: [from('x')] },
  Permute: { config: { dims: [2, 1] }, meant: { dims: [1, 2] } },
  Flatten: { meant: FORMAT },
  BatchNormalization: {
    config: { axis: -1, epsilon: 0.001 },
    meant: { axis: 1, epsilon: 0.1, center: false, scale: false },
    harmless: {
      // At inference the moving statistics count.
      renorm: true,
      momentum: 0.5,
      synchronized: true,
      renorm_clipping: { rmax: 1 },
      renorm_momentum: 0.5,
      fused: true,
      ...{ beta_initializer: 'ones', gamma_regularizer: 'l2', moving_mean_initializer: 'ones' },
    },
    shapes: affine,
  },
  LayerNormalization: {
    config: { axis: [-1], epsilon: 0.001 },
    meant: { axis: [1], epsilon: 0.1, center: false, scale: false, rms_scaling: true },
    harmless: { beta_initializer: 'ones', gamma_constraint: 'non_neg' },
    shapes: affine,
  },
  RMSNormalization: { config: { axis: [-1] }, meant: { axis: [1], epsilon: 0.1 }, shapes: affine },
  UnitNormalization: { config: { axis: [-1] }, meant: { axis: [1] } },
  GroupNormalization: {
    config: { groups: 2, axis: -1, epsilon: 0.001 },
    meant: { groups: 1, axis: 1, epsilon: 0.1, center: false, scale: false },
    harmless: { beta_initializer: 'ones' },
    shapes: affine,
  },
  Normalization: {
    config: { axis: [-1], invert: false, mean: [1, 2], variance: [4, 9] },
    meant: { axis: [], invert: true, mean: [1, 3], variance: [4, 4] },
  },
  Rescaling: { config: { scale: 2, offset: 1 }, meant: { scale: 3, offset: 0 } },
  Attention: {
    meant: { use_scale: true, score_mode: 'concat', causal: true },
    harmless: { dropout: 0.5, seed: 3 },
    shapes: { scale: [], concat_score_weight: [] },
    inputs: [from('x'), from('x')],
  },
  AdditiveAttention: {
    config: { use_scale: true },
    meant: { use_scale: false, causal: true },
    harmless: { dropout: 0.5, seed: 3 },
    shapes: { scale: [2] },
    inputs: [from('x'), from('x')],
  },
  MultiHeadAttention: {
    config: { num_heads: 2, key_dim: 2, use_bias: false },
    meant: {
      ...{ num_heads: 1, key_dim: 3, value_dim: 3, output_shape: [3], attention_axes: [2], use_bias: true },
      ...{ sliding_window: 3, use_gate: true, dropout: 0.5 },
    },
    harmless: { seed: 3, flash_attention: true, query_shape: [null, 3, 2], value_shape: [null, 3, 2], ...TRAINING },
    shapes: { kernel: [2, 2, 2] },
    inputs: [from('x', { value: ['x', 0, 0] })],
  },
  Dot: {
    config: { axes: [2, 2], normalize: false },
    meant: { axes: [1, 1], normalize: true },
    inputs: [from('x'), from('x')],
    // Scores are no output: they weigh steps.
    more: [
      layer('Softmax', 'weights', { axis: -1 }, from('g')),
      layer('Dot', 'sum', { axes: [2, 1] }, from('weights'), from('x')),
    ],
  },
  Add: MERGE,
  Subtract: MERGE,
  Multiply: MERGE,
  Average: MERGE,
  Minimum: MERGE,
  Maximum: MERGE,
  Concatenate: { config: { axis: -1 }, meant: { axis: 0 }, inputs: [from('h'), from('k')] },
  ReLU: { meant: { max_value: 6, negative_slope: 0.1, threshold: 0.5 } },
  ThresholdedReLU: { config: { theta: 1 }, meant: { theta: 2 } },
  LeakyReLU: { config: { negative_slope: 0.3 }, meant: { negative_slope: 0.2, alpha: 0.1 } },
  ELU: { config: { alpha: 1 }, meant: { alpha: 2 } },
  Softmax: { config: { axis: -1 }, meant: { axis: 1 } },
  PReLU: {
    config: { shared_axes: [1] },
    meant: { shared_axes: [1, 2] },
    harmless: { alpha_initializer: 'ones', alpha_constraint: 'non_neg' },
    shapes: { alpha: [1, 2] },
  },
  Activation: { config: { activation: 'tanh' }, meant: { activation: 'mish' } },
  Dropout: { meant: {}, harmless: { rate: 0.3, noise_shape: [1, 2], ...NOISE } },
  SpatialDropout1D: noise('rate'),
  GaussianDropout: noise('rate'),
  GaussianNoise: noise('stddev'),
  AlphaDropout: { meant: {}, harmless: { rate: 0.3, noise_shape: [1, 2], ...NOISE } },
  ActivityRegularization: { meant: {}, harmless: { l1: 1, l2: 2 } },
  Identity: { meant: {} },
};
for (const alias of ['BatchNormalizationV1', 'BatchNormalizationV2', 'SyncBatchNormalization']) {
  SWEPT[alias] = SWEPT['BatchNormalization']!;
}

/** Those whose fields tests/formats/keras-attributes.test.ts goes through, in recorded files; their CuDNN forms with them. */
const ELSEWHERE = [
  ...['GRU', 'LSTM', 'SimpleRNN', 'RNN', 'CuDNNGRU', 'CuDNNLSTM', 'Bidirectional', 'TimeDistributed'],
  ...['Dense', 'Embedding', 'Masking', 'InputLayer'],
];

/** The model as text, or why there is none. */
function made(className: string, swept: Swept, change: Config, setting: Setting = {}): string {
  const { config, shapes = {}, inputs = [from('x')], more = [] } = swept;
  const isRead = (name: string) => JSON.stringify(inputs).includes(`"${name}"`);
  const x = ['Reshape', 'Permute', 'Flatten'].includes(className) ? SIX : X;
  const others = [...(isRead('h') ? [H] : []), ...(isRead('k') ? [K] : [])];
  const layers = [...(isRead('x') ? [x] : []), ...others, layer(className, 'g', { ...config, ...change }, ...inputs)];
  const outputs = [[more.at(-1)?.config.name ?? 'g', 0, 0]];
  try {
    const { spec } = read([...layers, ...more], { shapes, outputs, ...setting });
    return JSON.stringify(spec, (_, value: unknown) => (value instanceof Float32Array ? [...value] : value));
  } catch (error) {
    return wordsOf(error);
  }
}

describe.each(Object.entries(SWEPT))('%s', (className, swept) => {
  const plain = made(className, swept, {});

  test('is read; an unknown field is refused by name', () => {
    expect(plain).toMatch(/^\{/);
    expect(made(className, swept, { not_a_field: 1 })).toMatch(/^unsupported: .*'g'.*not_a_field/);
    expect(made(className, swept, { dtype: 'float16' })).toMatch(/^unsupported: .*'g'.*dtype/);
  });

  const { meant, harmless = {} } = swept;
  test.each(Object.entries(meant))('%s changes the result or is refused', (field, value) => {
    const changed = made(className, swept, { [field]: value });
    expect(changed).not.toBe(plain);
    if (!changed.startsWith('{'))
      expect(changed).toMatch(/^(unsupported|invalid_file|shape_mismatch): .*'(g|weights|sum)'/);
  });
  test.each(Object.entries({ ...harmless, trainable: false, name: 'g' }))('%s is harmless', (field, value) => {
    expect(made(className, swept, { [field]: value })).toBe(plain);
  });
  test.each(Object.entries(meant).filter(([field, value]) => typeof value !== 'string' && field !== 'dropout'))(
    '%s of another type is refused, in TensorFlow.js too',
    (field) => {
      for (const odd of ['', 'seven', {}, [[]], [1.5], -3]) {
        const changed = made(className, swept, { [field]: odd }, { dialect: TFJS });
        if (!changed.startsWith('{')) expect(changed).toMatch(/^(unsupported|invalid_file|shape_mismatch): /);
        else expect(changed, JSON.stringify(odd)).not.toBe(made(className, swept, {}, { dialect: TFJS }));
      }
    },
  );
});

/** What `get_config()` of Keras 3.15 gives beside what all layers have, and what starts, bounds or punishes weights. */
const WRITTEN: Record<string, string> = {
  Conv1D: 'activation data_format dilation_rate filters groups kernel_size padding strides use_bias',
  DepthwiseConv1D: 'activation data_format depth_multiplier dilation_rate kernel_size padding strides use_bias',
  SeparableConv1D: 'activation data_format depth_multiplier dilation_rate filters kernel_size padding strides use_bias',
  Conv1DTranspose: 'activation data_format dilation_rate filters kernel_size output_padding padding strides use_bias',
  MaxPooling1D: 'data_format padding pool_size strides',
  AveragePooling1D: 'data_format padding pool_size strides',
  GlobalMaxPooling1D: 'data_format keepdims',
  GlobalAveragePooling1D: 'data_format keepdims',
  UpSampling1D: 'size',
  ZeroPadding1D: 'data_format padding',
  Cropping1D: 'cropping',
  CategoryEncoding: 'num_tokens output_mode',
  RepeatVector: 'n',
  Reshape: 'target_shape',
  Permute: 'dims',
  Flatten: 'data_format',
  BatchNormalization: 'axis center epsilon momentum renorm renorm_clipping renorm_momentum scale synchronized',
  LayerNormalization: 'axis center epsilon rms_scaling scale',
  RMSNormalization: 'axis epsilon',
  UnitNormalization: 'axis',
  GroupNormalization: 'axis center epsilon groups scale',
  Normalization: 'axis invert mean variance',
  Rescaling: 'offset scale',
  Attention: 'dropout score_mode seed use_scale',
  AdditiveAttention: 'dropout seed use_scale',
  MultiHeadAttention:
    'attention_axes dropout key_dim num_heads output_shape seed sliding_window use_bias use_gate value_dim',
  Dot: 'axes normalize',
  Concatenate: 'axis',
  ReLU: 'max_value negative_slope threshold',
  LeakyReLU: 'negative_slope',
  ELU: 'alpha',
  Softmax: 'axis',
  PReLU: 'shared_axes',
  Activation: 'activation',
  Dropout: 'noise_shape rate seed',
  SpatialDropout1D: 'rate seed',
  GaussianDropout: 'rate seed',
  GaussianNoise: 'seed stddev',
  AlphaDropout: 'noise_shape rate seed',
  ActivityRegularization: 'l1 l2',
};

test('every class is gone through, and every field that Keras writes', () => {
  expect(Object.keys(LAYERS).filter((name) => !(name in SWEPT) && !ELSEWHERE.includes(name))).toEqual([]);
  for (const [name, written] of Object.entries(WRITTEN)) {
    const { meant, harmless = {} } = SWEPT[name]!;
    expect(Object.keys({ ...meant, ...harmless }), name).toEqual(expect.arrayContaining(written.split(' ')));
  }
});
