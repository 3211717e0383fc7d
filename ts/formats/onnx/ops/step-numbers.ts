import { nodeError } from '../attributes.ts';
import type { NodeContext } from '../context.ts';
import { sizeText, TIME, type Size } from '../size.ts';
import type { Constant, Factor, Rows } from '../value.ts';
import { layerName } from './columns.ts';

/** Numbers of steps as values: what a mask is computed of that a graph writes out. */

/** 0, 1, ... of so many steps, or as many numbers from another first one on. */
export function stepNumbers(context: NodeContext, steps: Size, first = 0): Rows {
  const { graph, node } = context;
  const from = graph.builder.steps.numbers(steps);
  if (!from) throw nodeError(node, `counts up to ${sizeText(steps)}, the steps of no value`);
  const where = `${node.op} node '${node.name}'`;
  graph.counted ??= where;
  graph.builder.steps.readsAhead = true;
  const time: Factor = { role: 'time', size: undefined, ...(sizeText(steps) === sizeText(TIME) ? {} : { steps }) };
  const rows: Rows = {
    type: 'rows',
    dtype: 'float32',
    kind: 'sequence',
    axes: [[time]],
    columns: from,
    inputs: [],
    reversed: false,
    exclusive: false,
  };
  const count = () => graph.builder.affine(rows, layerName(context), undefined, first - 1).columns;
  const ref = graph.builder.once(`${sizeText(steps)} steps from ${first}`, count);
  graph.builder.whole.set(ref, 'steps');
  return { ...rows, columns: [{ ref, start: 0, length: 1 }] };
}

/** One number that depends on the steps, beside rows with this batch: a value of the spec for each sequence; undefined for others. */
export function countedSteps(context: NodeContext, constant: Constant, like: Rows): Rows | undefined {
  const { builder } = context.graph;
  const [size] = Array.from(constant.data);
  if (constant.data.length !== 1 || size === undefined || typeof size === 'number') return undefined;
  if (size.b !== 0 || size.t !== 1) return undefined;
  const steps: Size = { ...size, c: 1, k: 0 };
  const numbers = stepNumbers(context, steps);
  const batch = like.axes.map((axis) => axis.filter(({ role }) => role === 'batch'));
  const last: Rows = { ...numbers, kind: 'vector', axes: batch, columns: builder.steps.step(numbers, -1) };
  const { c, k } = size;
  return builder.affine(last, `${layerName(context)}_steps`, c, c + k);
}
