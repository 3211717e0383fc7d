import { GruError } from '../../../base/errors.ts';
import { shapeText } from '../../../base/tensor.ts';
import { transpose } from '../../layouts/canonical.ts';
import { BASE, STRING } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** `x @ self.w`, `torch.matmul(x, self.w)` of a parameter (in, out), or (in), which gives one number a row. (`nn.Linear` has (out, in).) */
export interface PytorchMatmul extends PytorchLayerBase {
  matmul: string;
}

export const matmul: Form<'matmul', PytorchMatmul> = {
  value: STRING,
  fields: BASE,
  read(line, { name, tensors, takes }) {
    const tensor = tensors.local(line.matmul);
    const shape = tensors.shape(tensor) ?? [-1, -1];
    if (shape.length > 2) {
      throw new GruError(
        'unsupported',
        `matmul '${name}': tensor '${tensor}' has shape ${shapeText(shape)}; it takes [in, out] or [in]`,
      );
    }
    const taken = tensors.take(tensor, `${name}/kernel`, shape);
    const [inputSize = 1, outputSize = 1] = taken.shape;
    takes(inputSize);
    return {
      load: async () => {
        const kernel = transpose(await taken.floats(), inputSize, outputSize);
        return { name, type: 'dense', inputSize, outputSize, weights: { kernel } };
      },
    };
  },
};
