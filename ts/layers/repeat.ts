import { checkSize, onlyInput, specError } from './check.ts';
import type { LayerKind, ValueShape } from './kind.ts';
import type { AnyLayer, LayerBase, ValueRef } from './spec.ts';

/** A vector at every step. */
export interface RepeatSpec extends LayerBase {
  type: 'repeat';
  /** A value of steps, on whose axis the result lies. */
  like: ValueRef;
  /** How many steps that axis has to have; left out: any. */
  steps?: number;
}

export const repeat: LayerKind<RepeatSpec> = {
  type: 'repeat',
  code: 13,
  fields: ['like', 'steps'],
  check(spec) {
    if (spec.steps !== undefined) checkSize(spec, 'steps', spec.steps);
  },
  extraInputs: (spec) => [spec.like],
  ports(spec, inputs, [like]) {
    const { kind, size } = onlyInput(spec, inputs);
    if (kind !== 'vector') throw specError(spec, 'takes one row a sequence, its input has one a step');
    checkLike(spec, spec.like, like);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  params: () => ({}),
  steps: (spec) => spec.steps,
  notStreamable: () => 'what it repeats may be known at the end of the sequence only',
};

/** @throws GruError `invalid_spec` where what gives an axis has none. */
export function checkLike(spec: AnyLayer, ref: ValueRef | undefined, like: ValueShape | undefined): void {
  if (!like) throw specError(spec, 'like is missing: a value of steps, whose axis the result is to have');
  if (like.kind !== 'sequence') throw specError(spec, `like: '${ref ?? ''}' has one row a sequence, not steps`);
}
