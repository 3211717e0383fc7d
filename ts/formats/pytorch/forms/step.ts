import { ANY, BASE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** `output[:, -1]` or `output[:, 0]` (batch first): one step of a sequence. */
export interface PytorchStep extends PytorchLayerBase {
  step: 0 | -1;
}

export const step: Form<'step', PytorchStep> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => ({ load: () => ({ name, type: 'step', index: line.step }) }),
};
