import type { Numbers } from '../../base/tensor.ts';
import { type DirectionWeights, type RecurrentSizes, toFloats } from './canonical.ts';

/** One gate as a Dense layer on the hidden state and the input, one after the other. */
export interface TextbookGate {
  /** (hiddenSize + inputSize, hiddenSize): rows of the hidden state first. */
  kernel: Numbers;
  /** (hiddenSize) */
  bias?: Numbers | undefined;
}

/** Weights of one direction as the textbook's three Dense layers. */
export interface TextbookDirection {
  /** z. */
  updateGate: TextbookGate;
  /** r. */
  resetGate: TextbookGate;
  /** n, of the reset state. */
  candidateHidden: TextbookGate;
}

/** Weights of a gru layer as the textbook's three Dense layers; `resetAfter` is false there. */
export type TextbookGruWeights = { layout: 'textbook' } & (
  TextbookDirection | { forward: TextbookDirection; reverse: TextbookDirection }
);

/** Weights of one direction of an LSTM as four Dense layers: `candidateCell` is the gate g. */
export interface TextbookLstmDirection {
  /** i. */
  inputGate: TextbookGate;
  /** f. */
  forgetGate: TextbookGate;
  /** g. */
  candidateCell: TextbookGate;
  /** o. */
  outputGate: TextbookGate;
}

/** Weights of an lstm layer as four Dense layers. */
export type TextbookLstmWeights = { layout: 'textbook' } & (
  TextbookLstmDirection | { forward: TextbookLstmDirection; reverse: TextbookLstmDirection }
);

/** The gates of a GRU in the canonical order z, r, n. */
export const GRU_GATES = ['updateGate', 'resetGate', 'candidateHidden'] as const;

/** The gates of an LSTM in the canonical order i, f, g, o. */
export const LSTM_GATES = ['inputGate', 'forgetGate', 'candidateCell', 'outputGate'] as const;

/** A GRU's three Dense layers to the canonical form. `name` is put before tensors' names in errors. */
export function fromTextbook(weights: TextbookDirection, sizes: RecurrentSizes, name = ''): DirectionWeights {
  return gatesFromTextbook(GRU_GATES, weights, sizes, name);
}

/** A Dense layer a gate, in the order of the rows. */
export function gatesFromTextbook<G extends string>(
  gates: readonly G[],
  weights: Record<G, TextbookGate>,
  { inputSize, hiddenSize }: RecurrentSizes,
  name = '',
): DirectionWeights {
  const rows = gates.length * hiddenSize;
  const input = new Float32Array(rows * inputSize);
  const recurrent = new Float32Array(rows * hiddenSize);
  const bias = new Float32Array(rows);
  gates.forEach((gate, g) => {
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
