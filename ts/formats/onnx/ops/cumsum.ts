import { nodeError } from '../attributes.ts';
import { axisIndex, plainIntegers, requireConstant } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { axesText, featureSize, role, width, type Rows } from '../value.ts';
import { floatRows, layerName } from './columns.ts';

/** More features are no sums over steps: the cell has a weight for each two of them. */
const MOST = 1024;

/** Sums of what there is up to each step (h' = h + x, a cell without a function), or up to each feature (a triangle of ones). */
export const cumSum: Operator = (context) => {
  const { attributes, graph, node } = context;
  const rows = floatRows(context, 0);
  const [given = 0] = plainIntegers(context, requireConstant(context, 1, 'the axis'), 'the axis');
  const axis = axisIndex(context, given, rows.axes.length);
  const isExclusive = attributes.int('exclusive') === 1;
  const isReverse = attributes.int('reverse') === 1;
  const size = width(rows);
  if (size > MOST) throw nodeError(node, `sums up ${size} features; supported: up to ${MOST}`);
  if (role(rows.axes[axis]!) === 'time') return [overSteps(context, rows, isExclusive, isReverse)];
  const isRow = featureSize(rows.axes[axis]!) === size && graph.demand(rows, rows.axes.map((_, i) => (i === axis ? 'feature' : undefined))); // prettier-ignore
  if (!isRow)
    throw nodeError(node, `sums along axis ${axis} of ${axesText(rows.axes)}; supported: steps, all features`);
  graph.budget.spend(4 * size * size);
  const kernel = new Float32Array(size * size).map((_, at) => {
    const [to, from] = [Math.floor(at / size), at % size];
    const isIn = isReverse ? from >= to : from <= to;
    return Number(isIn && !(isExclusive && from === to));
  });
  return [graph.builder.dense(rows, layerName(context), { inputSize: size, outputSize: size, weights: { kernel } }, rows.axes)]; // prettier-ignore
};

function overSteps(context: NodeContext, rows: Rows, isExclusive: boolean, isReverse: boolean): Rows {
  const { steps } = context.graph.builder;
  const isBackwards = isReverse !== rows.reversed;
  const name = layerName(context);
  const sums = steps.sums(rows, isExclusive ? `${name}_all` : name, isBackwards);
  if (!isExclusive) return sums;
  return steps.pad(sums, name, isBackwards ? { before: -1, after: 1 } : { before: 1, after: -1 });
}
