import type { ReduceSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { Size } from '../size.ts';
import { axesText, bakedFactor, feature, width, type Factor, type Rows } from '../value.ts';

/** Operators over the steps of computed values. */

/** Makes one row of all steps: those past a sequence's length, where there are lengths, would count in the graph. */
export function reduceSteps(
  context: NodeContext,
  rows: Rows,
  axis: number,
  op: ReduceSpec['reduce'],
  keep: boolean,
): Rows {
  const { graph, node } = context;
  graph.fromEnd ??= `${node.op} node '${node.name}'`;
  const columns = graph.builder.reduce(rows, node.name || (node.outputs[0] ?? ''), op);
  const axes = rows.axes.flatMap((factors, i) => (i === axis ? (keep ? [[]] : []) : [factors]));
  return { ...rows, kind: 'vector', axes, columns, reversed: false, exclusive: false };
}

/** Reductions that steps go through. */
export const OVER_TIME: Readonly<Record<string, ReduceSpec['reduce']>> = {
  ReduceSum: 'sum',
  ReduceMax: 'max',
  ReduceMin: 'min',
  ReduceMean: 'mean',
  ReduceL2: 'l2',
};

/** GlobalAveragePool, GlobalMaxPool: (batch, features, steps). */
function globalPool(op: ReduceSpec['reduce']): Operator {
  return (context) => {
    const rows = requireInput(context, 0);
    const roles: Factor['role'][] = ['batch', 'feature', 'time'];
    if (rows.type !== 'rows' || rows.axes.length !== 3 || !context.graph.demand(rows, roles)) {
      const text = rows.type === 'rows' ? axesText(rows.axes) : 'a constant';
      throw nodeError(context.node, `pools ${text}; supported: (batch, features, steps)`);
    }
    return [reduceSteps(context, rows, 2, op, true)];
  };
}

export const POOL_OPERATORS: Record<string, Operator> = {
  GlobalAveragePool: globalPool('mean'),
  GlobalMaxPool: globalPool('max'),
};

/** An axis on which all steps, and behind them all features, lie side by side: as features, where the file fixes the steps. */
export function flattenSteps({ graph, node }: NodeContext, rows: Rows): Rows {
  const axis = rows.axes.findIndex((factors) => factors.length > 1 && factors.some(({ role: r }) => r === 'time'));
  const factors = rows.axes[axis] ?? [];
  const steps = factors[0]?.role === 'time' ? bakedFactor(factors[0], graph.baked) : undefined;
  const features = rows.axes.flat().filter(({ role: r, size }) => r === 'feature' && size !== 1);
  const rest = factors.slice(1);
  if (rows.kind !== 'sequence' || rows.reversed || rows.dtype !== 'float32') return rows;
  if (steps === undefined || steps === 1 || !features.every((factor) => rest.includes(factor))) return rows;
  if (features.length === 0 || rest.some(({ role: r }) => r !== 'feature')) return rows;
  graph.fromEnd ??= `${node.op} node '${node.name}'`;
  const columns = graph.builder.flatten(rows, steps);
  const axes = rows.axes.map((a, i) => (i === axis ? [feature(steps * width(rows))] : a));
  return { ...rows, kind: 'vector', axes, columns, exclusive: false };
}

/**
 * A vector at each step, where an axis of size 1 becomes as long as there are steps: those of the graph's inputs, which have to lie on
 * one axis then.
 */
export function repeatSteps(
  { graph, node }: NodeContext,
  rows: Rows,
  before: readonly Size[],
  after: readonly Size[],
): Rows | undefined {
  const isSteps = (size: Size) =>
    typeof size === 'number'
      ? size > 1 && size === graph.baked.time
      : size.c === 1 && size.t === 1 && size.b === 0 && size.k === 0;
  const [axis, ...others] = after.flatMap((size, i) => (before[i] === 1 && size !== 1 ? [i] : []));
  const like = graph.builder.inputs.find(({ kind }) => kind === 'sequence');
  if (axis === undefined || others.length > 0 || !isSteps(after[axis]!)) return undefined;
  if (rows.kind !== 'vector' || rows.dtype !== 'float32' || !like) return undefined;
  graph.counted ??= `${node.op} node '${node.name}'`;
  const columns = graph.builder.repeat(rows, like.name);
  const steps: Factor = { role: 'time', size: graph.baked.time };
  return {
    ...rows,
    kind: 'sequence',
    axes: rows.axes.map((a, i) => (i === axis ? [steps] : a)),
    columns,
    exclusive: false,
  };
}
