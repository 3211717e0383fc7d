import { activationWords, checkActivation } from './activations.ts';
import { checkFlag } from './check.ts';
import { recurrent, type RecurrentBase, type RecurrentWeights } from './recurrent.ts';
import type { Activation } from './spec.ts';

/**
 * An LSTM layer. With x_t the input row, h the hidden and c the cell state, and p the peephole weights (0 where there are none):
 *
 *     i = recurrentActivation(Wi x + bi + Ri h + pi * c)
 *     f = recurrentActivation(Wf x + bf + Rf h + pf * c)        with inputForget: f = 1 - i
 *     g = activation(Wg x + bg + Rg h)
 *     c' = f * c + i * g
 *     o = recurrentActivation(Wo x + bo + Ro h + po * c')
 *     h' = o * outputActivation(c')
 *
 * Sources: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; peepholes and inputForget as the ONNX operator
 * LSTM has them.
 */
export interface LstmSpec extends RecurrentBase {
  type: 'lstm';
  /** Default `sigmoid`. */
  recurrentActivation?: Activation;
  /** Default: that of `activation`. */
  outputActivation?: Activation;
  /** Couples the forget gate to the input gate: f = 1 - i. Default false. */
  inputForget?: boolean;
  /** By direction and tensor: see {@link LstmWeights}. */
  weights: LstmWeights;
}

/**
 * Rows in gate order i, f, g, o. input: (4 hiddenSize, inputSize); recurrent: (4 hiddenSize, hiddenSize); bias: (4 hiddenSize), the
 * sum of a file's two; peepholes: (3 hiddenSize) in the order i, f, o.
 */
export type LstmWeights = RecurrentWeights<'input' | 'recurrent' | 'bias' | 'peepholes'>;

/** Gates i, f, g, o; hidden and cell state. */
export const lstm = recurrent<LstmSpec>({
  type: 'lstm',
  code: 8,
  slots: ['hidden', 'cell'],
  fields: ['recurrentActivation', 'outputActivation', 'inputForget'],
  check(spec) {
    checkActivation(spec, 'recurrentActivation', spec.recurrentActivation);
    checkActivation(spec, 'outputActivation', spec.outputActivation);
    checkFlag(spec, 'inputForget', spec.inputForget);
  },
  tensors: ({ inputSize, hiddenSize }) => [
    { key: 'input', shape: [4 * hiddenSize, inputSize], quantizable: true },
    { key: 'recurrent', shape: [4 * hiddenSize, hiddenSize], quantizable: true },
    { key: 'bias', shape: [4 * hiddenSize], optional: true },
    { key: 'peepholes', shape: [3 * hiddenSize], optional: true },
  ],
  form: ({ inputForget = false }) => ({ inputForget: Number(inputForget) }),
  functions: ({ recurrentActivation = 'sigmoid', activation = 'tanh', outputActivation }) => ({
    recurrentActivation: activationWords(recurrentActivation),
    activation: activationWords(activation),
    outputActivation: activationWords(outputActivation ?? activation),
  }),
});
