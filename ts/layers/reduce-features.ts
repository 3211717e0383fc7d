import { checkChoice, onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** The features of each row made one number. `l2` is the square root of the sum of squares. */
export interface ReduceFeaturesSpec extends LayerBase {
  type: 'reduceFeatures';
  /** What becomes of the features of a step; `l2`: the root of the sum of their squares. */
  reduce: 'sum' | 'mean' | 'prod' | 'max' | 'min' | 'l2';
}

/** Numbered as in crate/src/layers/reduce_features.rs. */
const REDUCTIONS = ['sum', 'mean', 'prod', 'max', 'min', 'l2'] as const;

export const reduceFeatures: LayerKind<ReduceFeaturesSpec> = {
  type: 'reduceFeatures',
  code: 23,
  fields: ['reduce'],
  check(spec) {
    if ((spec.reduce as unknown) === undefined) throw specError(spec, 'reduce is missing');
    checkChoice(spec, 'reduce', spec.reduce, REDUCTIONS);
  },
  ports(spec, inputs) {
    const { kind } = onlyInput(spec, inputs);
    return [{ port: 'output', kind, dtype: 'float32', size: 1 }];
  },
  tensors: () => [],
  params: (spec) => ({ reduce: REDUCTIONS.indexOf(spec.reduce) }),
};
