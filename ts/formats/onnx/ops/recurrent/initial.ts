import type { ValueRef } from '../../../../spec/spec.ts';
import { nodeError, nodeName } from '../../attributes.ts';
import type { NodeContext } from '../../context.ts';
import { shapeText } from '../../size.ts';
import { axesText, axisSize, isFeature, role, takeColumns, width, type Constant, type Rows } from '../../value.ts';
import type { RecurrentOperator, StateInput } from './cell.ts';

/** Sizes of a node's states. */
export interface StateSizes {
  layout: number;
  directions: number;
  hiddenSize: number;
}

/**
 * The initial states, a list of one a direction for each of the operator's; undefined: zeros, or what the caller has set.
 * Where the graph gives one of an lstm's two, the other is zeros.
 */
export function readInitial(
  context: NodeContext,
  { states }: RecurrentOperator,
  x: Rows,
  sizes: StateSizes,
): ValueRef[][] | undefined {
  const given = states.map((state) => readState(context, state, x, sizes));
  if (given.every((state) => state === undefined)) return undefined;
  return given.map((state, i) => {
    if (state) return state;
    const zeros = constantVector(context, states[i]!, x, new Float32Array(sizes.hiddenSize));
    return Array.from({ length: sizes.directions }, () => zeros);
  });
}

function readState(
  context: NodeContext,
  state: StateInput,
  x: Rows,
  { layout, directions, hiddenSize }: StateSizes,
): ValueRef[] | undefined {
  const { graph, node } = context;
  const initial = context.inputs[state.index];
  const expected = layout === 0 ? `[${directions}, batch, ${hiddenSize}]` : `[batch, ${directions}, ${hiddenSize}]`;
  if (initial === undefined || initial.type === 'zeros') return undefined;
  if (initial.type === 'constant') {
    const values = constantStates(context, state, initial, { layout, directions, hiddenSize });
    return values?.map((v) => constantVector(context, state, x, v));
  }
  if (initial.type !== 'rows' || initial.dtype !== 'float32' || initial.axes.length !== 3)
    throw nodeError(node, `its ${state.name} does not fit; expected ${expected}`);
  const fits = graph.demand(initial, layout === 0 ? ['feature', 'batch', 'feature'] : ['batch', 'feature', 'feature']);
  const [batch, d] = (layout === 0 ? [initial.axes[1], initial.axes[0]] : [initial.axes[0], initial.axes[1]]) as [
    Rows['axes'][number],
    Rows['axes'][number],
  ];
  const hasFeatures = isFeature(d) && isFeature(initial.axes[2]!) && ['batch', 'one'].includes(role(batch));
  if (!fits || !hasFeatures || axisSize(d) !== directions || width(initial) !== directions * hiddenSize) {
    throw nodeError(node, `its ${state.name} is ${axesText(initial.axes)}; expected ${expected}`);
  }
  const vector =
    initial.kind === 'vector'
      ? initial
      : { ...initial, kind: 'vector' as const, columns: graph.builder.steps.step(initial, 0) };
  return Array.from({ length: directions }, (_, i) =>
    graph.builder.ref(takeColumns(vector.columns, i * hiddenSize, hiddenSize), 'vector'),
  );
}

function constantVector({ graph, node }: NodeContext, { name }: StateInput, x: Rows, values: Float32Array): ValueRef {
  return graph.builder.constantVector(x, `${nodeName(node)}_${name}`, values);
}

/** Initial states that are stored in the file, one a direction; undefined: zeros. */
export function constantStates(
  { graph, node }: Pick<NodeContext, 'node' | 'graph'>,
  { name }: StateInput,
  initial: Constant,
  { layout, directions, hiddenSize }: StateSizes,
): Float32Array[] | undefined {
  const data = Array.from(initial.data);
  const batchAxis = layout === 0 ? 1 : 0;
  const wanted = layout === 0 ? [directions, 0, hiddenSize] : [0, directions, hiddenSize];
  const fits =
    initial.shape.length === 3 && initial.shape.every((size, axis) => axis === batchAxis || size === wanted[axis]);
  if (!fits)
    throw nodeError(
      node,
      `its ${name} is a constant ${shapeText(initial.shape)} that does not fit ${directions} direction(s) of ${hiddenSize}`,
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
  graph.place(initial, `${nodeName(node)} ${name}`);
  return Array.from({ length: directions }, (_, d) => {
    const values = Float32Array.from({ length: hiddenSize }, (_v, j) => at(d, 0, j));
    for (let b = 1; b < batch; b++) {
      if (values.some((v, j) => v !== Math.fround(at(d, b, j))))
        throw nodeError(node, `its ${name} is a constant that differs from sequence to sequence`);
    }
    return values;
  });
}
