import { describe } from '../base/tensor.ts';
import { checkChoice, checkFlag, checkSize, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import { DIRECTION_MERGES } from './recurrent.ts';
import type { LayerBase, ValueRef } from './spec.ts';

/**
 * Values side by side along the row (`concat`), or made one element by element from the first to the last: `sub` of a, b and c is
 * (a - b) - c. A vector counts for every step of a sequence, a row of one number for all features of the others, and so does a
 * constant. `pow` is a^b; `prelu` is a where a >= 0, else b a.
 */
export interface MergeSpec extends LayerBase {
  type: 'merge';
  inputs: ValueRef[];
  /** What is made of the values. */
  merge: 'concat' | 'sum' | 'mul' | 'ave' | 'sub' | 'div' | 'min' | 'max' | 'pow' | 'prelu';
  /** Numbers of `weights.constant`: one value more, behind those of `inputs`. */
  constantSize?: number;
  /** The constant comes before the inputs. Default false. */
  constantFirst?: boolean;
  /** constant: (constantSize). */
  weights?: { constant: Float32Array };
}

/** Ways to make one value of several, numbered as in crate/src/kernels/elementwise.rs. */
export const MERGES = [...DIRECTION_MERGES, 'sub', 'div', 'min', 'max', 'pow', 'prelu'] as const;

export const merge: LayerKind<MergeSpec> = {
  type: 'merge',
  code: 3,
  fields: ['merge', 'constantSize', 'constantFirst'],
  check(spec) {
    if ((spec.merge as unknown) === undefined) throw specError(spec, 'merge is missing');
    checkChoice(spec, 'merge', spec.merge, MERGES);
    checkFlag(spec, 'constantFirst', spec.constantFirst);
    if (spec.constantSize !== undefined) checkSize(spec, 'constantSize', spec.constantSize);
    else if (spec.constantFirst !== undefined) {
      throw specError(spec, `constantFirst is for a constant, got ${describe(spec.constantFirst)}`);
    }
  },
  ports(spec, inputs) {
    const { constantSize, merge } = spec;
    const sizes = inputs.map(({ size }) => size);
    if (constantSize !== undefined) sizes.push(constantSize);
    if (inputs.length < 1 || sizes.length < 2) {
      throw specError(spec, `takes two inputs, or one and a constant, got ${inputs.length}`);
    }
    if (inputs.some(({ dtype }) => dtype !== 'float32')) {
      throw specError(spec, 'takes float32 values, an input holds int32 ids');
    }
    const kind = inputs.some((input) => input.kind === 'sequence') ? 'sequence' : 'vector';
    const widest = sizes.reduce((most, size) => Math.max(most, size), 1);
    const other = sizes.find((size) => size !== 1 && size !== widest);
    if (merge !== 'concat' && other !== undefined) {
      throw specError(spec, `cannot ${merge} rows of ${widest} and ${other} values`);
    }
    const size = merge === 'concat' ? sizes.reduce((sum, part) => sum + part, 0) : widest;
    return [{ port: 'output', kind, dtype: 'float32', size }];
  },
  tensors: ({ constantSize }) => (constantSize === undefined ? [] : [{ key: 'constant', shape: [constantSize] }]),
  params: ({ merge, constantSize = 0, constantFirst = false }) => ({
    merge: MERGES.indexOf(merge),
    constantSize,
    constantFirst: Number(constantFirst),
  }),
};
