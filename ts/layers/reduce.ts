import { checkChoice, specError } from './check.ts';
import { checkMask, onlySteps } from './steps.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, ValueRef } from './spec.ts';

/** Ways to make one row of all steps, numbered as in crate/src/layers/reduce.rs. */
export const REDUCTIONS = ['sum', 'mean', 'max', 'min', 'l2', 'std'] as const;

/**
 * All steps of each sequence as one vector; zeros for a sequence without steps.
 *
 *     sum    s = sum of x_t            l2    sqrt(sum of x_t^2)
 *     mean   s / n                     std   sqrt(sum of (x_t - mean)^2 / (n - correction))
 *     max, min                         a NaN where there is one
 */
export interface ReduceSpec extends LayerBase {
  type: 'reduce';
  /** What is made of the steps. */
  reduce: (typeof REDUCTIONS)[number];
  /** Of `std`: 1 (the default) divides by one less than the number of steps. */
  correction?: 0 | 1;
  /**
   * A mask value: steps whose mask is 0 do not count. Where none counts, the equations hold: sum 0, mean 0 / 0 = NaN, max
   * -Infinity.
   */
  mask?: ValueRef;
}

export const reduce: LayerKind<ReduceSpec> = {
  type: 'reduce',
  code: 16,
  fields: ['reduce', 'correction', 'mask'],
  check(spec) {
    if ((spec.reduce as unknown) === undefined) throw specError(spec, 'reduce is missing');
    checkChoice(spec, 'reduce', spec.reduce, REDUCTIONS);
    if (spec.correction === undefined) return;
    if (spec.reduce !== 'std') throw specError(spec, "correction is for reduce 'std'");
    if (![0, 1].includes(spec.correction)) throw specError(spec, 'correction must be 0 or 1');
  },
  extraInputs: (spec) => [spec.mask],
  ports(spec, inputs, [mask]) {
    const { size } = onlySteps(spec, inputs);
    checkMask(spec, 'mask', mask, 'sequence');
    return [{ port: 'output', kind: 'vector', dtype: 'float32', size }];
  },
  tensors: () => [],
  params: ({ reduce: op, correction = 1 }) => ({
    reduce: REDUCTIONS.indexOf(op),
    correction: Number(op === 'std' && correction === 1),
  }),
  notStreamable: () => 'it takes all steps of a sequence together',
};
