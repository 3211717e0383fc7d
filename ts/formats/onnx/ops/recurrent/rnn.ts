import { functionFields, HIDDEN, type RecurrentOperator, sumBiases } from './cell.ts';

/** RNN (opset 7, 14, 22): h' = f(W x + Wb + R h + Rb). */
export const rnn: RecurrentOperator = {
  op: 'RNN',
  gates: 1,
  peepholes: 0,
  functions: ['Tanh'],
  states: [HIDDEN],
  form: () => ({
    biases: ['bias'],
    weights: ({ input, recurrent, biases }) => ({ input, recurrent, ...(biases && { bias: sumBiases(biases) }) }),
    layer: (base, [activation], weights) => ({
      type: 'rnn',
      ...base,
      ...functionFields({ activation: activation! }, { activation: 'tanh' }),
      weights,
    }),
  }),
};
