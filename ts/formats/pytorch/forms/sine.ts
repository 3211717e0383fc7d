import { BASE, oneOf } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** `torch.sin(x)` or `torch.cos(x)`. */
export interface PytorchSine extends PytorchLayerBase {
  sine: 'sin' | 'cos';
}

export const sine: Form<'sine', PytorchSine> = {
  value: oneOf('sin', 'cos'),
  fields: BASE,
  read: (line, { name }) => ({ load: () => ({ name, type: 'sine', cosine: line.sine === 'cos' }) }),
};
