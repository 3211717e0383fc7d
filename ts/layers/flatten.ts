import { checkSize } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';

/** A fixed number of steps side by side as one vector: y[t * size + j] = x_t[j]. */
export interface FlattenSpec extends LayerBase {
  type: 'flatten';
  /** Every sequence has so many; a run with others is refused. */
  steps: number;
}

export const flatten: LayerKind<FlattenSpec> = {
  type: 'flatten',
  code: 17,
  fields: ['steps'],
  check(spec) {
    checkSize(spec, 'steps', spec.steps);
  },
  ports(spec, inputs) {
    const { size } = onlySteps(spec, inputs);
    return [{ port: 'output', kind: 'vector', dtype: 'float32', size: spec.steps * size }];
  },
  tensors: () => [],
  params: ({ steps }) => ({ steps }),
  steps: (spec) => spec.steps,
  notStreamable: () => 'it takes all steps of a sequence together',
};
