import type { Conv1dSpec, WindowPadding, RowActivation } from '../../../spec/spec.ts';
import { transpose } from '../../layouts/canonical.ts';
import { convOfParts } from '../../transposed-conv.ts';
import { readActivation } from '../activation.ts';
import type { Fields } from '../fields.ts';
import type { Features } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { checkArguments, onlyFeatures } from './call.ts';
import { shown } from '../shown.ts';

/** What all convolutions over steps have in their config. */
interface Window {
  kernelSize: number;
  stride: number;
  dilation: number;
  padding: WindowPadding;
  useBias: boolean;
  activation: RowActivation;
}

/** A whole number from 1, which Keras writes as a list of one. */
function ofOneAxis(fields: Fields, name: string, fallback?: number): number {
  const value = fields.take(name) ?? fallback;
  const number: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number > 0) return number;
  throw fields.invalid(`${name} must be a whole number from 1, got ${shown(value)}`);
}

function readWindow({ fields, builder }: Call): Window {
  const padding = fields.take('padding') ?? 'valid';
  if (padding !== 'valid' && padding !== 'same' && padding !== 'causal') {
    throw fields.unsupported(`padding ${shown(padding)} is not supported; supported: valid, same, causal`);
  }
  fields.expect('data_format', ['channels_last', null], 'put features last (channels_last) and save again');
  return {
    kernelSize: ofOneAxis(fields, 'kernel_size'),
    stride: ofOneAxis(fields, 'strides', 1),
    dilation: ofOneAxis(fields, 'dilation_rate', 1),
    padding,
    useBias: fields.flag('use_bias', true),
    activation: readActivation(fields, 'activation', builder.dialect),
  };
}

/** The steps that a layer reads; their mask ends here: Keras's convolutions hand none on. */
function readSteps(call: Call): Features {
  call.fields.finish();
  checkArguments(call);
  const features = onlyFeatures(call);
  if (features.kind !== 'sequence') throw call.fields.invalid('reads a tensor without steps');
  return features;
}

/** A weight of Keras's shape (taps, channels, outputs of these), as rows of `columns` outputs. */
function readKernel(call: Call, place: number, role: string, shape: readonly number[], columns: number): Float32Array {
  const { fields, weights, builder, name } = call;
  const tensor = weights.take(place, role);
  if (!tensor) throw fields.invalid('its weights are not in the file');
  const floats = builder.read(tensor, shape, fields.layer, `${name}/kernel`, true);
  return transpose(floats, floats.length / columns, columns);
}

function readBias({ fields, weights, builder, name }: Call, place: number, size: number): { bias: Float32Array } {
  const tensor = weights.take(place, 'bias');
  if (!tensor) throw fields.invalid('its weights are not in the file');
  return { bias: builder.read(tensor, [size], fields.layer, `${name}/bias`) };
}

function addConv(
  { builder }: Call,
  features: Features,
  { kernelSize, stride, dilation, padding }: Window,
  conv: Pick<Conv1dSpec, 'name' | 'outputSize' | 'groups' | 'activation' | 'weights'>,
): Features {
  builder.add({
    type: 'conv1d',
    inputs: [builder.exact(features)],
    inputSize: features.size,
    kernelSize,
    stride,
    dilation,
    padding,
    ...conv,
  });
  return { is: 'features', ref: conv.name, kind: 'sequence', size: conv.outputSize };
}

const conv1d: Translate = (call) => {
  const { fields, builder, name } = call;
  const window = readWindow(call);
  const outputSize = fields.size('filters');
  const groups = ofOneAxis(fields, 'groups', 1);
  const features = readSteps(call);
  if (features.size % groups !== 0 || outputSize % groups !== 0) {
    throw fields.invalid(`groups ${groups} of ${features.size} features and ${outputSize} filters`);
  }
  const weights = builder.once(fields.layer, () => ({
    kernel: readKernel(call, 0, 'kernel', [window.kernelSize, features.size / groups, outputSize], outputSize),
    ...(window.useBias ? readBias(call, 1, outputSize) : {}),
  }));
  return [addConv(call, features, window, { name, outputSize, groups, activation: window.activation, weights })];
};

/** The weights of `multiplier` outputs a channel. */
function readDepthwise(call: Call, { kernelSize }: Window, channels: number, multiplier: number): Float32Array {
  // DepthwiseConv1D of Keras 3 calls it `kernel`.
  const role = call.weights.peek(0, 'depthwise_kernel') ? 'depthwise_kernel' : 'kernel';
  return readKernel(call, 0, role, [kernelSize, channels, multiplier], channels * multiplier);
}

