import type { DenseSpec } from '../spec.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkSize, onlyInput } from './check.ts';
import type { LayerKind } from './kind.ts';

export const dense: LayerKind<DenseSpec> = {
  type: 'dense',
  code: 1,
  weighted: true,
  fields: ['inputSize', 'outputSize', 'activation'],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    checkSize(spec, 'outputSize', spec.outputSize);
    checkActivation(spec, 'activation', spec.activation, true);
  },
  ports(spec, inputs) {
    const input = onlyInput(spec, inputs, spec.inputSize);
    return [{ port: 'output', kind: input.kind, dtype: 'float32', size: spec.outputSize }];
  },
  tensors: (spec) => [
    { key: 'kernel', shape: [spec.outputSize, spec.inputSize] },
    { key: 'bias', shape: [spec.outputSize], optional: true },
  ],
  params: ({ inputSize, outputSize, activation = 'linear' }) => ({
    inputSize,
    outputSize,
    activation: activationWords(activation),
  }),
};
