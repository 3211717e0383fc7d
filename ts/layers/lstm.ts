import type { LstmSpec } from '../spec.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkFlag } from './check.ts';
import { recurrent } from './recurrent.ts';

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
    { key: 'input', shape: [4 * hiddenSize, inputSize] },
    { key: 'recurrent', shape: [4 * hiddenSize, hiddenSize] },
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
