import { specError } from './check.ts';
import { describe } from '../base/tensor.ts';
import { keptSlot, type LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';

/** One step of each sequence, as a vector: zeros for a sequence without steps. A stream that goes on without one keeps its last. */
export interface StepSpec extends LayerBase {
  type: 'step';
  /** The first step or the last. */
  index: 0 | -1;
}

export const step: LayerKind<StepSpec> = {
  type: 'step',
  code: 6,
  fields: ['index'],
  check(spec) {
    const index: unknown = spec.index;
    if (index !== 0 && index !== -1) throw specError(spec, `index must be 0 or -1, got ${describe(index)}`);
  },
  ports(spec, inputs) {
    return [{ port: 'output', kind: 'vector', dtype: 'float32', size: onlySteps(spec, inputs).size }];
  },
  tensors: () => [],
  params: (spec) => ({ last: Number(spec.index === -1) }),
  slots: (spec, [input]) => (spec.index === -1 ? [keptSlot(input!.size)] : []),
  notStreamable: (spec) => (spec.index === 0 ? 'it reads the first step of the sequence' : undefined),
};
