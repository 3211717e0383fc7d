import { activationWords } from './activations.ts';
import { recurrent, type RecurrentBase, type RecurrentWeights } from './recurrent.ts';

/** A simple RNN layer: h' = activation(W x + b + R h). Source: Elman 1990; torch.nn.RNN's documentation. */
export interface RnnSpec extends RecurrentBase {
  type: 'rnn';
  weights: RnnWeights;
}

/** input: (hiddenSize, inputSize); recurrent: (hiddenSize, hiddenSize); bias: (hiddenSize), the sum of a file's two. */
export type RnnWeights = RecurrentWeights<'input' | 'recurrent' | 'bias'>;

/** One sum a unit. */
export const rnn = recurrent<RnnSpec>({
  type: 'rnn',
  code: 9,
  slots: ['hidden'],
  fields: [],
  check: () => undefined,
  tensors: ({ inputSize, hiddenSize }) => [
    { key: 'input', shape: [hiddenSize, inputSize], quantizable: true },
    { key: 'recurrent', shape: [hiddenSize, hiddenSize], quantizable: true },
    { key: 'bias', shape: [hiddenSize], optional: true },
  ],
  functions: ({ activation = 'tanh' }) => ({ activation: activationWords(activation) }),
});
