import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';

/** The steps of each sequence from its last to its first: y_t = x[n - 1 - t], n being its own number of steps. */
export interface ReverseSpec extends LayerBase {
  type: 'reverse';
}

export const reverse: LayerKind<ReverseSpec> = {
  type: 'reverse',
  code: 26,
  fields: [],
  check() {
    // no sizes, no options
  },
  ports(spec, inputs) {
    const { size } = onlySteps(spec, inputs);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  params: () => ({}),
  notStreamable: () => 'it gives the last step of the sequence first',
};
