import { nodeError } from '../attributes.ts';
import { castTo, integers, plainIntegers, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { regroup } from '../regroup.ts';
import { equalSizes, FREE, shapeText, TIME, type Size } from '../size.ts';
import { dtypeClass } from '../tensor.ts';
import { axisSize, role, type Causal, type Constant, type Rows, type Scores, type Value } from '../value.ts';
import { forAllHeads, forgetLater, maskScores } from './attention.ts';
import { partOfShape } from './constant.ts';
import { ranges, type Range } from './ranges.ts';
import { asFloats, maskOf, wholeOf } from './whole.ts';

/** Masks of steps by steps by which each step has a part in itself and in later ones: of causal attention. */

/** Of a constant that is one number for all steps by as many steps. */
export const trilu: Operator = (context) => {
  const { attributes, inputs, node } = context;
  const constant = requireConstant(context, 0, 'its input');
  const isUpper = (attributes.int('upper') ?? 1) !== 0;
  const [diagonal = 0] = inputs[1] ? plainIntegers(context, inputs[1], 'k') : [];
  const { data, shape } = constant;
  const [rows, columns] = shape.slice(-2);
  const isSquare = rows !== undefined && columns !== undefined && equalSizes(rows, columns, FREE) === true;
  const isAll =
    Array.prototype.every.call(data, (value) => value === data[0]) && shape.slice(0, -2).every((size) => size === 1);
  if (!isSquare || !isAll || typeof data[0] !== 'number' || diagonal !== (isUpper ? 1 : 0))
    throw nodeError(
      node,
      `takes a part of ${shapeText(shape)}; supported: of one number for steps by steps, up to the own step, or the later ones`,
    );
  const [within, later] = isUpper ? [0, data[0]] : [data[0], 0];
  return [{ type: 'causal', within, later, shape }];
};

/** The numbers of the steps, a row of them beside a column, compared; undefined for other values. */
export function causalOf(context: NodeContext, x: Rows, y: Rows): Causal | undefined {
  const { node } = context;
  const [last, before] = [x.axes.length - 1, x.axes.length - 2];
  const isOf = (rows: Rows, at: number) => rows.axes.every((axis, i) => role(axis) === (i === at ? 'time' : 'one'));
  const areSteps = [x, y].every((rows) => wholeOf(context, rows) === 'steps' && rows.axes.length === last + 1);
  if (!areSteps || before < 0 || x.columns[0]!.ref !== y.columns[0]!.ref) return undefined;
  const isRow = isOf(x, last) && isOf(y, before);
  if (!isRow && !(isOf(x, before) && isOf(y, last))) return undefined;
  // key > query, or query < key
  const isLater = node.op === (isRow ? 'Greater' : 'Less');
  const isWithin = node.op === (isRow ? 'LessOrEqual' : 'GreaterOrEqual');
  if (!isLater && !isWithin) return undefined;
  const { axes } = isRow ? x : y;
  const steps = sizeOfSteps(axes[last]!);
  return {
    type: 'causal',
    within: Number(isWithin),
    later: Number(isLater),
    shape: axes.map((_, i) => (i < before ? 1 : steps)),
  };
}

function sizeOfSteps(axis: Rows['axes'][number]): Size {
  const time = axis.find(({ role: r }) => r === 'time');
  return time?.steps ?? TIME;
}

/** Tables of fewer steps are no masks of all steps. */
const LEAST = 3;

/** A table that holds such a mask, of which as many steps are taken as there are; undefined for any other part of a constant. */
export function causalTable(
  context: NodeContext,
  { data, base, shape }: Constant,
  parts: readonly Range[],
): Causal | undefined {
  const [rows = 0, columns = 0] = base.slice(-2);
  const isCut = parts.some(({ end }) => typeof end !== 'number' && end.t > 0);
  if (!isCut || rows !== columns || rows < LEAST || data.length !== rows * columns) return undefined;
  const [within, later] = [data[0], data[1]];
  if (typeof within !== 'number' || typeof later !== 'number' || within === later) return undefined;
  context.graph.budget.spend(data.length);
  for (let i = 0; i < data.length; i++)
    if (data[i] !== (i % columns > Math.floor(i / columns) ? later : within)) return undefined;
  return cut(context, { type: 'causal', within, later, shape }, parts);
}

/** Both of the last axes from the first step on. */
function cut(context: NodeContext, mask: Causal, parts: readonly Range[]): Causal {
  const { baked } = context.graph;
  const shape = [...mask.shape];
  for (const { axis, start, end, step } of parts) {
    const size = shape[axis]!;
    const isAll = typeof end === 'number' ? end >= 2 ** 30 : equalSizes(end, size, baked) === true;
    const isSteps = axis >= shape.length - 2 && typeof end !== 'number' && end.t > 0 && !mask.hidden;
    if (start !== 0 || step !== 1 || (!isAll && !isSteps)) throw unread(context);
    if (!isAll) shape[axis] = end;
  }
  return { ...mask, shape };
}

function unread({ node }: NodeContext) {
  return nodeError(node, 'reads a mask of steps by steps; supported: of scores of attention, before their softmax');
}

/** Reads a node that reads such a mask; undefined for any other. */
export function readCausal(context: NodeContext): (Value | undefined)[] | undefined {
  const { attributes, graph, inputs, node } = context;
  const at = inputs.findIndex((value) => value?.type === 'causal');
  const mask = inputs[at];
  if (mask?.type !== 'causal') return undefined;
  const made = (apply: (value: number) => number): Value[] => [
    { ...mask, within: apply(mask.within), later: apply(mask.later) },
  ];
  const numbers = inputs.map((value) => (value?.type === 'constant' ? oneNumber(value) : undefined));
  const [number] = numbers.filter((value) => value !== undefined);
  const other = inputs[1 - at];
  switch (node.op) {
    case 'Cast':
      return made(dtypeClass(castTo(context)) === 'bool' ? (value) => Number(value !== 0) : (value) => value);
    case 'Identity':
      return [mask];
    case 'Shape':
      return [partOfShape(context, mask.shape)];
    case 'Slice':
      if (at === 0) return [cut(context, mask, ranges(context, mask.shape))];
      break;
    case 'Unsqueeze':
    case 'Expand':
    case 'Reshape':
      attributes.int('allowzero');
      if (at === 0) return [laidOut(context, mask)];
      break;
    case 'Not':
      return made((value) => Number(value === 0));
    case 'Equal':
      if (number !== undefined) return made((value) => Number(value === number));
      break;
    case 'Mul':
      if (number !== undefined) return made((value) => (value === 0 ? 0 : value * number));
      break;
    case 'Sub':
      if (number !== undefined && at === 1) return made((value) => number - value);
      break;
    case 'Or':
      if (mask.within === 0 && isMask(context, other)) return [alsoHidden(context, mask, other, true)];
      break;
    case 'And':
      if (mask.later === 0 && isMask(context, other)) return [alsoHidden(context, mask, other, false)];
      break;
    case 'Where': {
      const [, yes, no] = numbers;
      if (at !== 0) break;
      if (yes !== undefined && no !== undefined) return made((value) => (value !== 0 ? yes : no));
      const scores = inputs[yes === undefined ? 1 : 2];
      const low = yes ?? no;
      const isLater = (mask.later !== 0) === (yes !== undefined) && (mask.within !== 0) === (yes === undefined);
      if (isLater && low !== undefined && isScores(scores)) return [forget(context, scores, mask, low, low)];
      break;
    }
    case 'Add': {
      if (mask.within !== 0) break;
      // sums of numbers that are not infinite are lower where both masks are
      const low = mask.later === -Infinity ? mask.later : NaN;
      if (isScores(other)) return [forget(context, other, mask, mask.later, low)];
      if (other?.type !== 'rows') break;
      const pair = graph.builder.pairOf(forAllHeads(other));
      const isHidden = pair?.zero === 0;
      const penalty = isHidden ? pair.one : pair?.one === 0 ? pair.zero : undefined;
      if (pair && penalty !== undefined && penalty <= LOWEST && low === -Infinity)
        return [alsoHidden(context, mask, { ...other, columns: pair.columns }, isHidden)];
    }
  }
  throw unread(context);
}

/** The least float32: what an infinite one is where a mask is computed. */
const LOWEST = -3.4028234663852886e38;

/** Scores without later steps, nor those that are hidden. */
function forget(context: NodeContext, scores: Rows, mask: Causal, low: number, filled: number): Rows {
  const result = forgetLater(context, scores, mask, low, filled);
  return mask.hidden ? maskScores(context, result, ofAllHeads(mask.hidden), false, filled) : result;
}

/** One number a step, whatever heads it is repeated for. */
function ofAllHeads(mask: Rows): Rows {
  const { columns } = forAllHeads(mask);
  return { ...mask, columns, axes: mask.axes.map((axis) => axis.filter(({ role: r }) => r !== 'feature')) };
}

/** With keys, where this mask is one (or, not `isHidden`, zero), that no step has a part in. */
function alsoHidden(context: NodeContext, mask: Causal, given: Rows, isHidden: boolean): Causal {
  const rank = Math.max(mask.shape.length, given.axes.length);
  const pad = <T>(list: readonly T[], one: T) => [...Array<T>(rank - list.length).fill(one), ...list];
  const axes = pad(given.axes, []);
  const [asking, asked] = axes.slice(-2);
  const [column, ...columns] = forAllHeads(given).columns;
  const isOne = column?.length === 1 && columns.length === 0;
  const fits = isOne && asking && role(asking) === 'one' && role(asked!) === 'time' && given.kind === 'sequence';
  if (mask.hidden || !fits) throw unread(context);
  const { builder } = context.graph;
  const name = `${context.node.name || context.node.outputs[0]!}_hidden`;
  const rows = asFloats(context, ofAllHeads({ ...given, axes }));
  const hidden = isHidden ? rows : builder.affine({ ...rows, exclusive: false }, name, -1, 1);
  const lead = axes.slice(0, -2);
  const shape = pad<Size>(mask.shape, 1).map((size, i) =>
    lead[i] && role(lead[i]) !== 'one' ? axisSize(lead[i]) : size,
  );
  return { ...mask, shape, hidden: { ...hidden, axes } };
}

/** Other axes in front of the two of steps. */
function laidOut(context: NodeContext, mask: Causal): Causal {
  const { attributes, graph, inputs, node, opset } = context;
  const { hidden } = mask;
  const steps = mask.shape.slice(-2) as [Size, Size];
  const isStep = (size: Size, i: number) => equalSizes(size, steps[i]!, graph.baked) === true;
  if (node.op === 'Unsqueeze') {
    const given = opset < 13 ? attributes.ints('axes') : inputs[1] && plainIntegers(context, inputs[1], 'axes');
    const rank = mask.shape.length + (given?.length ?? 0);
    const isInFront = given?.every(
      (axis) => (axis < 0 ? axis + rank : axis) < rank - 2 && (axis < 0 ? axis + rank : axis) >= 0,
    );
    if (!given || !isInFront || new Set(given).size !== given.length || given.some((axis) => axis < 0))
      throw unread(context);
    const insert = <T>(list: readonly T[], one: T) => {
      const rest = [...list];
      return Array.from({ length: rank }, (_, axis) => (given.includes(axis) ? one : (rest.shift() as T)));
    };
    return {
      ...mask,
      shape: insert<Size>(mask.shape, 1),
      ...(hidden && { hidden: { ...hidden, axes: insert<Rows['axes'][number]>(hidden.axes, []) } }),
    };
  }
  const target = integers(context, requireInput(context, 1), 'the shape');
  const [asking = 0, asked = 0] = target.slice(-2);
  if (node.op === 'Expand') {
    const fits = [asking, asked].every((size, i) => size === 1 || isStep(size, i));
    if (!fits || hidden || target.length < mask.shape.length) throw unread(context);
    return { ...mask, shape: [...target.slice(0, -2), ...steps] };
  }
  const lead = target.slice(0, -2);
  const fits =
    (asking === -1 || isStep(asking, 0)) && isStep(asked, 1) && !lead.some((size) => size === -1 || size === 0);
  const isOne = mask.shape.slice(0, -2).every((size) => size === 1) && lead.every((size) => size === 1);
  const axes = hidden && regroup(hidden.axes, [...lead, 1, asked], graph.baked);
  if (!fits || (hidden ? !axes : !isOne)) throw unread(context);
  return { ...mask, shape: [...lead, ...steps], ...(hidden && axes && { hidden: { ...hidden, axes } }) };
}

function isMask(context: NodeContext, value: Value | undefined): value is Rows {
  return value?.type === 'rows' && !value.scores && maskOf(context, forAllHeads(value)) === 'mask';
}

function isScores(value: Value | undefined): value is Rows & { scores: Scores } {
  return value?.type === 'rows' && value.scores !== undefined;
}

function oneNumber({ data }: Constant): number | undefined {
  return data.length === 1 && typeof data[0] === 'number' ? data[0] : undefined;
}
