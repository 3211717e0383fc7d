import { checkFlag, checkSize, onlyInput, specError } from './check.ts';
import type { AxisRule, LayerKind, ValueShape } from './kind.ts';
import type { AnyLayer, LayerBase, ValueRef } from './spec.ts';

/** A vector at every step. */
export interface RepeatSpec extends LayerBase {
  type: 'repeat';
  /** A value of steps, on whose axis the result lies. Left out: an axis of `steps` steps. */
  like?: ValueRef;
  /** How many steps that axis has; left out: any. */
  steps?: number;
  /** Each step of a sequence is repeated, not a vector, as `unflatten` cuts it. Default false. */
  each?: boolean;
}

export const repeat: LayerKind<RepeatSpec> = {
  type: 'repeat',
  code: 19,
  fields: ['like', 'steps', 'each'],
  check(spec) {
    if (spec.steps !== undefined) checkSize(spec, 'steps', spec.steps);
    else if ((spec.like as unknown) === undefined) throw specError(spec, 'has neither steps nor like');
    checkEach(spec);
  },
  extraInputs: (spec) => [spec.like],
  ports(spec, inputs, [like]) {
    const { kind, size } = onlyInput(spec, inputs);
    if (kind !== 'vector') throw specError(spec, 'takes one row a sequence, its input has one a step');
    checkLike(spec, spec.like, like);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  axis: ({ like, steps }) => (like === undefined ? constantAxis(steps!) : undefined),
  params: (_, axis) => ({ axis }),
  nests: ({ each = false }) => each,
  steps: ({ like, steps }) => (like === undefined ? undefined : steps),
  notStreamable: () => 'what it repeats may be known at the end of the sequence only',
};

/** @throws GruError `invalid_spec` where what gives an axis has none. */
export function checkLike(spec: AnyLayer, ref: ValueRef | undefined, like: ValueShape | undefined): void {
  if (like && like.kind !== 'sequence') throw specError(spec, `like: '${ref ?? ''}' has one row a sequence, not steps`);
}

/** @throws GruError `invalid_spec` where `each` is no flag, or stands beside `like`, which says it. */
export function checkEach(spec: AnyLayer & { each?: boolean; like?: ValueRef }): void {
  checkFlag(spec, 'each', spec.each);
  if (spec.each === true && spec.like !== undefined)
    throw specError(spec, 'each is for an axis of its own, not for like');
}

/** An axis of as many steps in every run. */
export function constantAxis(steps: number): AxisRule {
  return { mul: 0, add: steps, div: 1 };
}
