import type { Activation } from '../../../spec/spec.ts';
import { ANY, BASE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** `nn.ReLU`, `nn.Tanh`, `nn.Softmax(dim=-1)`, ... */
export interface PytorchActivation extends PytorchLayerBase {
  activation: Activation | 'softmax';
}

export const activation: Form<'activation', PytorchActivation> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => ({
    load: () => ({ name, type: 'activation', activation: torchActivation(line.activation) }),
  }),
};

/** PyTorch's parameters where they differ from the spec's: nn.Hardsigmoid is clip(x / 6 + 0.5). */
export function torchActivation(given: Activation | 'softmax'): Activation | 'softmax' {
  const { name, alpha, beta } = typeof given === 'object' ? given : { name: given, alpha: undefined, beta: undefined };
  if (name !== 'hard_sigmoid') return given;
  return { name, alpha: alpha ?? 1 / 6, beta: beta ?? 0.5 };
}
