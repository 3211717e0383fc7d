import type { StepSpec } from '../../../spec/spec.ts';
import { nothing, rowOf } from './layer.ts';
import type { Build } from './layer.ts';

/** One step of each sequence: the first or the last; zeros for a sequence without steps. The last one is kept from run to run. */
export const step: Build<StepSpec> = (spec, [input]) => {
  const size = input!.size;
  return {
    bytes: 0,
    orders: [],
    keepsTiny: true,
    workspace: (batch) => ({ ...nothing, states: [new Float32Array(batch * size)] }),
    reserve: (workspace) => workspace,
    run({ layout, inputs: [x], outputs: [y] }, { states: [kept] }) {
      if (!y) return;
      for (let b = 0; b < layout.batch; b++) {
        const length = layout.lengths[b]!;
        const from = rowOf(layout, b, spec.index === 0 ? 0 : length - 1) * size;
        const at = layout.sequences[b]! * size;
        if (length > 0) kept!.set(x!.subarray(from, from + size), at);
        y.set(kept!.subarray(at, at + size), b * size);
      }
    },
  };
};
