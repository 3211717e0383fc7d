import type { LayerSpec } from '../../../spec/spec.ts';
import { BASE, isPair, isWhole, oneOf } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** `output[:, -1]` or `output[:, 0]` (batch first): one step of a sequence; zeros where it has too few. */
export interface PytorchStep extends PytorchLayerBase {
  /** Its index; from the end where it is negative. */
  step: number;
}

export const step: Form<'step', PytorchStep> = {
  value: { is: isWhole, text: 'a whole number: 0 for the first step, -1 for the last' },
  fields: BASE,
  read({ step: index }, { name, source, add }) {
    const one = (at: 0 | -1) => () => ({ name, type: 'step', index: at }) satisfies LayerSpec;
    if (index === 0 || index === -1) return { load: one(index) };
    const rest = `${name}_rest`;
    const cropped = index > 0 ? { before: -index } : { after: index + 1 };
    const made = add({ name: rest, inputs: [source], load: () => ({ name: rest, type: 'pad', ...cropped }) });
    return { inputs: [made], load: one(index > 0 ? 0 : -1) };
  },
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

/** `x.flip(1)`, `torch.flip(x, [1])`: the steps of each sequence from its last to its first. */
export interface PytorchFlip extends PytorchLayerBase {
  flip: 'time' | 1;
}

export const flip: Form<'flip', PytorchFlip> = {
  value: oneOf('time', 1),
  fields: BASE,
  read: (_, { name }) => ({ load: () => ({ name, type: 'reverse' }) }),
};
