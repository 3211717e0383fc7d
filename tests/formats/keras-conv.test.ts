import { describe, expect, test } from 'vitest';
import type { Conv1dSpec } from '../../ts/spec/spec.ts';
import { from, H, KERAS2, KERAS3, layer, MASKING, read, refusal, TFJS, X, type Config, type Setting } from './keras-made.ts'; // prettier-ignore

/** Convolutions of Keras over steps of 2 features: what becomes of each field of their config. */

const BASE: Record<string, Config> = {
  Conv1D: { filters: 4, kernel_size: [3], activation: 'relu', use_bias: true },
  DepthwiseConv1D: { kernel_size: [3], activation: 'relu', use_bias: true },
  SeparableConv1D: { filters: 4, kernel_size: [3], activation: 'relu', use_bias: true },
};
const SHAPES = { kernel: [3, 2, 4], depthwise_kernel: [3, 2, 2], pointwise_kernel: [1, 4, 4], bias: [4] };
const of = (className: string, config: Config = {}, input: unknown = from('x')) =>
  layer(
    className,
    'g',
    { ...BASE[className], ...(className === 'Conv1D' ? {} : { depth_multiplier: 2 }), ...config },
    input,
  );
const made = (className: string, config?: Config, setting: Setting = {}) =>
  read([X, of(className, config)], { shapes: SHAPES, ...setting }).spec.layers;
const conv = (className: string, config?: Config, setting?: Setting) =>
  made(className, config, setting)[0] as Conv1dSpec;

describe.each([KERAS3, KERAS2, TFJS])('$label', (dialect) => {
  test.each(Object.keys(BASE))('%s: each field', (className) => {
    const with_ = (config: Config) => conv(className, config, { dialect });
    expect(with_({})).toMatchObject({ kernelSize: 3, stride: 1, dilation: 1, padding: 'valid' });
    for (const padding of ['valid', 'same', 'causal'] as const) expect(with_({ padding }).padding).toBe(padding);
    for (const strides of [2, [2]]) expect(with_({ strides }).stride).toBe(2);
    expect(with_({ dilation_rate: [3] }).dilation).toBe(3);
    expect(with_({ data_format: 'channels_last' }).padding).toBe('valid');
    const without = { ...SHAPES, bias: undefined } as never;
    const last = made(className, { use_bias: false }, { dialect, shapes: without }).at(-1)!;
    expect('weights' in last && Object.keys(last.weights)).toEqual(['kernel']);
    expect(made(className, {}, { dialect }).at(-1)).toMatchObject({ activation: 'relu' });
  });
});

test('layers that they become', () => {
  expect(made('Conv1D').map(({ name, type }) => [name, type])).toEqual([['g', 'conv1d']]);
  expect(conv('Conv1D', { groups: 2 }, { shapes: { ...SHAPES, kernel: [3, 1, 4] } }).groups).toBe(2);
  expect(conv('DepthwiseConv1D')).toMatchObject({ groups: 2, outputSize: 4, inputSize: 2 });
  // Keras 3 calls the weights of DepthwiseConv1D `kernel`.
  expect(conv('DepthwiseConv1D', {}, { shapes: { kernel: [3, 2, 2], bias: [4] } }).groups).toBe(2);
  expect(made('SeparableConv1D').map(({ name, type }) => [name, type])).toEqual([['g_depthwise', 'conv1d'], ['g', 'dense']]); // prettier-ignore
});

test('a mask ends at a convolution', () => {
  const gru = layer('GRU', 'z', { units: 2, activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: false, use_bias: false }, from('g')); // prettier-ignore
  // The depthwise kernel has a name of its own, so that the GRU can have the other.
  const shapes = { depthwise_kernel: [3, 2, 2], kernel: [4, 6], recurrent_kernel: [2, 6] };
  for (const dialect of [KERAS2, KERAS3]) {
    const made = read([X, MASKING, of('DepthwiseConv1D', { use_bias: false }, from('m')), gru], { shapes, dialect, outputs: [['z', 0, 0]] }); // prettier-ignore
    expect(made.spec.layers.map(({ type }) => type)).toEqual(['conv1d', 'gru']);
    expect(made.spec.layers[1]).not.toHaveProperty('mask');
  }
});

