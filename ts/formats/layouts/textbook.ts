import { type DirectionWeights, type RecurrentSizes, toFloats } from './canonical.ts';

/** One gate as a Dense layer on the hidden state and the input, one after the other. */
export interface TextbookGate {
  /** (hiddenSize + inputSize, hiddenSize): rows of the hidden state first. */
  kernel: ArrayLike<number>;
  /** (hiddenSize) */
  bias?: ArrayLike<number> | undefined;
}

/** Weights of one direction as the textbook's three Dense layers. */
export interface TextbookDirection {
  updateGate: TextbookGate;
  resetGate: TextbookGate;
  candidateHidden: TextbookGate;
}

/** Weights of a gru layer as the textbook's three Dense layers; `resetAfter` is false there. */
export type TextbookGruWeights = { layout: 'textbook' } & (
  TextbookDirection | { forward: TextbookDirection; reverse: TextbookDirection }
);

/** The three Dense layers to the canonical form. `name` is put before tensors' names in errors. */
export function fromTextbook(
  weights: TextbookDirection,
  { inputSize, hiddenSize }: RecurrentSizes,
  name = '',
): DirectionWeights {
  const input = new Float32Array(3 * hiddenSize * inputSize);
  const recurrent = new Float32Array(3 * hiddenSize * hiddenSize);
  const bias = new Float32Array(3 * hiddenSize);
  (['updateGate', 'resetGate', 'candidateHidden'] as const).forEach((gate, g) => {
    const { kernel, bias: gateBias } = (weights[gate] as Partial<TextbookGate> | undefined) ?? {};
    const floats = toFloats(`${name}${gate}.kernel`, kernel, [hiddenSize + inputSize, hiddenSize]);
    for (let j = 0; j < hiddenSize; j++) {
      const row = g * hiddenSize + j;
      for (let k = 0; k < hiddenSize; k++) recurrent[row * hiddenSize + k] = floats[k * hiddenSize + j]!;
      for (let k = 0; k < inputSize; k++) {
        input[row * inputSize + k] = floats[(hiddenSize + k) * hiddenSize + j]!;
      }
    }
    if (gateBias === undefined) return;
    bias.set(toFloats(`${name}${gate}.bias`, gateBias, [hiddenSize]), g * hiddenSize);
  });
  return { input, recurrent, bias };
}
