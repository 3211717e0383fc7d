import type { WeightTensor } from '../base/weights.ts';
import { describe, isArrayLike } from '../base/tensor.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkChoice, checkSize, MAX_SIZE, onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, RowActivation } from './spec.ts';

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
   * Steps of zeros around a sequence: none (`valid`, the default); all before it, so that no output reads a later step (`causal`); as
   * many as give a row for each `stride` steps begun, half of them before it, an odd one behind it (`same`) or before it
   * (`sameLower`); or [before, behind].
   */
  padding?: ConvPadding;
  /** Default `linear`. `softmax` is over the row. */
  activation?: RowActivation;
  /** kernel: (outputSize, kernelSize, inputSize / groups), output-major; bias: (outputSize). */
  weights: { kernel: WeightTensor; bias?: Float32Array };
}

/** Steps of zeros around a sequence. */
export type ConvPadding = 'valid' | 'causal' | 'same' | 'sameLower' | readonly [number, number];

const NAMED = ['valid', 'causal', 'same', 'sameLower'];

export const conv1d: LayerKind<Conv1dSpec> = {
  type: 'conv1d',
  code: 12,
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
    checkPadding(spec, padding);
    if (spanOf(spec) > MAX_SIZE) {
      throw specError(spec, `its taps lie ${spanOf(spec)} steps apart (kernelSize, dilation); at most ${MAX_SIZE}`);
    }
    checkActivation(spec, 'activation', spec.activation, true);
  },
  ports(spec, inputs) {
    const { kind } = onlyInput(spec, inputs, spec.inputSize);
    if (kind !== 'sequence') throw specError(spec, 'takes a value of steps, its input has one row a sequence');
    return [{ port: 'output', kind, dtype: 'float32', size: spec.outputSize }];
  },
  tensors: (spec) => [
    {
      key: 'kernel',
      shape: [spec.outputSize, spec.kernelSize, spec.inputSize / (spec.groups ?? 1)],
      quantizable: true,
    },
    { key: 'bias', shape: [spec.outputSize], optional: true },
  ],
  axis(spec) {
    const { stride = 1 } = spec;
    const { left, right } = conv1dPads(spec);
    // A row for each `stride` steps begun, of those at which a window can start.
    const add = isByLength(spec) ? stride - 1 : left + right - spanOf(spec) + stride - 1;
    return stride === 1 && add === 0 ? undefined : { mul: 1, add, div: stride };
  },
  params(spec, axis) {
    const { inputSize, outputSize, kernelSize, stride = 1, dilation = 1, groups = 1, activation = 'linear' } = spec;
    const { left, right } = conv1dPads(spec);
    return {
      inputSize,
      outputSize,
      kernelSize,
      stride,
      dilation,
      groups,
      padding: isByLength(spec) ? (spec.padding === 'same' ? 1 : 2) : 0,
      left,
      right,
      streams: Number(conv1dStreams(spec)),
      axis,
      activation: activationWords(activation),
    };
  },
  slots: (spec) =>
    conv1dStreams(spec) ? [{ slot: 'past', direction: 'forward', size: pastSize(spec), fromGraph: false }] : [],
  notStreamable,
};

/** Steps from the first tap to the last. */
function spanOf({ kernelSize, dilation = 1 }: Conv1dSpec): number {
  return (kernelSize - 1) * dilation;
}

/** Where zeros lie depends on the length of the sequence: behind the last of its windows, which are `stride` steps apart. */
function isByLength(spec: Conv1dSpec): boolean {
  const { padding, stride = 1 } = spec;
  return (padding === 'same' || padding === 'sameLower') && stride > 1 && spanOf(spec) > 0;
}

/** Steps of zeros before and behind a sequence; none where they depend on its length. */
export function conv1dPads(spec: Conv1dSpec): { left: number; right: number } {
  const { padding = 'valid' } = spec;
  const span = isByLength(spec) ? 0 : spanOf(spec);
  switch (padding) {
    case 'valid':
      return { left: 0, right: 0 };
    case 'causal':
      return { left: span, right: 0 };
    case 'same':
      return { left: Math.floor(span / 2), right: Math.ceil(span / 2) };
    case 'sameLower':
      return { left: Math.ceil(span / 2), right: Math.floor(span / 2) };
    default:
      return { left: padding[0], right: padding[1] };
  }
}

/** Steps of the past that a stream keeps, then how many have come (the same again `period` steps later, from `lag` on). */
export function conv1dPast(spec: Conv1dSpec): { steps: number; lag: number; period: number } {
  const steps = spanOf(spec);
  return { steps, lag: steps - conv1dPads(spec).left, period: Math.max(steps, 1) * (spec.stride ?? 1) };
}

function pastSize(spec: Conv1dSpec): number {
  return spanOf(spec) * spec.inputSize + 1;
}

/** Whether it can go step by step, and so keeps its past. */
export function conv1dStreams(spec: Conv1dSpec): boolean {
  return notStreamable(spec) === undefined;
}

function notStreamable(spec: Conv1dSpec): string | undefined {
  const span = spanOf(spec);
  const { left, right } = conv1dPads(spec);
  const ahead = isByLength(spec) ? Math.ceil(span / 2) : right;
  if (ahead > 0) {
    const up = isByLength(spec) ? 'up to ' : '';
    return `it looks ${up}${ahead} step${ahead > 1 ? 's' : ''} ahead (padding '${paddingText(spec)}'; 'causal' and 'valid' do not)`;
  }
  if (left > span) return `its padding of ${left} steps gives rows before the first step`;
  const { lag, period } = conv1dPast(spec);
  const words = Math.max(pastSize(spec), lag + period);
  return words > MAX_SIZE ? `its past takes ${words} numbers; at most ${MAX_SIZE}` : undefined;
}

function paddingText({ padding = 'valid' }: Conv1dSpec): string {
  return typeof padding === 'string' ? padding : padding.join(', ');
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
