import type { Activation, ActivationName, GruSpec, ValueRef } from '../../../spec/spec.ts';
import { foldBiases, recurrentWeights, type DirectionWeights } from '../../layouts/canonical.ts';
import { nodeError, nodeName } from '../attributes.ts';
import { sameActivation } from '../builder.ts';
import { floatsOf, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { bakedSize, equalSizes, shapeText, sizeText } from '../size.ts';
import {
  axesText,
  axisSize,
  feature,
  isFeature,
  joinColumns,
  takeColumns,
  width,
  type Constant,
  type Rows,
  type Segment,
} from '../value.ts';
import { readInitial } from './gru-initial.ts';
import { readActivations, type DirectionActivations } from './gru-activations.ts';

/** One direction of a GRU node. */
interface Direction extends DirectionActivations {
  weights: DirectionWeights;
  /** In which order it takes the steps of the sequences as they are given. */
  time: 'forward' | 'reverse';
  initial: ValueRef | undefined;
}

/**
 * The GRU operator (opset 7, 14, 22). Gates z, r, h in rows, h' = (1 - z) n + z h: the canonical form, so the weights are
 * taken as they are. linear_before_reset is `resetAfter`.
 */
export const gru: Operator = (context) => {
  const { attributes, graph, node, opset } = context;
  const layout = attributes.int('layout') ?? 0;
  if (layout !== 0 && (layout !== 1 || opset < 14))
    throw nodeError(node, `attribute 'layout' ${layout} is not supported in opset ${opset}`);
  const directionName = attributes.text('direction') ?? 'forward';
  if (!['forward', 'reverse', 'bidirectional'].includes(directionName)) {
    throw nodeError(
      node,
      `attribute 'direction' is '${directionName}'; expected forward, reverse or bidirectional`,
      'invalid_file',
    );
  }
  const times =
    directionName === 'bidirectional'
      ? (['forward', 'reverse'] as const)
      : ([directionName as 'forward' | 'reverse'] as const);
  const resetAfter = attributes.int('linear_before_reset') ?? 0;
  if (resetAfter !== 0 && resetAfter !== 1)
    throw nodeError(node, `attribute 'linear_before_reset' is ${resetAfter}; expected 0 or 1`, 'invalid_file');
  const clip = attributes.float('clip');
  if (clip !== undefined && !(clip > 0 && Number.isFinite(clip)))
    throw nodeError(node, `attribute 'clip' is ${clip}; expected a number above 0`);
  const activations = readActivations(context, times.length);
  const { inputSize, hiddenSize, weights } = readWeights(context, times.length, resetAfter === 1);

  const x = readX(context, layout, inputSize);
  readLengths(context, x, layout);
  const initial = readInitial(context, x, layout, times.length, hiddenSize);
  const directions = times.map<Direction>((time, d) => ({
    ...activations[d]!,
    weights: weights[d]!,
    time: x.reversed === (time === 'forward') ? 'reverse' : 'forward',
    initial: initial?.[d],
  }));

  const common = { inputSize, hiddenSize, resetAfter: resetAfter === 1, ...(clip === undefined ? {} : { clip }) };
  const { sequence, states } = addLayers(context, x, common, directions);
  graph.conventions.add(
    `GRU '${nodeName(node)}': direction ${directionName}, linear_before_reset ${resetAfter} (resetAfter: ${String(resetAfter === 1)}), layout ${layout}`,
  );
  const [time, batch] = (layout === 0 ? [x.axes[0], x.axes[1]] : [x.axes[1], x.axes[0]]) as [
    Rows['axes'][number],
    Rows['axes'][number],
  ];
  const [d, h] = [[feature(times.length)], [feature(hiddenSize)]];
  const inputs = [...new Set([...x.inputs, ...(context.inputs[5]?.type === 'rows' ? context.inputs[5].inputs : [])])];
  const y: Rows = {
    ...x,
    inputs,
    axes: layout === 0 ? [time, d, batch, h] : [batch, time, d, h],
    columns: sequence,
    exclusive: false,
  };
  const final: Rows = {
    ...y,
    kind: 'vector',
    reversed: false,
    axes: layout === 0 ? [d, batch, h] : [batch, d, h],
    columns: states,
  };
  return [y, final];
};

function readX(context: NodeContext, layout: number, inputSize: number): Rows {
  const { graph, node } = context;
  const x = requireInput(context, 0);
  const roles = layout === 0 ? (['time', 'batch', 'feature'] as const) : (['batch', 'time', 'feature'] as const);
  const expected = `expected [${layout === 0 ? 'time, batch' : 'batch, time'}, ${inputSize}]`;
  if (x.type !== 'rows') throw nodeError(node, `its input X is a constant; ${expected}`);
  if (x.dtype !== 'float32')
    throw nodeError(node, `its input X holds whole numbers; ${expected} of floats`, 'invalid_file');
  if (x.axes.length !== 3 || !graph.demand(x, [...roles]))
    throw nodeError(node, `its input X is ${axesText(x.axes)}; ${expected}`);
  if (!isFeature(x.axes[2]!) || width(x) !== inputSize)
    throw nodeError(node, `its input X is ${axesText(x.axes)}; ${expected}`);
  if (!graph.demandSequence(x))
    throw nodeError(node, `its input X ${axesText(x.axes)} is one row a sequence, not one a step; ${expected}`);
  return x;
}

function weightTensor(
  context: NodeContext,
  index: number,
  name: string,
  shape: (number | undefined)[],
): { constant: Constant; shape: number[]; data: Float32Array } {
  const { node, inputs } = context;
  const value = inputs[index];
  if (value?.type !== 'constant') {
    const source = node.inputs[index] ?? '';
    if (!source) throw nodeError(node, `input ${name} is missing`, 'invalid_file');
    throw nodeError(
      node,
      `its ${name} ('${source}') is not stored in the file. If it is an input of the graph, give its values when you load the ` +
        `model: { onnx: { initializers: { '${source}': { data, shape } } } }`,
    );
  }
  const read = floatsOf(context, value, name);
  if (read.shape.length !== shape.length || shape.some((size, i) => size !== undefined && size !== read.shape[i])) {
    const expected = shape.map((size) => size ?? 'n').join(', ');
    throw nodeError(node, `its ${name} has shape [${read.shape.join(', ')}]; expected [${expected}]`, 'invalid_file');
  }
  return { constant: value, ...read };
}

function readWeights(
  context: NodeContext,
  count: number,
  resetAfter: boolean,
): { inputSize: number; hiddenSize: number; weights: DirectionWeights[] } {
  const { attributes, inputs, node } = context;
  const r = weightTensor(context, 2, 'R', [count, undefined, undefined]);
  const hiddenSize = r.shape[2]!;
  const given = attributes.int('hidden_size');
  if (given !== undefined && given !== hiddenSize) {
    throw nodeError(
      node,
      `attribute 'hidden_size' is ${given}, but R has shape [${r.shape.join(', ')}]`,
      'invalid_file',
    );
  }
  if (r.shape[1] !== 3 * hiddenSize)
    throw nodeError(node, `its R has shape [${r.shape.join(', ')}]; expected [${count}, 3 n, n]`, 'invalid_file');
  const w = weightTensor(context, 1, 'W', [count, 3 * hiddenSize, undefined]);
  const inputSize = w.shape[2]!;
  if (inputSize < 1 || hiddenSize < 1) throw nodeError(node, `its W has shape [${w.shape.join(', ')}]`, 'invalid_file');
  const b =
    inputs[3] || (node.inputs[3] ?? '') !== '' ? weightTensor(context, 3, 'B', [count, 6 * hiddenSize]) : undefined;
  const part = (data: Float32Array, d: number) =>
    data.subarray((d * data.length) / count, ((d + 1) * data.length) / count);
  const weights = Array.from({ length: count }, (_, d) => {
    const biases = b && part(b.data, d);
    return {
      input: part(w.data, d),
      recurrent: part(r.data, d),
      ...foldBiases(biases?.slice(0, 3 * hiddenSize), biases?.slice(3 * hiddenSize), hiddenSize, resetAfter),
    };
  });
  const name = nodeName(node);
  const keys =
    count === 2 ? '{forward,reverse}' : (node.attributes.find((a) => a.name === 'direction')?.s ?? 'forward');
  context.graph.place(w.constant, `${name}/${keys}.input`);
  context.graph.place(r.constant, `${name}/${keys}.recurrent`);
  if (b) context.graph.place(b.constant, `${name}/${keys}.bias${resetAfter ? ` and ${keys}.recurrentBias` : ''}`);
  return { inputSize, hiddenSize, weights };
}

/** sequence_lens: a graph input, or the number of steps for all sequences. */
function readLengths(context: NodeContext, x: Rows, layout: number): void {
  const { graph, node } = context;
  const name = nodeName(node);
  graph.lengths.set(name, undefined);
  const lengths = context.inputs[4];
  if (lengths === undefined) return;
  if (lengths.type === 'constant') {
    const time = axisSize(x.axes[layout === 0 ? 0 : 1]!);
    const values = Array.from(lengths.data);
    const different = values.find((n) => equalSizes(n, time, graph.baked) !== true);
    if (different === undefined) return;
    const steps = bakedSize(time, graph.baked) ?? sizeText(time);
    throw nodeError(
      node,
      `input 'sequence_lens' is a constant ${shapeText(values.slice(0, 20))} that differs from the number of steps (${steps})`,
    );
  }
  const isInput =
    lengths.type === 'rows' && lengths.dtype === 'int32' && lengths.axes.length === 1 && lengths.inputs.length === 1;
  const [input] = isInput ? lengths.inputs : [];
  if (!isInput || input === undefined || !graph.demand(lengths, ['batch']) || !graph.isInput(lengths.columns, input)) {
    throw nodeError(
      node,
      "input 'sequence_lens' is computed by the graph; supported: an input of the graph, or the number of steps",
    );
  }
  graph.lengths.set(name, input);
}

/** One gru layer, or one a direction where their activations differ. Columns in the order of the node's directions. */
function addLayers(
  context: NodeContext,
  x: Rows,
  common: Pick<GruSpec, 'inputSize' | 'hiddenSize' | 'resetAfter' | 'clip'>,
  directions: Direction[],
): { sequence: Segment[]; states: Segment[] } {
  const { builder } = context.graph;
  const inputs = [builder.ref(x.columns, 'sequence')];
  const name = nodeName(context.node);
  const layer = (list: Direction[], suffix: string): GruSpec => {
    const byTime = (time: 'forward' | 'reverse') => list.find((d) => d.time === time);
    const ordered = [byTime('forward'), byTime('reverse')].filter((d) => d !== undefined);
    const [first] = ordered as [Direction];
    const weights = Object.fromEntries(ordered.map(({ time, weights: w }) => [time, w]));
    const isDefault = (a: Activation, wanted: ActivationName) => a === wanted;
    return {
      type: 'gru',
      name: builder.name(name + suffix),
      inputs,
      ...common,
      direction: list.length === 2 ? 'bidirectional' : first.time,
      ...(isDefault(first.recurrentActivation, 'sigmoid') ? {} : { recurrentActivation: first.recurrentActivation }),
      ...(isDefault(first.activation, 'tanh') ? {} : { activation: first.activation }),
      ...(first.initial === undefined ? {} : { initialState: ordered.map((d) => d.initial!) }),
      weights: recurrentWeights(weights),
    };
  };
  const [one, other] = directions as [Direction, Direction | undefined];
  const isSame =
    !other ||
    (sameActivation(one.activation, other.activation) &&
      sameActivation(one.recurrentActivation, other.recurrentActivation));
  if (!isSame) {
    const parts = directions.map((direction) => builder.gru(layer([direction], `_${direction.time}`)));
    return { sequence: joinColumns(parts.map((p) => p.sequence)), states: joinColumns(parts.map((p) => p.states)) };
  }
  const { sequence, states } = builder.gru(layer(directions, ''));
  if (!other || one.time === 'forward') return { sequence, states };
  const h = common.hiddenSize;
  const swap = (columns: Segment[]) => joinColumns([takeColumns(columns, h, h), takeColumns(columns, 0, h)]);
  return { sequence: swap(sequence), states: swap(states) };
}
