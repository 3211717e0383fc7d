import type { GruSpec } from '../spec.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkFlag, specError } from './check.ts';
import { directions, recurrent } from './recurrent.ts';

/** Gates z, r, n. */
export const gru = recurrent<GruSpec>({
  type: 'gru',
  code: 5,
  slots: ['hidden'],
  fields: ['resetAfter', 'recurrentActivation'],
  check(spec) {
    if ((spec.resetAfter as unknown) === undefined) throw specError(spec, 'resetAfter is missing: true or false');
    checkFlag(spec, 'resetAfter', spec.resetAfter);
    checkActivation(spec, 'recurrentActivation', spec.recurrentActivation);
    const recurrentBias = directions(spec).find((d) => spec.weights[`${d}.recurrentBias`]);
    if (recurrentBias && !spec.resetAfter) {
      throw specError(spec, `${recurrentBias}.recurrentBias is for resetAfter: true; without it, add it to bias`);
    }
  },
  tensors: ({ inputSize, hiddenSize, resetAfter }) => [
    { key: 'input', shape: [3 * hiddenSize, inputSize] },
    { key: 'recurrent', shape: [3 * hiddenSize, hiddenSize] },
    { key: 'bias', shape: [3 * hiddenSize], optional: true },
    ...(resetAfter ? [{ key: 'recurrentBias', shape: [hiddenSize], optional: true }] : []),
  ],
  form: (spec) => ({ resetAfter: Number(spec.resetAfter) }),
  functions: (spec) => ({
    recurrentActivation: activationWords(spec.recurrentActivation ?? 'sigmoid'),
    activation: activationWords(spec.activation ?? 'tanh'),
  }),
});
