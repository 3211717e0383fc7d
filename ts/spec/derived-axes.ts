import type { AxisRule } from '../layers/kind.ts';

/** What an axis is made of that no input's axis is part of. */
export const NO_AXIS = -1;

/** An axis whose steps follow from those of another: a strided convolution's, a pool's. */
export interface DerivedAxis extends AxisRule {
  /** Number of the axis that it was made of, or {@link NO_AXIS}. */
  from: number;
  /** Its sequences are the steps of that axis, and have so many steps each. */
  each?: number;
}

/** Steps of the axis where the other has `steps`. */
export function stepsOf({ mul, add, div }: AxisRule, steps: number): number {
  return Math.max(0, Math.floor((mul * steps + add) / div));
}

/** Steps that a stream has given on the axis, when it has taken `steps` on the other: none before the first. */
export function stepsGiven(rule: AxisRule, steps: number): number {
  return steps === 0 ? 0 : stepsOf(rule, steps);
}

/** Steps of an axis when one step has come on the input's that it was made of. */
export function stepsAtFirst(axis: number, made: (axis: number) => DerivedAxis | undefined): number {
  const own = made(axis);
  return own ? stepsOf(own, stepsAtFirst(own.from, made)) : 1;
}

/** The axis of `steps` steps for each step of the axis `from`. */
export function each(from: number, steps: number): DerivedAxis {
  return { from, mul: steps, add: 0, div: 1, each: steps };
}

/**
 * The axis that a rule makes of the axis `from`; where that was `made` of another, told by that one if it is exact: steps that are
 * padded and then taken away by an unpadded convolution are those of the input again.
 */
export function derive(from: number, made: DerivedAxis | undefined, { mul, add, div }: AxisRule): DerivedAxis {
  if (made?.each !== undefined) return each(made.from, stepsOf({ mul, add, div }, made.each));
  // floor((mul (made.mul n + made.add) + add) / div), where nothing was rounded or cut off before.
  if (made?.div !== 1 || made.add < 0) return { from, ...reduced({ mul, add, div }) };
  return { from: made.from, ...reduced({ mul: mul * made.mul, add: mul * made.add + add, div }) };
}

function reduced({ mul, add, div }: AxisRule): AxisRule {
  return mul % div === 0 ? { mul: mul / div, add: Math.floor(add / div), div: 1 } : { mul, add, div };
}

/** Whether an axis has the steps of the one that it was made of. */
export function isIdentity({ mul, add, div, each }: Omit<DerivedAxis, 'from'>): boolean {
  return mul === 1 && add === 0 && div === 1 && each === undefined;
}

export function isSameRule(a: Omit<DerivedAxis, 'from'>, b: Omit<DerivedAxis, 'from'>): boolean {
  return a.mul === b.mul && a.add === b.add && a.div === b.div && a.each === b.each;
}
