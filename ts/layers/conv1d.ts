import type { WeightTensor } from '../base/weights.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkSize, specError } from './check.ts';
import { foldBefore, foldBehind, withFolded } from './fold.ts';
import type { LayerKind } from './kind.ts';
import { pastSlot } from './past.ts';
import type { LayerBase, RowActivation } from './spec.ts';
import { onlySteps } from './steps.ts';
import {
  checkWindows,
  type WindowPadding,
  type Windows,
  windowsAxis,
  windowsParams,
  windowsPast,
  windowsWait,
} from './windows.ts';

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
  /** Steps of zeros around a sequence. Default `valid`. */
  padding?: WindowPadding;
  /** Default `linear`. `softmax` is over the row. */
  activation?: RowActivation;
  /** kernel: (outputSize, kernelSize, inputSize / groups), output-major; bias: (outputSize). */
  weights: { kernel: WeightTensor; bias?: Float32Array };
}

export const conv1d: LayerKind<Conv1dSpec> = {
  type: 'conv1d',
  code: 12,
  weighted: true,
  fields: ['inputSize', 'outputSize', 'kernelSize', 'stride', 'dilation', 'groups', 'padding', 'activation'],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    checkSize(spec, 'outputSize', spec.outputSize);
    checkWindows(spec, 'kernelSize', conv1dWindows(spec));
    const { groups = 1 } = spec;
    checkSize(spec, 'groups', groups);
    for (const field of ['inputSize', 'outputSize'] as const) {
      if (spec[field] % groups !== 0)
        throw specError(spec, `${field} ${spec[field]} is no multiple of groups ${groups}`);
    }
    checkActivation(spec, 'activation', spec.activation, true);
  },
  ports(spec, inputs) {
    onlySteps(spec, inputs, spec.inputSize);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size: spec.outputSize }];
  },
  tensors: (spec) => [
    {
      key: 'kernel',
      shape: [spec.outputSize, spec.kernelSize, spec.inputSize / (spec.groups ?? 1)],
      quantizable: true,
    },
    { key: 'bias', shape: [spec.outputSize], optional: true },
  ],
  axis: (spec) => windowsAxis(conv1dWindows(spec)),
  params(spec, axis) {
    const { inputSize, outputSize, groups = 1, activation = 'linear' } = spec;
    return {
      inputSize,
      outputSize,
      groups,
      ...windowsParams(conv1dWindows(spec), notStreamable(spec) === undefined, axis),
      activation: activationWords(activation),
    };
  },
  slots: (spec) =>
    notStreamable(spec) === undefined ? [pastSlot(windowsPast(conv1dWindows(spec)), spec.inputSize)] : [],
  notStreamable,
  foldInput(spec, { scale, shift }) {
    const { kernelSize, groups = 1, padding = 'valid' } = spec;
    // What lies outside of a sequence is zero, not the summand.
    if (groups > 1 || (shift && padding !== 'valid')) return undefined;
    const ofTaps = (row: Float32Array | undefined) =>
      row && Float32Array.from({ length: kernelSize * row.length }, (_, i) => row[i % row.length]!);
    return withFolded(spec, foldBefore, { scale: ofTaps(scale), shift: ofTaps(shift) });
  },
  foldOutput: (spec, affine) =>
    (spec.activation ?? 'linear') === 'linear' ? withFolded(spec, foldBehind, affine) : undefined,
};

export function conv1dWindows({ kernelSize, stride = 1, dilation = 1, padding = 'valid' }: Conv1dSpec): Windows {
  return { taps: kernelSize, stride, dilation, padding };
}

function notStreamable(spec: Conv1dSpec): string | undefined {
  return windowsWait(conv1dWindows(spec), spec.inputSize);
}
