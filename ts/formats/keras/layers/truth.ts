import type { RowActivation } from '../../../spec/spec.ts';
import type { Condition, Features, Value } from '../values.ts';
import { asFeatures, type Call, type Resolved, type Translate } from './call.ts';
import { activation, applied, asTensor, merged, operandsOf, pair, withRef } from './operands.ts';
import { numbersOf } from './tables.ts';

/** Operations that compare, and what is made of truth values: as numbers they are 1 and 0. */

/** The number that a step's ids are compared with where this tells padding, 0, from the others, and whether these are meant. */
const OF_IDS: Record<string, { than: number; holds: boolean }> = {
  NotEqual: { than: 0, holds: true },
  Greater: { than: 0, holds: true },
  GreaterEqual: { than: 1, holds: true },
  Equal: { than: 0, holds: false },
  LessEqual: { than: 0, holds: false },
  Less: { than: 1, holds: false },
};

/** The same with its sides changed. */
const TURNED: Record<string, string> = {
  Greater: 'Less',
  Less: 'Greater',
  GreaterEqual: 'LessEqual',
  LessEqual: 'GreaterEqual',
};

/** What of sign(x - y) is 1 where it holds, else 0; `not` of what it is the contrary. */
const OF_SIGN: Record<string, { of: readonly RowActivation[]; not?: true }> = {
  NotEqual: { of: ['abs'] },
  Equal: { of: ['abs'], not: true },
  Greater: { of: ['relu'] },
  LessEqual: { of: ['relu'], not: true },
  Less: { of: [{ name: 'affine', alpha: -1, beta: 0 }, 'relu'] },
  GreaterEqual: { of: [{ name: 'affine', alpha: -1, beta: 0 }, 'relu'], not: true },
};

const NOT: RowActivation = { name: 'affine', alpha: -1, beta: 1 };

export const compare =
  (name: string): Translate =>
  (call) => {
    const [left, right] = operandsOf(call, [], 2) as [Resolved, Resolved];
    const [c, d] = [numbersOf(left), numbersOf(right)];
    if (typeof c === 'number') return [compared(call, TURNED[name] ?? name, asTensor(call, right), c)];
    const x = asTensor(call, left);
    if (typeof d === 'number') return [compared(call, name, x, d)];
    const y = asTensor(call, right);
    const flat = isRow(x) && isRow(y);
    const [a, b] = flat ? [stepsOf(x), stepsOf(y)] : pair(call, asFeatures(call, x), asFeatures(call, y));
    const own = { ...call, name: call.builder.name(`${call.name}_difference`) };
    const [difference] = merged(own, [a, b], 'sub');
    return [ofSign(call, name, difference, flat)];
  };

function compared(call: Call, name: string, x: Value, than: number): Condition {
  const { builder, fields } = call;
  if (x.is === 'ids') {
    const known = OF_IDS[name]!;
    if (x.kind !== 'sequence' || x.made || x.whole || than !== known.than)
      throw fields.unsupported(`compares ids with ${than}; supported: what tells the ids of an input from padding, 0`);
    const mask = builder.maskOfIds(x.input);
    if (known.holds) return { is: 'condition', kind: 'steps', test: 'mask', mask };
    const numbers = lazily(() => ({
      is: 'features',
      ref: builder.wideMask(mask, 1, false),
      kind: 'sequence',
      size: 1,
    }));
    return { is: 'condition', kind: 'steps', test: 'holds', numbers };
  }
  const flat = isRow(x);
  const from = flat ? stepsOf(x) : asFeatures(call, x);
  const by: RowActivation = { name: 'affine', alpha: 1, beta: -than };
  const ref = activation(call, from, by, builder.name(`${call.name}_difference`));
  return ofSign(call, name, withRef(from, ref), flat);
}

function ofSign(call: Call, name: string, difference: Features, flat: boolean): Condition {
  const { of, not } = OF_SIGN[name]!;
  const numbers = chain(call, difference, ['sign', ...of, ...(not ? [NOT] : [])]);
  return { is: 'condition', kind: flat ? 'steps' : 'features', test: 'holds', numbers: () => numbers };
}

function chain(call: Call, from: Features, functions: readonly RowActivation[]): Features {
  return functions.reduce((x, fn) => withRef(x, activation(call, x, fn, call.builder.name(call.name))), from);
}

/** Made when it is first asked for: an embedding that tells the mask of ids may come later. */
function lazily(make: () => Features): () => Features {
  let made: Features | undefined;
  return () => (made ??= make());
}

