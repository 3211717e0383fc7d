import { ANY, BASE, isPair } from './checks.ts';
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

/** `x[..., start:end]`: features of each row, from 0 on. */
export interface PytorchSlice extends PytorchLayerBase {
  slice: readonly [start: number, end: number];
}

export const slice: Form<'slice', PytorchSlice> = {
  value: { is: (value) => isPair(value), text: '[start, end], numbers of features from 0' },
  fields: BASE,
  read: ({ slice: [start, end] }, { name }) => ({ load: () => ({ name, type: 'slice', start, size: end - start }) }),
};
