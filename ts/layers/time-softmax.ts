import { onlySteps, checkMask } from './steps.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, ValueRef } from './spec.ts';

/**
 * Softmax over the steps of each sequence, for each number of a row by itself: y[t] = e^x[t] / sum over s of e^x[s]. (Over the row
 * it is an activation.)
 */
export interface TimeSoftmaxSpec extends LayerBase {
  type: 'timeSoftmax';
  /** A value of one number a step: steps where it is 0 have no part and get 0. */
  mask?: ValueRef;
}

export const timeSoftmax: LayerKind<TimeSoftmaxSpec> = {
  type: 'timeSoftmax',
  code: 13,
  fields: ['mask'],
  check() {
    // no sizes, no options
  },
  extraInputs: (spec) => [spec.mask],
  ports(spec, inputs, [mask]) {
    const { size } = onlySteps(spec, inputs);
    checkMask(spec, 'mask', mask, 'sequence');
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  params: () => ({}),
  notStreamable: () => 'it divides each step by a sum over all steps',
};