const isRow = (value: Value) => value.is === 'transposed' && value.flat;

/** One number a step, which lies in a row, as steps. */
function stepsOf(value: Value): Features {
  return { is: 'features', ref: (value as Extract<Value, { is: 'transposed' }>).ref, kind: 'sequence', size: 1 };
}

/** 1 where a condition holds and 0 elsewhere: of steps, or of features. */
function numbersWhere(call: Call, condition: Condition): Features {
  const { builder, fields } = call;
  if (condition.test === 'holds') return condition.numbers();
  if (condition.test === 'mask' && (condition.kind === 'steps' || condition.one))
    return { is: 'features', ref: builder.wideMask(condition.mask, 1, true), kind: 'sequence', size: 1 };
  if (condition.test === 'differs') {
    const by: RowActivation = { name: 'affine', alpha: 1, beta: -condition.from };
    return chain(call, condition.features, [by, 'sign', 'abs']);
  }
  throw fields.unsupported('makes numbers of a mask of other features; supported: comparisons, masks of steps');
}

/** A tensor of the shape that a condition has. */
function shaped({ kind }: Condition, { ref, size, kind: of }: Features): Value {
  return kind === 'steps' ? { is: 'transposed', ref, size: 1, flat: true } : { is: 'features', ref, kind: of, size };
}

/** Truth values as numbers. */
export function castCondition(call: Call, condition: Condition): Value {
  return shaped(condition, numbersWhere(call, condition));
}

function conditionsOf(call: Call, count: number): Condition[] {
  return operandsOf(call, [], count).map((argument) => {
    const value = asTensor(call, argument);
    if (value.is !== 'condition') throw call.fields.unsupported('takes truth values');
    return value;
  });
}

/** Both, or either, of two conditions, as numbers. */
export function combined(call: Call, merge: 'mul' | 'max'): Condition {
  const [x, y] = conditionsOf(call, 2) as [Condition, Condition];
  if (x.kind !== y.kind) throw call.fields.unsupported('combines truth values of steps with those of features');
  const numbers = lazily(() => {
    const [a, b] = pair(call, numbersWhere(call, x), numbersWhere(call, y));
    return merged({ ...call, name: call.builder.name(call.name) }, [a, b], merge)[0];
  });
  return { is: 'condition', kind: x.kind, test: 'holds', numbers };
}

export const TRUTH: Record<string, Translate> = {
  ...Object.fromEntries(
    Object.keys(OF_SIGN)
      .filter((name) => name !== 'NotEqual')
      .map((name) => [name, compare(name)]),
  ),
  LogicalNot: (call) => {
    const [x] = conditionsOf(call, 1) as [Condition];
    const numbers = lazily(() => chain(call, numbersWhere(call, x), [NOT]));
    return [{ is: 'condition', kind: x.kind, test: 'holds', numbers }];
  },
  LogicalAnd: (call) => [combined(call, 'mul')],
  /** x where it holds, y elsewhere: n x + (1 - n) y, of finite numbers. */
  Where: (call) => {
    const { builder, fields, name } = call;
    const [argument, x, y] = operandsOf(call, ['condition'], 3);
    const condition = asTensor(call, argument);
    if (condition.is !== 'condition') throw fields.unsupported('chooses by something else than truth values');
    const numbers = numbersWhere(call, condition);
    const others = withRef(numbers, activation(call, numbers, NOT, builder.name(`${name}_not`)));
    const sides = [x, y].map((side, i) => {
      const weights = i === 0 ? numbers : others;
      const constant = side && numbersOf(side);
      const own = { ...call, name: builder.name(`${name}_${i === 0 ? 'chosen' : 'other'}`) };
      if (typeof constant === 'number') {
        if (!Number.isFinite(constant)) throw fields.unsupported(`chooses ${constant}; supported: finite, as -1e9`);
        return applied(own, weights, { name: 'affine', alpha: constant, beta: 0 })[0];
      }
      const value = asTensor(call, side);
      if (isRow(value) !== (condition.kind === 'steps'))
        throw fields.unsupported('chooses between tensors of other shapes than the truth values have');
      const features = isRow(value) ? stepsOf(value) : asFeatures(call, value);
      return merged(own, pair(call, features, weights), 'mul')[0];
    });
    const [made] = merged(call, pair(call, sides[0], sides[1]), 'sum');
    return [shaped(condition, made)];
  },
};
