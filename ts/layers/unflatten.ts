import { checkFlag, checkSize, onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import { checkEach, checkLike, constantAxis } from './repeat.ts';
import type { LayerBase, ValueRef } from './spec.ts';

/** A vector cut into a fixed number of steps: y_t[j] = x[t * size + j], or with `transposed` x[j * steps + t]. */
export interface UnflattenSpec extends LayerBase {
  type: 'unflatten';
  /** How many steps are made. */
  steps: number;
  /** Default false. */
  transposed?: boolean;
  /** A value of steps, on whose axis the result lies: it has to have `steps` too. Left out: an axis of that many steps. */
  like?: ValueRef;
  /**
   * Each step of a sequence is cut, not a vector. The layers that read the result take every step as a sequence of its own, of which they
   * know nothing but these steps; what they give once a sequence is one row a step again. Default false.
   */
  each?: boolean;
}

export const unflatten: LayerKind<UnflattenSpec> = {
  type: 'unflatten',
  code: 18,
  fields: ['steps', 'transposed', 'like', 'each'],
  check(spec) {
    checkSize(spec, 'steps', spec.steps);
    checkFlag(spec, 'transposed', spec.transposed);
    checkEach(spec);
  },
  extraInputs: (spec) => [spec.like],
  ports(spec, inputs, [like]) {
    const { kind, size } = onlyInput(spec, inputs);
    if (kind !== 'vector') throw specError(spec, 'takes one row a sequence, its input has one a step');
    if (size % spec.steps !== 0) throw specError(spec, `cannot cut ${size} values into ${spec.steps} steps`);
    checkLike(spec, spec.like, like);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size: size / spec.steps }];
  },
  tensors: () => [],
  axis: ({ like, steps }) => (like === undefined ? constantAxis(steps) : undefined),
  params: ({ steps, transposed = false }, axis) => ({ steps, transposed: Number(transposed), axis }),
  nests: ({ each = false }) => each,
  steps: ({ like, steps }) => (like === undefined ? undefined : steps),
  notStreamable: () => 'it gives all steps of a sequence together',
};
