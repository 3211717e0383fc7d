import { activationWords } from './activations.ts';
import { recurrent, type RecurrentBase, type RecurrentWeights } from './recurrent.ts';

/** A simple RNN layer: h' = activation(W x + b + R h). Source: Elman 1990; torch.nn.RNN's documentation. */
export interface RnnSpec extends RecurrentBase {
  type: 'rnn';
  /** By direction and tensor: see {@link RnnWeights}. */
  weights: RnnWeights;
}

/** input: (hiddenSize, inputSize); recurrent: (hiddenSize, hiddenSize); bias: (hiddenSize), the sum of a file's two. */
export type RnnWeights = RecurrentWeights<'input' | 'recurrent' | 'bias'>;

const functionOf = (activation: RnnSpec['activation'] = 'tanh') => activationWords(activation);

/** One sum a unit. */
export const rnn = recurrent<RnnSpec>({
  type: 'rnn',
  code: 9,
  slots: ['hidden'],
  fields: [],
  check: () => undefined,
  tensors: ({ inputSize, hiddenSize, activation }) => {
    // Sums without a bound, as those that count steps: 127 levels of their greatest are no numbers.
    const integers = functionOf(activation)[0] === 0 ? {} : ({ quantizable: true } as const);
    return [
      { key: 'input', shape: [hiddenSize, inputSize], ...integers },
      { key: 'recurrent', shape: [hiddenSize, hiddenSize], ...integers },
      { key: 'bias', shape: [hiddenSize], optional: true },
    ];
  },
  functions: ({ activation }) => ({ activation: functionOf(activation) }),
});
