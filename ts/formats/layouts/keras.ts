import type { Numbers } from '../../base/tensor.ts';
import {
  checkGates,
  type DirectionWeights,
  foldBiases,
  type RecurrentSizes,
  toFloats,
  transpose,
} from './canonical.ts';

/**
 * Weights of one direction as Keras's recurrent layers hold them. Columns are gates: 3 of a GRU in the order z, r, h, 4 of an LSTM in
 * the order i, f, c, o, 1 of a SimpleRNN.
 */
export interface KerasDirection {
  /** (inputSize, gates * hiddenSize) */
  kernel: Numbers;
  /** (hiddenSize, gates * hiddenSize) */
  recurrentKernel: Numbers;
  /** (gates * hiddenSize). For a GRU with `resetAfter` (2, 3 hiddenSize): input biases, then recurrent ones. */
  bias?: Numbers | undefined;
}

/** Weights of a recurrent layer as Keras holds them. The default layout. */
export type KerasWeights = { layout?: 'keras' | undefined } & (
  KerasDirection | { forward: KerasDirection; reverse: KerasDirection }
);

export const KERAS_KEYS = ['kernel', 'recurrentKernel', 'bias'] as const;

/** A GRU's arrays to the canonical form. `name` is put before tensors' names in errors. */
export function fromKeras(
  { bias, ...kernels }: KerasDirection,
  sizes: RecurrentSizes,
  resetAfter: boolean,
  name = '',
): DirectionWeights {
  if (!resetAfter) return gatesFromKeras({ ...kernels, bias }, sizes, 3, name);
  const read = gatesFromKeras(kernels, sizes, 3, name);
  const gates = 3 * sizes.hiddenSize;
  const biases = bias === undefined ? undefined : toFloats(`${name}bias`, bias, [2, gates], false);
  return {
    ...read,
    ...foldBiases(biases?.slice(0, gates), biases?.slice(gates), sizes.hiddenSize, true),
  };
}

/** The arrays of a layer of so many gates, with one bias each. Keras's order of an LSTM's, i, f, c, o, is the canonical one. */
export function gatesFromKeras(
  { kernel, recurrentKernel, bias }: KerasDirection,
  { inputSize, hiddenSize }: RecurrentSizes,
  gates: number,
  name = '',
): DirectionWeights {
  checkGates(gates, { inputSize, hiddenSize }, `${name}recurrentKernel`, recurrentKernel, kernel);
  const columns = gates * hiddenSize;
  const input = toFloats(`${name}kernel`, kernel, [inputSize, columns], false);
  const recurrent = toFloats(`${name}recurrentKernel`, recurrentKernel, [hiddenSize, columns], false);
  return {
    input: transpose(input, inputSize, columns),
    recurrent: transpose(recurrent, hiddenSize, columns),
    ...(bias === undefined ? {} : { bias: toFloats(`${name}bias`, bias, [columns]) }),
  };
}
