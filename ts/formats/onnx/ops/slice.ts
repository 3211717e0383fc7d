import { nodeError, nodeText } from '../attributes.ts';
import { requireConstant, requireInput, shapeOf } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { addSizes, bakedSize, equalSizes, FREE, multiplySizes, sizeText, TIME, type Size } from '../size.ts';
import { axesText, axisSize, featureSize, role, width, type Constant, type Factor, type Rows } from '../value.ts';
import { causalTable } from './causal.ts';
import { layerName, padAxes } from './columns.ts';
import { embedded } from './gather.ts';
import { lastSteps, numberedSteps } from './numbered.ts';
import { padSteps } from './pad.ts';
import { pickConstant, pickRows, pickStep, stepIndex } from './parts.ts';
import { ranges, type Range } from './ranges.ts';
import { stepNumbers } from './step-numbers.ts';

/** From here on an end is that of any axis: exporters write it for all that there is (tf2onnx 10^9). */
const HUGE = 1e9;

/** The entries that a range takes of an axis of known size. */
function rangeEntries(context: NodeContext, { start, end, step }: Range, size: number): number[] {
  const number = (value: Size) => {
    if (typeof value === 'number') return value;
    throw nodeError(context.node, `a range up to ${sizeText(value)} of an axis of ${size} is not supported`);
  };
  const clamp = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + size : value, low), high);
  const entries: number[] = [];
  const from = step > 0 ? clamp(number(start), 0, size) : clamp(number(start), 0, size - 1);
  const to = step > 0 ? clamp(number(end), 0, size) : clamp(number(end), -1, size - 1);
  context.graph.budget.spend(8 * Math.max(Math.ceil((to - from) / step), 0));
  for (let i = from; step > 0 ? i < to : i > to; i += step) entries.push(i);
  return entries;
}

export const slice: Operator = (context) => {
  const { graph, node } = context;
  let value = requireInput(context, 0);
  const parts = ranges(context, shapeOf(value));
  const causal = value.type === 'constant' ? causalTable(context, value, parts) : undefined;
  if (causal) return [causal];
  for (const range of parts) {
    const { axis, start, end, step } = range;
    const size = shapeOf(value)[axis]!;
    if (typeof end !== 'number' && end.t > 0) graph.counted ??= nodeText(node);
    const isWhole =
      start === 0 && ((typeof end === 'number' && end >= HUGE) || equalSizes(end, size, graph.baked) === true);
    if (isWhole && step === 1) continue;
    if (value.type === 'constant') {
      const positions = rowsUpTo(context, value, range);
      if (positions) {
        value = positions;
        continue;
      }
      const length = value.base[axis] === 1 ? size : value.base[axis];
      if (typeof length !== 'number') throw nodeError(node, `takes a part of an axis of size ${sizeText(size)}`);
      value = pickConstant(
        context,
        value,
        axis,
        value.base[axis] === 1
          ? rangeEntries(context, range, length).map(() => 0)
          : rangeEntries(context, range, length),
      );
      continue;
    }
    graph.preferFeature(value.axes[axis]!);
    const axisRole = role(value.axes[axis]!);
    if (axisRole === 'feature' || axisRole === 'one') {
      value = pickRows(context, value, axis, rangeEntries(context, range, featureSize(value.axes[axis]!)));
      if (width(value) === 0) throw nodeError(node, `leaves nothing of axis ${axis}`);
      continue;
    }
    const steps = axisRole === 'time' ? takeSteps(context, value, range) : undefined;
    if (steps) {
      value = steps;
      continue;
    }
    throw nodeError(
      node,
      `takes ${sizeText(start)} to ${sizeText(end)} by ${step} of the ${axisRole} axis of ${axesText(value.axes)}; supported: features, the first step, the last step, steps but so many first or last ones, each nth step`,
    );
  }
  return [value];
};

/** The first rows of a table, as many as there are steps: what each step has for itself, as embeddings of positions. */
function rowsUpTo(context: NodeContext, table: Constant, { axis, start, end, step }: Range): Rows | undefined {
  const rank = table.base.length;
  const isTable = axis === rank - 2 && table.base.slice(0, axis).every((size) => size === 1);
  if (!isTable || start !== 0 || step !== 1 || typeof end === 'number' || end.b > 0 || end.t === 0) return undefined;
  if (table.base[axis] === 1 || table.dtype !== 'float') return undefined;
  const base = table.base.slice(axis);
  const numbers = padAxes(stepNumbers(context, end), rank - 1);
  return embedded(context, numbers, { ...table, base, shape: base });
}

