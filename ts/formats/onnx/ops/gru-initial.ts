import type { ValueRef } from '../../../spec/spec.ts';
import { nodeError, nodeName } from '../attributes.ts';
import type { NodeContext } from '../context.ts';
import { shapeText } from '../size.ts';
import { axesText, axisSize, isFeature, role, takeColumns, width, type Constant, type Rows } from '../value.ts';

/** The initial states, one a direction; undefined: zeros, or what the caller has set. */
export function readInitial(
  context: NodeContext,
  x: Rows,
  layout: number,
  count: number,
  hiddenSize: number,
): ValueRef[] | undefined {
  const { graph, node } = context;
  const initial = context.inputs[5];
  const expected = layout === 0 ? `[${count}, batch, ${hiddenSize}]` : `[batch, ${count}, ${hiddenSize}]`;
  if (initial === undefined || initial.type === 'zeros') return undefined;
  if (initial.type === 'constant') return constantInitial(context, initial, x, layout, count, hiddenSize);
  if (initial.type !== 'rows' || initial.dtype !== 'float32' || initial.axes.length !== 3)
    throw nodeError(node, `its initial_h does not fit; expected ${expected}`);
  const fits = graph.demand(initial, layout === 0 ? ['feature', 'batch', 'feature'] : ['batch', 'feature', 'feature']);
  const [batch, d] = (layout === 0 ? [initial.axes[1], initial.axes[0]] : [initial.axes[0], initial.axes[1]]) as [
    Rows['axes'][number],
    Rows['axes'][number],
  ];
  const hasFeatures = isFeature(d) && isFeature(initial.axes[2]!) && ['batch', 'one'].includes(role(batch));
  if (!fits || !hasFeatures || axisSize(d) !== count || width(initial) !== count * hiddenSize) {
    throw nodeError(node, `its initial_h is ${axesText(initial.axes)}; expected ${expected}`);
  }
  const vector =
    initial.kind === 'vector'
      ? initial
      : { ...initial, kind: 'vector' as const, columns: graph.builder.step(initial, 0) };
  return Array.from({ length: count }, (_, i) =>
    graph.builder.ref(takeColumns(vector.columns, i * hiddenSize, hiddenSize), 'vector'),
  );
}

function constantInitial(
  context: NodeContext,
  initial: Constant,
  x: Rows,
  layout: number,
  count: number,
  hiddenSize: number,
): ValueRef[] | undefined {
  const states = constantStates(context, initial, layout, count, hiddenSize);
  return states?.map((values) => context.graph.builder.constantVector(x, `${nodeName(context.node)}_initial`, values));
}

/** Initial states that are stored in the file, one a direction; undefined: zeros. */
export function constantStates(
  context: Pick<NodeContext, 'node' | 'graph'>,
  initial: Constant,
  layout: number,
  count: number,
  hiddenSize: number,
): Float32Array[] | undefined {
  const { graph, node } = context;
  const data = Array.from(initial.data);
  const batchAxis = layout === 0 ? 1 : 0;
  const wanted = layout === 0 ? [count, 0, hiddenSize] : [0, count, hiddenSize];
  const fits =
    initial.shape.length === 3 && initial.shape.every((size, axis) => axis === batchAxis || size === wanted[axis]);
  if (!fits)
    throw nodeError(
      node,
      `its initial_h is a constant ${shapeText(initial.shape)} that does not fit ${count} direction(s) of ${hiddenSize}`,
      'invalid_file',
    );
  if (data.every((v) => v === 0)) return undefined;
  const batch = initial.base[batchAxis]!;
  const at = (d: number, b: number, j: number) => {
    const index = (size: number, i: number) => (size === 1 ? 0 : i);
    const [s0, s1, s2] = initial.base as [number, number, number];
    const [i0, i1] = layout === 0 ? [index(s0, d), index(s1, b)] : [index(s0, b), index(s1, d)];
    return data[(i0 * s1 + i1) * s2 + index(s2, j)] as number;
  };
  graph.place(initial, `${nodeName(node)} initial state`);
  return Array.from({ length: count }, (_, d) => {
    const values = Float32Array.from({ length: hiddenSize }, (_v, j) => at(d, 0, j));
    for (let b = 1; b < batch; b++) {
      if (values.some((v, j) => v !== Math.fround(at(d, b, j))))
        throw nodeError(node, 'its initial_h is a constant that differs from sequence to sequence');
    }
    return values;
  });
}
