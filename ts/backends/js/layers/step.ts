import type { StepSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** One step of each sequence: the first or the last; zeros for a sequence without steps. */
export const step: Build<StepSpec> = (spec, [input]) => {
  const size = input!.size;
  return stateless(0, ({ layout, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    for (let b = 0; b < layout.batch; b++) {
      const length = layout.lengths[b]!;
      const row = layout.starts[b]! + (spec.index === 0 ? 0 : length - 1) * layout.stride;
      for (let j = 0; j < size; j++) y[b * size + j] = length > 0 ? x[row * size + j]! : 0;
    }
  });
};
