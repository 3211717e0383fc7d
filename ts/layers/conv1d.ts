import { describe, isArrayLike } from '../base/tensor.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkChoice, checkSize, MAX_SIZE, onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { Activation, LayerBase } from './spec.ts';

/**
 * A convolution over the steps of a sequence: y[t] = activation(bias + sum over taps j of kernel[j] x[t stride + j dilation - left]).
 * Output channel o of `outputSize` reads the channels of its group: o groups / outputSize. Steps outside of the sequence are zeros.
 */
export interface Conv1dSpec extends LayerBase {
  type: 'conv1d';
  /** Channels of the input. */
  inputSize: number;
  /** Channels of the output. */
  outputSize: number;
  /** Taps. */
  kernelSize: number;
  /** Steps from one window to the next. Default 1. */
  stride?: number;
  /** Steps from one tap to the next. Default 1. */
  dilation?: number;
  /** Groups of channels that do not mix; as many as channels: depthwise. Default 1. */
  groups?: number;
  /**
   * Steps of zeros around a sequence: none (`valid`, the default), all before it, so that no output reads a later step (`causal`), as
   * many as keep its length, half of them before it (`same`), or [before, behind].
   */
  padding?: ConvPadding;
  /** Default `linear`. `softmax` is over the row. */
  activation?: Activation | 'softmax';
  /** kernel: (outputSize, kernelSize, inputSize / groups), output-major; bias: (outputSize). */
  weights: { kernel: Float32Array; bias?: Float32Array };
}

/** Steps of zeros around a sequence. */
export type ConvPadding = 'valid' | 'causal' | 'same' | readonly [number, number];

const NAMED = ['valid', 'causal', 'same'];

export const conv1d: LayerKind<Conv1dSpec> = {
  type: 'conv1d',
  code: 10,
  weighted: true,
  fields: ['inputSize', 'outputSize', 'kernelSize', 'stride', 'dilation', 'groups', 'padding', 'activation'],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    checkSize(spec, 'outputSize', spec.outputSize);
    checkSize(spec, 'kernelSize', spec.kernelSize);
    for (const field of ['stride', 'dilation', 'groups'] as const) {
      if (spec[field] !== undefined) checkSize(spec, field, spec[field]);
    }
    const { groups = 1, padding } = spec;
    for (const field of ['inputSize', 'outputSize'] as const) {
      if (spec[field] % groups !== 0)
        throw specError(spec, `${field} ${spec[field]} is no multiple of groups ${groups}`);
    }
    if (spanOf(spec) > MAX_SIZE) throw specError(spec, `its taps lie ${spanOf(spec)} steps apart; at most ${MAX_SIZE}`);
    checkPadding(spec, padding);
    checkActivation(spec, 'activation', spec.activation, true);
    const { left, right } = conv1dPads(spec);
    if (spec.stride !== undefined && spec.stride !== 1) throw specError(spec, 'stride is not supported yet');
    if (left + right !== spanOf(spec)) throw specError(spec, 'padding that changes the length is not supported yet');
  },
  ports(spec, inputs) {
    const { kind } = onlyInput(spec, inputs, spec.inputSize);
    if (kind !== 'sequence') throw specError(spec, 'takes a value of steps, its input has one row a sequence');
    return [{ port: 'output', kind, dtype: 'float32', size: spec.outputSize }];
  },
  tensors: (spec) => [
    { key: 'kernel', shape: [spec.outputSize, spec.kernelSize, spec.inputSize / (spec.groups ?? 1)] },
    { key: 'bias', shape: [spec.outputSize], optional: true },
  ],
  params(spec) {
    const { inputSize, outputSize, kernelSize, stride = 1, dilation = 1, groups = 1, activation = 'linear' } = spec;
    const { left, right } = conv1dPads(spec);
    return {
      inputSize,
      outputSize,
      kernelSize,
      stride,
      dilation,
      groups,
      left,
      right,
      activation: activationWords(activation),
    };
  },
  notStreamable(spec) {
    const { right } = conv1dPads(spec);
    if (right > 0) return `it looks ${right} step${right > 1 ? 's' : ''} ahead (padding 'causal' does not)`;
    return 'a convolution has no state yet';
  },
};

/** Steps from the first tap to the last. */
function spanOf({ kernelSize, dilation = 1 }: Conv1dSpec): number {
  return (kernelSize - 1) * dilation;
}

/** Steps of zeros before and behind a sequence. */
export function conv1dPads(spec: Conv1dSpec): { left: number; right: number } {
  const { padding = 'valid' } = spec;
  const span = spanOf(spec);
  switch (padding) {
    case 'valid':
      return { left: 0, right: 0 };
    case 'causal':
      return { left: span, right: 0 };
    case 'same':
      return { left: Math.floor(span / 2), right: Math.ceil(span / 2) };
    default:
      return { left: padding[0], right: padding[1] };
  }
}

function checkPadding(spec: Conv1dSpec, padding: unknown): void {
  if (padding === undefined || !isArrayLike(padding)) {
    checkChoice(spec, 'padding', padding, NAMED);
    return;
  }
  const isSteps = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SIZE;
  if (padding.length !== 2 || !isSteps(padding[0]) || !isSteps(padding[1])) {
    throw specError(
      spec,
      `padding must be one of ${NAMED.join(', ')} or two whole numbers from 0 to ${MAX_SIZE}, got ${describe(padding)}`,
    );
  }
}
