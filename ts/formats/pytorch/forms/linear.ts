import { shapeOf } from '../names.ts';
import { torchActivation, type TorchActivation } from './activation.ts';
import { ANY, BASE, MODULE } from './checks.ts';
import { MATRIX } from './embedding.ts';
import type { Form, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

/** `nn.Linear`. */
export interface PytorchLinear extends PytorchLayerBase {
  /** Name of the module. */
  linear: PytorchModule;
  /** What follows it. Default none. */
  activation?: TorchActivation | undefined;
}

export const linear: Form<'linear', PytorchLinear> = {
  value: MODULE,
  fields: { ...BASE, activation: ANY },
  looks(tensors) {
    const weight = shapeOf(tensors, 'weight');
    if (weight?.length !== 2) return undefined;
    if (tensors.size === 1) return MATRIX;
    return tensors.size === 2 && shapeOf(tensors, 'bias')?.[0] === weight[0] ? 'Linear' : undefined;
  },
  read({ linear: module, activation }, { name, tensors, takes }) {
    const { weight, bias } = moduleTensors('linear', module, tensors, ['weight'], ['bias']);
    const kernel = tensors.take(weight, `${name}/kernel`, [-1, -1]);
    const [outputSize, inputSize] = kernel.shape as [number, number];
    const added = bias === undefined ? undefined : tensors.take(bias, `${name}/bias`, [outputSize]);
    takes(inputSize);
    return {
      load: async () => ({
        name,
        type: 'dense',
        inputSize,
        outputSize,
        ...(activation === undefined ? {} : { activation: torchActivation(activation) }),
        weights: {
          kernel: (await kernel.floats()).slice(),
          ...(added ? { bias: (await added.floats()).slice() } : {}),
        },
      }),
    };
  },
};
