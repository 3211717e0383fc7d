import { type DirectionWeights, foldBiases, type GruSizes, toFloats, transpose } from './canonical.ts';

/** Weights of one direction as `keras.layers.GRU` holds them: columns are gates in the order z, r, h. */
export interface KerasDirection {
  /** (inputSize, 3 hiddenSize) */
  kernel: ArrayLike<number>;
  /** (hiddenSize, 3 hiddenSize) */
  recurrentKernel: ArrayLike<number>;
  /** With `resetAfter` (2, 3 hiddenSize): input biases, then recurrent ones. Without (3 hiddenSize). */
  bias?: ArrayLike<number> | undefined;
}

/** Weights of a gru layer as Keras holds them. The default layout. */
export type KerasGruWeights = { layout?: 'keras' | undefined } & (
  KerasDirection | { forward: KerasDirection; reverse: KerasDirection }
);

/** Keras's arrays to the canonical form. `name` is put before tensors' names in errors. */
export function fromKeras(
  { kernel, recurrentKernel, bias }: KerasDirection,
  { inputSize, hiddenSize }: GruSizes,
  resetAfter: boolean,
  name = '',
): DirectionWeights {
  const gates = 3 * hiddenSize;
  const input = toFloats(`${name}kernel`, kernel, [inputSize, gates], false);
  const recurrent = toFloats(`${name}recurrentKernel`, recurrentKernel, [hiddenSize, gates], false);
  const biases = bias === undefined ? undefined : toFloats(`${name}bias`, bias, resetAfter ? [2, gates] : [gates]);
  return {
    input: transpose(input, inputSize, gates),
    recurrent: transpose(recurrent, hiddenSize, gates),
    ...foldBiases(biases?.slice(0, gates), resetAfter ? biases?.slice(gates) : undefined, hiddenSize, resetAfter),
  };
}