test('a transposed convolution is one of parts, which are taken apart and cut', () => {
  const given = (config: Config) => read([X, layer('Conv1DTranspose', 'g', { ...BASE['Conv1D'], ...config }, from('x'))], { shapes: { kernel: [3, 4, 2], bias: [4] } }).spec.layers; // prettier-ignore
  expect(given({ strides: [2], padding: 'same', activation: 'softmax' })).toMatchObject([
    { type: 'conv1d', kernelSize: 2, outputSize: 8, padding: [1, 0] },
    { type: 'upsample', factor: 2, split: true },
    { type: 'activation', name: 'g', activation: 'softmax' },
  ]);
  expect(given({ strides: [2], activation: 'linear' })).toMatchObject([
    { type: 'conv1d', padding: [1, 1] },
    { type: 'upsample', factor: 2, split: true },
    { type: 'pad', name: 'g', before: 0, after: -1 },
  ]);
  const refused = (config: Config) => refusal([X, layer('Conv1DTranspose', 'g', { ...BASE['Conv1D'], ...config }, from('x'))], { shapes: { kernel: [3, 4, 2], bias: [4] } }); // prettier-ignore
  expect(refused({ padding: 'causal' })).toMatch(/padding "causal" and dilation_rate 1 are not supported/);
  expect(refused({ dilation_rate: [2] })).toMatch(/dilation_rate 2/);
  expect(refused({ output_padding: [1] })).toMatch(/output_padding \[1\] is not supported/);
});

test.each<[string, string, Config, RegExp, Setting?]>([
  ['channels first', 'Conv1D', { data_format: 'channels_first' }, /Conv1D layer 'g': data_format "channels_first"/],
  ['another padding', 'Conv1D', { padding: 'full' }, /padding "full" is not supported; supported: valid, same, causal/],
  ['a kernel of two axes', 'Conv1D', { kernel_size: [3, 3] }, /kernel_size must be a whole number/],
  ['a stride of 0', 'SeparableConv1D', { strides: [0] }, /strides must be a whole number/],
  ['groups that do not fit', 'Conv1D', { groups: 3 }, /groups 3 of 2 features and 4 filters/],
  ['groups of a depthwise one', 'DepthwiseConv1D', { groups: 2 }, /groups 2 is not supported/],
  ['filters of a depthwise one', 'DepthwiseConv1D', { filters: 3 }, /filters 3 is not supported/],
  ['another kernel', 'Conv1D', {}, /has shape \[3, 2, 5\], the config asks for \[3, 2, 4\]/, { shapes: { ...SHAPES, kernel: [3, 2, 5] } }],
  ['no kernel', 'Conv1D', {}, /its weights are not in the file/, { shapes: {} }],
  ['no biases', 'Conv1D', {}, /its weights are not in the file/, { shapes: { kernel: [3, 2, 4] } }],
  ['an unknown field', 'SeparableConv1D', { odd: 1 }, /unknown field 'odd'/],
])('refused: %s', (_, className, config, message, setting = {}) => {
  expect(refusal([X, of(className, config)], { shapes: SHAPES, ...setting })).toMatch(message);
}); // prettier-ignore

test('vectors, those of TimeDistributed too, are refused', () => {
  expect(refusal([H, of('Conv1D', {}, from('h'))], { shapes: SHAPES })).toMatch(/reads a tensor without steps/);
  const inner = { layer: layer('Conv1D', 'd', BASE['Conv1D']) };
  expect(refusal([X, layer('TimeDistributed', 'g', inner, from('x'))])).toMatch(
    /TimeDistributed layer 'g': Conv1D layer 'd': reads a tensor without steps/,
  );
});
