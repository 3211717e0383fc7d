import type { RowActivation } from '../../../spec/spec.ts';
import { nodeError, nodeName } from '../attributes.ts';
import { numbersOf, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { IdFunction } from '../spec-ids.ts';
import { feature, role, width, type Constant, type Factor, type Rows } from '../value.ts';
import { maskScores } from './attention.ts';
import { causalOf } from './causal.ts';
import { layerName, padAxes } from './columns.ts';
import { combine } from './combine.ts';
import {
  andConstant,
  equalConstant,
  greaterConstant,
  lessConstant,
  notConstant,
  orConstant,
  whereConstant,
  xorConstant,
} from './constant.ts';
import { asFloats, asMask, holdWhole, inTurn, maskOf, wholeOf } from './whole.ts';

/** Masks, values of zeros and ones: comparisons, what they make together, and what they choose. */

/** min(max(x, 0), 1). */
const UNIT: RowActivation = { name: 'clip', alpha: 0, beta: 1 };
const affine = (alpha: number, beta: number): RowActivation => ({ name: 'affine', alpha, beta });
const OTHER = affine(-1, 1);

/** The axes of numbers of the steps beside one number a sequence. */
function besideSteps(context: NodeContext, steps: Rows, numbers: Rows): Factor[][] {
  if (numbers.kind !== 'vector')
    throw nodeError(context.node, 'compares the numbers of steps with something else than one number a sequence');
  const rank = Math.max(steps.axes.length, numbers.axes.length);
  const padded = [steps, numbers].map(({ axes }) => [...Array<Factor[]>(rank - axes.length).fill([]), ...axes]);
  const axes = padded[0]!.map((axis, i) => [...axis, ...padded[1]![i]!]);
  if (axes.some((axis) => axis.length > 1)) throw nodeError(context.node, 'compares numbers along one axis');
  return axes;
}

/** Whether the number of each step is that of the sequence, as 0 or 1: 1 - min(|n - t|, 1) of whole numbers. */
export function stepsEqual(context: NodeContext, steps: Rows, numbers: Rows): Rows {
  const axes = besideSteps(context, steps, numbers);
  const away = context.graph.builder.merge([asFloats(context, numbers), steps], `${layerName(context)}_away`, 'sub');
  const whole: RowActivation[] = holdWhole(context, numbers) ? [] : ['sign'];
  const result = inTurn(context, { ...away, axes }, layerName(context), ['abs', ...whole, UNIT, OTHER]);
  return asMask(context, { ...result, inputs: numbers.inputs });
}

/** Whether the number of each step is below those of the sequences, as 0 or 1: min(max(n - t, 0), 1) of whole numbers. */
export function stepsBelow(context: NodeContext, steps: Rows, lengths: Rows, orEqual: boolean): Rows {
  const { builder } = context.graph;
  const axes = besideSteps(context, steps, lengths);
  const numbers = asFloats(context, lengths);
  const name = layerName(context);
  // t < n is 0 < n - t; t <= n is not n < t
  const left = builder.merge(orEqual ? [steps, numbers] : [numbers, steps], `${name}_left`, 'sub');
  const whole = holdWhole(context, numbers);
  const result = inTurn(context, { ...left, axes }, name, [...(whole ? [] : ['sign' as const]), UNIT, ...(orEqual ? [OTHER] : [])]); // prettier-ignore
  return asMask(context, { ...result, inputs: lengths.inputs });
}

const MOST = 3.4028234663852886e38;

/** mask x + (1 - mask) y. */
function whereMask(context: NodeContext, mask: Rows, x: Rows | Constant, y: Rows | Constant): Rows {
  const { builder } = context.graph;
  const name = layerName(context);
  const one = (rows: Rows, scale: number, shift: number, what: string) =>
    builder.affine({ ...rows, exclusive: false }, `${name}_${what}`, scale, shift);
  const other = () => one(mask, -1, 1, 'other');
  if (x.type === 'rows' && y.type === 'rows') {
    const [first, second] = [asFloats(context, x), asFloats(context, y)];
    return combine(context, combine(context, first, mask, 'mul'), combine(context, second, other(), 'mul'), 'sum');
  }
  const numberOf = (value: Rows | Constant) => {
    const number = value.type === 'constant' && value.data.length === 1 ? value.data[0] : undefined;
    if (typeof number !== 'number')
      throw nodeError(context.node, 'chooses by a mask between values; supported: computed values and numbers');
    return Math.max(Math.min(number, MOST), -MOST);
  };
  if (x.type === 'constant' && y.type === 'constant') {
    const [a, b] = [numberOf(x), numberOf(y)];
    return { ...one(mask, a - b, b, 'chosen'), ...(x.dtype === 'int' ? { whole: true } : {}) };
  }
  const isFirst = x.type === 'rows';
  const [value, number] = isFirst ? [x, numberOf(y)] : [y as Rows, numberOf(x)];
  const kept = combine(context, asFloats(context, value), isFirst ? mask : one(mask, -1, 1, 'kept'), 'mul');
  if (number === 0) return kept;
  const filled = isFirst ? one(mask, -number, number, 'filled') : one(mask, number, 0, 'filled');
  return combine(context, kept, filled, 'sum');
}

type Comparison = 'Equal' | 'Less' | 'Greater' | 'LessOrEqual' | 'GreaterOrEqual';

/** What a comparison with c is, of any floats; of whole numbers no sign is needed. */
function withNumber(op: Comparison, c: number, whole: boolean): IdFunction {
  const [less, greater] = [affine(-1, c), affine(1, -c)];
  const sign: RowActivation[] = whole ? [] : ['sign'];
  switch (op) {
    case 'Equal':
      return { each: (id) => Number(id === c), steps: [greater, 'abs', ...sign, UNIT, OTHER] };
    case 'Less':
      return { each: (id) => Number(id < c), steps: [less, ...sign, UNIT] };
    case 'Greater':
      return { each: (id) => Number(id > c), steps: [greater, ...sign, UNIT] };
    case 'LessOrEqual':
      return { each: (id) => Number(id <= c), steps: [greater, ...sign, UNIT, OTHER] };
    case 'GreaterOrEqual':
      return { each: (id) => Number(id >= c), steps: [less, ...sign, UNIT, OTHER] };
  }
}

const SWAPPED: Record<Comparison, Comparison> = {
  Equal: 'Equal',
  Less: 'Greater',
  Greater: 'Less',
  LessOrEqual: 'GreaterOrEqual',
  GreaterOrEqual: 'LessOrEqual',
};

/** Whether numbers are so to c, as 0 or 1. */
export function compareWith(context: NodeContext, rows: Rows, op: Comparison, c: number): Rows {
  const { builder } = context.graph;
  const name = layerName(context);
  const whole = holdWhole(context, rows);
  const compared = withNumber(op, c, whole && Number.isInteger(c));
  const isGiven = rows.dtype === 'int32' && builder.inputs.some((input) => input.name === rows.columns[0]?.ref);
  if (isGiven) return asMask(context, builder.functionOf(rows, name, compared));
  return asMask(context, inTurn(context, asFloats(context, rows), name, compared.steps), whole ? 'mask' : 'choice');
}

function compareRows(context: NodeContext, x: Rows, y: Rows, op: Comparison): Rows {
  const isNot = op === 'LessOrEqual' || op === 'GreaterOrEqual';
  const isLess = op === 'Less' || op === 'GreaterOrEqual';
  const [a, b] = isLess ? [y, x] : [x, y];
  const away = combine(context, asFloats(context, a), asFloats(context, b), 'sub');
  const steps: RowActivation[] = op === 'Equal' ? ['abs', 'sign', OTHER] : ['sign', UNIT, ...(isNot ? [OTHER] : [])];
  const isWhole = [x, y].every((rows) => holdWhole(context, rows));
  return asMask(context, inTurn(context, away, layerName(context), steps), isWhole ? 'mask' : 'choice');
}

/** Which of the numbers of a constant each whole number of a row is: rows with a one in the place of an id. */
function equalToEach(context: NodeContext, rows: Rows, constant: Constant): Rows {
  const count = constant.base.at(-1)!;
  const padded = padAxes(rows, constant.base.length);
  const { data } = numbersOf(context, { ...constant, shape: constant.base }, 'the constant');
  const values = Float32Array.from(data);
  const isRow = width(rows) === 1 && role(padded.axes.at(-1)!) === 'one' && count === values.length;
  if (!isRow || !holdWhole(context, rows))
    throw nodeError(
      context.node,
      'compares a computed value with a constant; supported: whole numbers along new features',
    );
  const { builder } = context.graph;
  const axes = [...padded.axes.slice(0, -1), [feature(count)]];
  const away = builder.mergeConstant(asFloats(context, padded), `${layerName(context)}_away`, 'sub', values, false);
  return asMask(context, inTurn(context, { ...away, axes }, layerName(context), ['abs', UNIT, OTHER]));
}

/** Comparisons of values with numbers and with each other; of constants as `constants` has it. */
function compared(op: Comparison, constants?: Operator): Operator {
  return (context) => {
    const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
    if (constants && x.type === 'constant' && y.type === 'constant') return constants(context);
    if (x.type === 'rows' && y.type === 'rows') {
      const causal = causalOf(context, x, y);
      if (causal) return [causal];
      const orEqual = op.endsWith('OrEqual');
      const [small, large] = op.startsWith('Less') ? [x, y] : [y, x];
      if (op === 'Equal' && wholeOf(context, x) === 'steps') return [stepsEqual(context, x, y)];
      if (op === 'Equal' && wholeOf(context, y) === 'steps') return [stepsEqual(context, y, x)];
      if (op !== 'Equal' && wholeOf(context, small) === 'steps') return [stepsBelow(context, small, large, orEqual)];
      // t >= n is not t < n
      if (op !== 'Equal' && wholeOf(context, large) === 'steps')
        return [not(context, stepsBelow(context, large, small, !orEqual))];
      return [compareRows(context, x, y, op)];
    }
    const [rows, constant] = x.type === 'rows' ? [x, y as Constant] : [y, x];
    const value = constant.data.length === 1 ? constant.data[0] : undefined;
    if (rows.type === 'rows' && op === 'Equal' && constant.data.length > 1)
      return [equalToEach(context, rows, constant)];
    if (rows.type !== 'rows' || typeof value !== 'number')
      throw nodeError(context.node, 'compares a computed value with a constant; supported: with one number');
    return [compareWith(context, rows, x.type === 'rows' ? op : SWAPPED[op], value)];
  };
}

/** Whether numbers are not zero: the mask that they are as booleans. */
export function isNotZero(context: NodeContext, rows: Rows): Rows {
  if (maskOf(context, rows)) return rows;
  return not(context, compareWith(context, rows, 'Equal', 0));
}

function not(context: NodeContext, mask: Rows): Rows {
  const floats = asFloats(context, mask);
  const result = context.graph.builder.affine({ ...floats, exclusive: false }, `${nodeName(context.node)}_not`, -1, 1);
  return asMask(context, result, maskOf(context, mask));
}

const notMask: Operator = (context) => {
  const x = requireInput(context, 0);
  if (x.type === 'constant') return notConstant(context);
  if (maskOf(context, x)) return [not(context, x)];
  throw nodeError(context.node, 'is supported for constants and masks');
};

/** Two masks, or one and a boolean: x y, max(x, y), |x - y|. */
function joined(op: 'mul' | 'max' | 'sub', constants: Operator): Operator {
  return (context) => {
    const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
    if (x.type === 'constant' && y.type === 'constant') return constants(context);
    const mask = (value: Rows | Constant): Rows | undefined => {
      if (value.type === 'constant') return undefined;
      if (!maskOf(context, value)) throw nodeError(context.node, 'is supported for constants and masks');
      return asFloats(context, value);
    };
    const [a, b] = [mask(x), mask(y)];
    if (a && b) {
      const both = combine(context, a, b, op);
      const is = [a, b].every((value) => maskOf(context, value) === 'mask') ? 'mask' : 'choice';
      return [asMask(context, op === 'sub' ? inTurn(context, both, `${layerName(context)}_size`, ['abs']) : both, is)];
    }
    const constant = (a ? y : x) as Constant;
    const value = constant.data.length === 1 ? constant.data[0] : undefined;
    if (value !== 0 && value !== 1)
      throw nodeError(context.node, 'joins a mask and a constant; supported: of one boolean');
    const own = (a ?? b)!;
    if (op === 'sub') return [value === 1 ? not(context, own) : own];
    if (value === (op === 'mul' ? 1 : 0)) return [own];
    const all = context.graph.builder.affine({ ...own, exclusive: false }, layerName(context), 0, value);
    return [asMask(context, all, maskOf(context, own))];
  };
}

const where: Operator = (context) => {
  const { graph } = context;
  const [condition, x, y] = [0, 1, 2].map((i) => requireInput(context, i)) as [Rows, Rows | Constant, Rows | Constant];
  const is = maskOf(context, condition);
  const [scores, other] = x.type === 'rows' && x.scores ? [x, y] : [y, x];
  if (is === 'mask' && scores.type === 'rows' && scores.scores && other.type === 'constant') {
    const [low, ...more] = Array.from(other.data);
    if (more.length === 0 && typeof low === 'number' && low <= -1e4)
      return [maskScores(context, scores, asFloats(context, condition), scores === x, low)];
  }
  if (is === undefined) return [whereConstant(context)];
  if (is === 'choice' && !graph.builder.areFinite([x, y].flatMap((value) => (value.type === 'rows' ? [value] : []))))
    throw nodeError(
      context.node,
      'chooses by a comparison of floats between values that may be no numbers (of Exp, Log, Div, Sqrt, Pow); supported: by masks of lengths, ids and whole numbers',
    );
  return [whereMask(context, asFloats(context, condition), x, y)];
};

export const MASK_OPERATORS: Record<string, Operator> = {
  Equal: compared('Equal', equalConstant),
  Less: compared('Less', lessConstant),
  Greater: compared('Greater', greaterConstant),
  LessOrEqual: compared('LessOrEqual'),
  GreaterOrEqual: compared('GreaterOrEqual'),
  Not: notMask,
  And: joined('mul', andConstant),
  Or: joined('max', orConstant),
  Xor: joined('sub', xorConstant),
  Where: where,
};
