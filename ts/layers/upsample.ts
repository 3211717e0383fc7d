import { checkSize } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';

/** Each step `factor` times: y_t = x[floor(t / factor)]. */
export interface UpsampleSpec extends LayerBase {
  type: 'upsample';
  factor: number;
}

export const upsample: LayerKind<UpsampleSpec> = {
  type: 'upsample',
  code: 21,
  fields: ['factor'],
  check(spec) {
    checkSize(spec, 'factor', spec.factor);
  },
  ports(spec, inputs) {
    const { size } = onlySteps(spec, inputs);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  axis: ({ factor }) => ({ mul: factor, add: 0, div: 1 }),
  params: ({ factor }, axis) => ({ factor, axis }),
};
