import type { RnnSpec } from '../spec.ts';
import { activationWords } from './activations.ts';
import { recurrent } from './recurrent.ts';

/** One sum a unit. */
export const rnn = recurrent<RnnSpec>({
  type: 'rnn',
  code: 9,
  slots: ['hidden'],
  fields: [],
  check: () => undefined,
  tensors: ({ inputSize, hiddenSize }) => [
    { key: 'input', shape: [hiddenSize, inputSize] },
    { key: 'recurrent', shape: [hiddenSize, hiddenSize] },
    { key: 'bias', shape: [hiddenSize], optional: true },
  ],
  functions: ({ activation = 'tanh' }) => ({ activation: activationWords(activation) }),
});