const depthwiseConv1d: Translate = (call) => {
  const { fields, builder, name } = call;
  const window = readWindow(call);
  const multiplier = ofOneAxis(fields, 'depth_multiplier', 1);
  fields.expect('groups', [1], 'each channel is a group of its own');
  fields.expect('filters', [null], 'it has depth_multiplier of each channel');
  const features = readSteps(call);
  const outputSize = features.size * multiplier;
  const weights = builder.once(fields.layer, () => ({
    kernel: readDepthwise(call, window, features.size, multiplier),
    ...(window.useBias ? readBias(call, 1, outputSize) : {}),
  }));
  const { size: groups } = features;
  return [addConv(call, features, window, { name, outputSize, groups, activation: window.activation, weights })];
};

/** A depthwise convolution, then a dense layer of each step. */
const separableConv1d: Translate = (call) => {
  const { fields, builder, name } = call;
  const window = readWindow(call);
  const outputSize = fields.size('filters');
  const multiplier = ofOneAxis(fields, 'depth_multiplier', 1);
  fields.expect('groups', [1], 'each channel is a group of its own');
  const features = readSteps(call);
  const middle = features.size * multiplier;
  const first = builder.name(`${name}_depthwise`);
  const own = builder.once(fields.layer, () => ({
    depthwise: readDepthwise({ ...call, name: first }, window, features.size, multiplier),
    pointwise: {
      kernel: readKernel(call, 1, 'pointwise_kernel', [1, middle, outputSize], outputSize),
      ...(window.useBias ? readBias(call, 2, outputSize) : {}),
    },
  }));
  const depthwise = addConv(call, features, window, {
    name: first,
    outputSize: middle,
    groups: features.size,
    weights: { kernel: own.depthwise },
  });
  const { activation } = window;
  builder.add({
    type: 'dense',
    name,
    inputs: [depthwise.ref],
    inputSize: middle,
    outputSize,
    activation,
    weights: own.pointwise,
  });
  return [{ is: 'features', ref: name, kind: 'sequence', size: outputSize }];
};

/** y[t stride + k] is the sum of W[k] x[t]; `same` keeps stride steps of each, `valid` all that are reached. */
const conv1dTranspose: Translate = (call) => {
  const { fields, builder, name } = call;
  const { kernelSize, stride, dilation, padding, useBias, activation } = readWindow(call);
  const outputSize = fields.size('filters');
  fields.expect('output_padding', [null], 'how many steps there are it leaves to the layer');
  fields.expect('groups', [1], 'it has one group');
  if (padding === 'causal' || dilation !== 1)
    throw fields.unsupported(
      `padding ${JSON.stringify(padding)} and dilation_rate ${dilation} are not supported; supported: valid and same, 1`,
    );
  const features = readSteps(call);
  const over = Math.max(kernelSize - stride, 0);
  const [left, more] = padding === 'same' ? [Math.floor(over / 2), 0] : [0, over];
  const own = builder.once(fields.layer, () => {
    const shape = [kernelSize, outputSize, features.size];
    // rows of a channel: its outputs by tap
    const kernel = readKernel(call, 0, 'kernel', shape, features.size);
    const bias = useBias ? readBias(call, 1, outputSize).bias : undefined;
    const weight = (tap: number, o: number, c: number) => kernel[(c * kernelSize + tap) * outputSize + o]!;
    // Taps of zeros, up to a multiple of the stride, and the bias of each part.
    const zeros = Math.ceil(kernelSize / stride) * stride - kernelSize;
    builder.make((zeros * features.size + stride) * outputSize, fields.layer);
    return convOfParts({
      inputSize: features.size,
      outputSize,
      kernelSize,
      stride,
      dilation,
      left,
      more,
      weight,
      bias,
    });
  });
  const base = { inputs: [builder.exact(features)], name: builder.name(`${name}_parts`) };
  const parts = builder.add({ type: 'conv1d', ...base, ...own.conv });
  const { crop, factor } = own;
  const isCut = crop.before !== 0 || crop.after !== 0;
  const isLinear = activation === 'linear';
  const nameOf = (suffix: string, isLast: boolean) => (isLast ? name : builder.name(`${name}_${suffix}`));
  let ref = builder.add({ type: 'upsample', name: nameOf('steps', !isCut && isLinear), inputs: [parts], factor, split: true }); // prettier-ignore
  if (isCut) ref = builder.add({ type: 'pad', name: nameOf('cut', isLinear), inputs: [ref], ...crop });
  if (!isLinear) ref = builder.add({ type: 'activation', name, inputs: [ref], activation });
  return [{ is: 'features', ref, kind: 'sequence', size: outputSize }];
};

/** Convolutions over steps, by class. */
export const CONVOLUTIONS: Record<string, Translate> = {
  Conv1D: conv1d,
  DepthwiseConv1D: depthwiseConv1d,
  SeparableConv1D: separableConv1d,
  Conv1DTranspose: conv1dTranspose,
};
