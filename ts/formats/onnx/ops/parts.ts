import { nodeText } from '../attributes.ts';
import { elements } from '../constants.ts';
import type { NodeContext } from '../context.ts';
import { addSizes, equalSizes, type Size } from '../size.ts';
import { axisSize, feature, joinColumns, selectColumns, type Constant, type Factor, type Rows } from '../value.ts';

/** Entries of one axis, in order. */
export function pickConstant(context: NodeContext, input: Constant, axis: number, entries: number[]): Constant {
  if (input.base[axis] === 1 && entries.every((i) => i === 0)) {
    return {
      ...input,
      shape: input.shape.map((size, i) => (i === axis ? entries.length : size)),
      ...(entries.length === 0 ? { base: input.base.map((d, i) => (i === axis ? 0 : d)), data: [] } : {}),
    };
  }
  const inner = elements(input.base.slice(axis + 1));
  const outer = elements(input.base.slice(0, axis));
  const size = input.base[axis]!;
  const count = outer * entries.length * inner;
  context.graph.budget.spend(8 * count);
  const data: Size[] | Float32Array =
    input.data instanceof Float32Array ? new Float32Array(count) : new Array<Size>(count);
  let at = 0;
  // no elements: the other axes may be of any size
  for (let o = 0; o < outer && at < count; o++) {
    for (const entry of entries) {
      for (let i = 0; i < inner; i++) data[at++] = input.data[(o * size + entry) * inner + i]!;
    }
  }
  const replace = <T>(list: readonly T[]) => list.map((d, i) => (i === axis ? entries.length : d));
  return { ...input, base: replace(input.base), shape: replace(input.shape), data };
}

export function pickRows({ graph }: Pick<NodeContext, 'graph'>, rows: Rows, axis: number, entries: number[]): Rows {
  const picks: number[][] = [];
  picks[axis] = entries;
  const columns = selectColumns(
    rows,
    picks,
    rows.axes.map((_, i) => i),
    graph.budget,
  );
  return {
    ...rows,
    axes: rows.axes.map((a, i) => (i === axis ? [feature(entries.length)] : a)),
    columns,
    exclusive: false,
  };
}

/** Rows that have nothing along an axis, one after the other along it. */
export function stackRows({ graph }: Pick<NodeContext, 'graph'>, rows: readonly Rows[], axis: number): Rows {
  const [first] = rows as [Rows];
  const others = first.axes.filter((_, i) => i !== axis);
  const columns = joinColumns(rows.map((row) => row.columns));
  const stacked: Rows = { ...first, axes: [[feature(rows.length)], ...others], columns, exclusive: false };
  return moveFirst({ graph }, stacked, axis);
}

/** The first axis put in the place of another, which so are the columns. */
export function moveFirst({ graph }: Pick<NodeContext, 'graph'>, rows: Rows, axis: number): Rows {
  const order = rows.axes.map((_, i) => (i === axis ? 0 : i < axis ? i + 1 : i));
  return { ...rows, axes: order.map((i) => rows.axes[i]!), columns: selectColumns(rows, [], order, graph.budget) };
}

/** One step of each sequence. */
export function pickStep(context: NodeContext, rows: Rows, axis: number, index: 0 | -1): Rows {
  const { graph } = context;
  const at = rows.reversed ? ((-1 - index) as 0 | -1) : index;
  const columns = graph.builder.steps.step(rows, at);
  return {
    ...rows,
    kind: 'vector',
    axes: rows.axes.map((a, i) => (i === axis ? [] : a)),
    columns,
    reversed: false,
    exclusive: false,
  };
}

/** Which step of an axis an index names: the first, the last, or none that is supported. */
export function stepIndex(context: NodeContext, axis: readonly Factor[], index: Size): 0 | -1 | undefined {
  const { graph, node } = context;
  const { baked } = graph;
  if (index === 0 || index === -1) return index;
  const steps = axisSize(axis);
  if (typeof index !== 'number') graph.counted ??= nodeText(node);
  const next = addSizes(index, 1);
  if (next !== undefined && equalSizes(next, steps, baked)) return -1;
  const from = addSizes(index, steps);
  return from !== undefined && equalSizes(from, 0, baked) ? 0 : undefined;
}
