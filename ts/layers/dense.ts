import type { WeightTensor } from '../base/weights.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkSize, onlyInput } from './check.ts';
import { foldBefore, foldBehind, withFolded } from './fold.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, RowActivation } from './spec.ts';

/** (rows, inputSize) -> (rows, outputSize): activation(kernel x + bias). */
export interface DenseSpec extends LayerBase {
  type: 'dense';
  /** Values of a row that it reads. */
  inputSize: number;
  /** Values of a row that it gives. */
  outputSize: number;
  /** Default `linear`. `softmax` and `log_softmax` are over the row. */
  activation?: RowActivation;
  /** kernel: (outputSize, inputSize), output-major; bias: (outputSize). */
  weights: { kernel: WeightTensor; bias?: Float32Array };
}

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
    { key: 'kernel', shape: [spec.outputSize, spec.inputSize], quantizable: true },
    { key: 'bias', shape: [spec.outputSize], optional: true },
  ],
  params: ({ inputSize, outputSize, activation = 'linear' }) => ({
    inputSize,
    outputSize,
    activation: activationWords(activation),
  }),
  foldInput: (spec, affine) => withFolded(spec, foldBefore, affine),
  foldOutput: (spec, affine) =>
    (spec.activation ?? 'linear') === 'linear' ? withFolded(spec, foldBehind, affine) : undefined,
};
