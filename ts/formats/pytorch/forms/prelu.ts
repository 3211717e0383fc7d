import { shapeOf } from '../names.ts';
import { BASE, MODULE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

/** `nn.PReLU` of one slope, or of one a feature (`num_parameters`): as PyTorch has it of (batch, features) and (batch, features, steps). */
export interface PytorchPrelu extends PytorchLayerBase {
  prelu: PytorchModule;
}

export const prelu: Form<'prelu', PytorchPrelu> = {
  value: MODULE,
  fields: BASE,
  looks: (tensors) => (tensors.size === 1 && shapeOf(tensors, 'weight')?.join() === '1' ? 'PReLU' : undefined),
  read({ prelu: module }, { name, source, tensors }) {
    const { weight } = moduleTensors('prelu', module, tensors, ['weight'], []);
    const slope = tensors.take(weight, `${name}/constant`, [-1]);
    const [constantSize] = slope.shape as [number];
    return {
      load: async () => ({
        name,
        type: 'merge',
        merge: 'prelu',
        inputs: [source],
        constantSize,
        weights: { constant: (await slope.floats()).slice() },
      }),
    };
  },
};
