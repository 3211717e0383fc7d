import { activationWords, checkActivation } from './activations.ts';
import { checkFlag, specError } from './check.ts';
import { directions, recurrent, type RecurrentBase, type RecurrentWeights } from './recurrent.ts';
import type { Activation } from './spec.ts';

/**
 * A GRU layer. With x_t the input row and h the hidden state:
 *
 *     z = recurrentActivation(Wz x + bz + Rz h)
 *     r = recurrentActivation(Wr x + br + Rr h)
 *     n = activation(Wn x + bn + Rn (r * h))              resetAfter: false, the textbook's form
 *     n = activation(Wn x + bn + r * (Rn h + recurrentBias))   resetAfter: true (PyTorch, cuDNN, Keras's default)
 *     h' = z * h + (1 - z) * n
 *
 * Sources: Cho et al. 2014 (arXiv:1406.1078) for the first form; torch.nn.GRU's documentation for the second.
 */
export interface GruSpec extends RecurrentBase {
  type: 'gru';
  /** Whether the reset gate is applied after the recurrent product (PyTorch, Keras's default) or before (the textbook). */
  resetAfter: boolean;
  /** Default `sigmoid`. */
  recurrentActivation?: Activation;
  /** By direction and tensor: see {@link GruWeights}. */
  weights: GruWeights;
}

/**
 * Rows in gate order z, r, n. input: (3 hiddenSize, inputSize); recurrent: (3 hiddenSize, hiddenSize); bias: (3 hiddenSize);
 * recurrentBias, with resetAfter only: (hiddenSize), the candidate's. (Biases of z and r add up: importers fold them.)
 */
export type GruWeights = RecurrentWeights<'input' | 'recurrent' | 'bias' | 'recurrentBias'>;

/** Gates z, r, n. */
export const gru = recurrent<GruSpec>({
  type: 'gru',
  code: 5,
  slots: ['hidden'],
  fields: ['resetAfter', 'recurrentActivation'],
  check(spec) {
    if ((spec.resetAfter as unknown) === undefined)
      throw specError(spec, 'resetAfter is missing: true (PyTorch, Keras) or false (the textbook)');
    checkFlag(spec, 'resetAfter', spec.resetAfter);
    checkActivation(spec, 'recurrentActivation', spec.recurrentActivation);
    const recurrentBias = directions(spec).find((d) => spec.weights[`${d}.recurrentBias`]);
    if (recurrentBias && !spec.resetAfter) {
      throw specError(spec, `${recurrentBias}.recurrentBias is for resetAfter: true; without it, add it to bias`);
    }
  },
  tensors: ({ inputSize, hiddenSize, resetAfter }) => [
    { key: 'input', shape: [3 * hiddenSize, inputSize], quantizable: true },
    { key: 'recurrent', shape: [3 * hiddenSize, hiddenSize], quantizable: true },
    { key: 'bias', shape: [3 * hiddenSize], optional: true },
    ...(resetAfter ? [{ key: 'recurrentBias', shape: [hiddenSize], optional: true }] : []),
  ],
  form: (spec) => ({ resetAfter: Number(spec.resetAfter) }),
  functions: (spec) => ({
    recurrentActivation: activationWords(spec.recurrentActivation ?? 'sigmoid'),
    activation: activationWords(spec.activation ?? 'tanh'),
  }),
});
