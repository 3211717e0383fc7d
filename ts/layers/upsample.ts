import { checkFlag, checkSize, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';

/** Each step `factor` times: y_t = x[floor(t / factor)]. */
export interface UpsampleSpec extends LayerBase {
  type: 'upsample';
  /** Steps that are made of one. */
  factor: number;
  /** Each time the next of `factor` parts of its row, not all of it: y_t[j] = x[floor(t / factor)][(t mod factor) size + j]. Default false. */
  split?: boolean;
}

export const upsample: LayerKind<UpsampleSpec> = {
  type: 'upsample',
  code: 21,
  fields: ['factor', 'split'],
  check(spec) {
    checkSize(spec, 'factor', spec.factor);
    checkFlag(spec, 'split', spec.split);
  },
  ports(spec, inputs) {
    const { size } = onlySteps(spec, inputs);
    const parts = spec.split ? spec.factor : 1;
    if (size % parts !== 0) throw specError(spec, `cannot split ${size} values into ${parts} steps`);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size: size / parts }];
  },
  tensors: () => [],
  axis: ({ factor }) => ({ mul: factor, add: 0, div: 1 }),
  params: ({ factor, split = false }, axis) => ({ factor, split: Number(split), axis }),
};
