import { foldBiases } from '../../../layouts/canonical.ts';
import { functionFields, HIDDEN, readFlag, type RecurrentOperator } from './cell.ts';

/**
 * GRU (opset 7, 14, 22). Gates z, r, h in rows, h' = (1 - z) n + z h: the canonical form, so the weights are taken as they
 * are. linear_before_reset is `resetAfter`.
 */
export const gru: RecurrentOperator = {
  op: 'GRU',
  gates: 3,
  peepholes: 0,
  functions: ['Sigmoid', 'Tanh'],
  states: [HIDDEN],
  form(context) {
    const resetAfter = readFlag(context, 'linear_before_reset');
    return {
      convention: `linear_before_reset ${Number(resetAfter)} (resetAfter: ${String(resetAfter)})`,
      biases: resetAfter ? ['bias', 'recurrentBias'] : ['bias'],
      weights: ({ input, recurrent, biases }) => ({
        input,
        recurrent,
        ...(biases && foldBiases(biases.input, biases.recurrent, biases.input.length / 3, resetAfter)),
      }),
      layer: (base, [recurrentActivation, activation], weights) => ({
        type: 'gru',
        ...base,
        resetAfter,
        ...functionFields(
          { recurrentActivation: recurrentActivation!, activation: activation! },
          { recurrentActivation: 'sigmoid', activation: 'tanh' },
        ),
        weights,
      }),
    };
  },
};