/** The steps of a range: one, all backwards, or all but the first and the last ones, of those each nth. */
function takeSteps(context: NodeContext, rows: Rows, { axis, start, end, step }: Range): Rows | undefined {
  const { graph } = context;
  const { baked, builder } = graph;
  const steps = axisSize(rows.axes[axis]!);
  const isAll = (typeof end === 'number' && end >= HUGE) || equalSizes(end, steps, baked) === true;
  if (step === -1) {
    const isFromLast = start === -1 || (typeof start === 'number' && start >= HUGE);
    return isFromLast && typeof end === 'number' && end <= -HUGE ? reverse(context, rows) : undefined;
  }
  if (step < 0) return undefined;
  const index = step === 1 ? stepIndex(context, rows.axes[axis]!, start) : undefined;
  if (index === -1 && isAll) return pickStep(context, rows, axis, -1);
  const known = bakedSize(steps, baked);
  if (index === 0 && (end === 1 || (known !== undefined && end === 1 - known))) return pickStep(context, rows, axis, 0);
  // as many steps as the input has, where there may be others
  const beside = (end: Size) => (end === baked.time && !equalSizes(steps, TIME, FREE) ? TIME : end);
  const [from, to] = [typeof start === 'number' && start < 0 ? beside(-start) : start, beside(end)];
  if (typeof start === 'number' && start < 0 && from === -start && isAll && step === 1)
    return lastSteps(context, rows, axis, -start);
  const before = from === TIME ? addSizes(steps, multiplySizes(TIME, -1)!) : start;
  // how many steps lie behind the last one that is taken
  const behind = typeof to === 'number' ? (to < 0 ? -to : undefined) : addSizes(steps, multiplySizes(to, -1)!);
  const after = isAll ? 0 : behind;
  if (typeof before !== 'number' || before < 0 || typeof after !== 'number' || after < 0 || before + after > 2 ** 24)
    return step === 1 && graph.numbersSteps() ? partOfSteps(context, rows, { axis, start, end, step }) : undefined;
  const trimmed = step === 1 && before === 0 ? builder.trimConv(rows, after) : undefined;
  if (trimmed) return trimmed;
  const part = padSteps(context, rows, -before, -after, {});
  if (step === 1) return part;
  return part.reversed
    ? undefined
    : builder.steps.pool(part, layerName(context), { pool: 'max', window: 1, stride: step });
}

/**
 * Any steps of so many as the file fixes, which a run then has to have, or those from one number to another.
 */
function partOfSteps(context: NodeContext, rows: Rows, range: Range): Rows | undefined {
  const { axis, start, end } = range;
  const { baked, builder } = context.graph;
  if (rows.dtype !== 'float32') return undefined;
  const known = bakedSize(axisSize(rows.axes[axis]!), baked);
  if (known === undefined) return numberedSteps(context, rows, axis, start, end);
  const [from, to] = [bakedSize(start, baked)!, bakedSize(end, baked)!];
  const taken = rangeEntries(context, { ...range, start: from, end: to }, known);
  const [first, last] = [taken[0], taken.at(-1)];
  if (first === undefined || last === undefined) throw nodeError(context.node, `leaves nothing of axis ${axis}`);
  return padSteps(context, builder.steps.fixed(builder.steps.straight(rows), known), -first, last + 1 - known, {});
}

function reverse(context: NodeContext, rows: Rows): Rows {
  context.graph.builder.steps.readsAhead = true;
  return { ...rows, reversed: !rows.reversed, exclusive: false };
}

/** Turns whole sequences round: the lengths are all of them. */
export const reverseSequence: Operator = (context) => {
  const { attributes, graph, node } = context;
  const rows = requireInput(context, 0);
  const batchAxis = attributes.int('batch_axis') ?? 1;
  const timeAxis = attributes.int('time_axis') ?? 0;
  if (rows.type !== 'rows') throw nodeError(node, 'is supported for computed values');
  const roles: Factor['role'][] = [];
  roles[timeAxis] = 'time';
  roles[batchAxis] = 'batch';
  graph.demand(
    rows,
    rows.axes.map((_, axis) => roles[axis]),
  );
  const lengths = Array.from(requireConstant(context, 1, 'sequence_lens').data);
  const time = shapeOf(rows)[timeAxis];
  const all = time !== undefined && lengths.every((n) => equalSizes(n, time, graph.baked) === true);
  if (!all || role(rows.axes[timeAxis] ?? []) !== 'time')
    throw nodeError(node, "input 'sequence_lens' is not the number of steps for all sequences");
  return [reverse(context, rows)];
};
