import { nodeError } from '../attributes.ts';
import { requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { Constant, Factor, Rows } from '../value.ts';
import { layerName } from './columns.ts';
import { combine } from './combine.ts';
import { equalConstant, greaterConstant, lessConstant, notConstant, whereConstant } from './constant.ts';
import { wholeOf } from './step-numbers.ts';

/** Masks that a graph computes of lengths: the number of each step below that of the sequence; and what they choose. */

/** Rows of zeros and ones, and known to be. */
function asMask({ graph }: NodeContext, rows: Rows): Rows {
  graph.builder.whole.set(rows.columns[0]!.ref, 'mask');
  return rows;
}

/** Whether the number of each step is below those of the sequences, as 0 or 1: min(max(n - t, 0), 1) of whole numbers. */
export function stepsBelow(context: NodeContext, steps: Rows, lengths: Rows, orEqual: boolean): Rows {
  const { builder } = context.graph;
  const numbers = lengths.dtype === 'int32' ? builder.floatsOf(lengths) : undefined;
  if (!numbers || lengths.kind !== 'vector')
    throw nodeError(context.node, 'compares the numbers of steps with something else than whole numbers of an input');
  const name = layerName(context);
  const rank = Math.max(steps.axes.length, numbers.axes.length);
  const padded = [steps, numbers].map(({ axes }) => [...Array<Factor[]>(rank - axes.length).fill([]), ...axes]);
  const axes = padded[0]!.map((axis, i) => [...axis, ...padded[1]![i]!]);
  if (axes.some((axis) => axis.length > 1)) throw nodeError(context.node, 'compares numbers along one axis');
  const left = builder.merge([numbers, steps], `${name}_left`, 'sub');
  const from = orEqual ? builder.affine(left, `${name}_next`, undefined, 1) : left;
  const result = builder.activation({ ...from, axes }, name, { name: 'clip', alpha: 0, beta: 1 });
  return asMask(context, { ...result, inputs: lengths.inputs });
}

const MOST = 3.4028234663852886e38;

/** mask x + (1 - mask) y, where one of the two is a number. */
export function whereMask(context: NodeContext, mask: Rows, x: Rows | Constant, y: Rows | Constant): Rows {
  const { builder } = context.graph;
  const [value, other] = x.type === 'rows' ? [x, y] : [y, x];
  const number = other.type === 'constant' && other.data.length === 1 ? other.data[0] : undefined;
  if (value.type !== 'rows' || typeof number !== 'number')
    throw nodeError(context.node, 'chooses by a mask between two values; supported: a value and a number');
  const name = layerName(context);
  const one = (rows: Rows, scale: number, shift: number, what: string) =>
    builder.affine({ ...rows, exclusive: false }, `${name}_${what}`, scale, shift);
  const isFirst = x.type === 'rows';
  const kept = combine(context, value, isFirst ? mask : one(mask, -1, 1, 'kept'), 'mul');
  if (number === 0) return kept;
  const least = Math.max(Math.min(number, MOST), -MOST);
  const filled = isFirst ? one(mask, -least, least, 'filled') : one(mask, least, 0, 'filled');
  return combine(context, kept, filled, 'sum');
}

/** Where x is a number, as 0 or 1: 1 - sign(|x - c|). */
const equal: Operator = (context) => {
  const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
  if (x.type === 'constant' && y.type === 'constant') return equalConstant(context);
  const [rows, other] = x.type === 'rows' ? [x, y] : [y, x];
  const value = other.type === 'constant' && other.data.length === 1 ? other.data[0] : undefined;
  if (rows.type !== 'rows' || typeof value !== 'number')
    throw nodeError(context.node, 'compares computed values; supported: with one number');
  const { builder } = context.graph;
  const name = layerName(context);
  let result: Rows;
  if (rows.dtype === 'int32') result = builder.isId(rows, name, value);
  else {
    const away = builder.affine({ ...rows, exclusive: false }, `${name}_from`, undefined, -value);
    const distance = builder.activation({ ...away, exclusive: false }, `${name}_distance`, 'abs');
    const differs = builder.activation(distance, `${name}_differs`, 'sign');
    result = builder.affine(differs, name, -1, 1);
  }
  return [asMask(context, result)];
};

/** Whether some are counted. */
function isAny(context: NodeContext, count: Rows): Rows {
  const { builder } = context.graph;
  const result = builder.activation({ ...count, exclusive: false }, layerName(context), 'sign');
  return asMask(context, result);
}

/** Less, Greater and the others of the numbers of steps with lengths; of constants as `constants` has it. */
function compared(constants: Operator | undefined, isLess: boolean, orEqual: boolean): Operator {
  return (context) => {
    const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
    if (constants && x.type === 'constant' && y.type === 'constant') return constants(context);
    const [small, large] = isLess ? [x, y] : [y, x];
    const isZero = small.type === 'constant' && small.data.length === 1 && small.data[0] === 0;
    if (isZero && !orEqual && large.type === 'rows' && wholeOf(context, large) === 'count')
      return [isAny(context, large)];
    if (small.type === 'rows' && large.type === 'rows') {
      if (wholeOf(context, small) === 'steps') return [stepsBelow(context, small, large, orEqual)];
      // t >= n is not t < n
      if (wholeOf(context, large) === 'steps') return [notMask(context, stepsBelow(context, large, small, !orEqual))];
    }
    throw nodeError(context.node, 'compares computed values; supported: the numbers of steps (Range) with lengths');
  };
}

function notMask(context: NodeContext, mask: Rows): Rows {
  const { builder } = context.graph;
  const result = builder.affine(mask, `${layerName(context)}_not`, -1, 1);
  return asMask(context, result);
}

const not: Operator = (context) => {
  const x = requireInput(context, 0);
  if (x.type === 'constant') return notConstant(context);
  if (wholeOf(context, x) === 'mask') return [notMask(context, x)];
  throw nodeError(context.node, 'is supported for constants and masks of steps');
};

const where: Operator = (context) => {
  const [condition, x, y] = [0, 1, 2].map((i) => requireInput(context, i)) as [Rows, Rows | Constant, Rows | Constant];
  return [wholeOf(context, condition) === 'mask' ? whereMask(context, condition, x, y) : whereConstant(context)];
};

export const MASK_OPERATORS: Record<string, Operator> = {
  Equal: equal,
  Less: compared(lessConstant, true, false),
  Greater: compared(greaterConstant, false, false),
  LessOrEqual: compared(undefined, true, true),
  GreaterOrEqual: compared(undefined, false, true),
  Not: not,
  Where: where,
};
