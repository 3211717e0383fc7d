import { GruError } from '../base/errors.ts';
import { checkOptions, describe, type Tensor, zeros } from '../base/tensor.ts';
import type { WeightTensor } from '../base/weights.ts';
import type { Backend } from '../backends/backend.ts';
import { gatesOf, type RecurrentSpec } from '../backends/js/layers/recurrent/gates.ts';
import { directions } from '../layers/recurrent.ts';
import { readInputs } from '../run/inputs.ts';
import { readStates } from '../run/states.ts';
import { type Graph, type GraphNode, resolveGraph, valuesOf } from '../spec/graph.ts';
import { runGroups } from '../spec/state-groups.ts';
import { GruModel } from './model.ts';
import type { TracedInput, TraceOptions } from './tracer.ts';

/**
 * What {@link GruModel.trace} gives of copies of what it is given, which is read by the run and again for what the run does not tell. The layer's input and initial states come from the model, run up to the layer. The layer's cell then runs
 * alone, a step a call, on the model's backend: a run is the same bits whole or step by step, so that its states are those of the run. The
 * gates are computed from these by the operations of the JS backend. (A hook in the seam would have cost each backend's kernels their fused
 * form of the gates, for something that is used to look.)
 */
export function traceLayer(
  graph: Graph,
  backend: Backend,
  input: TracedInput,
  given: TraceOptions,
): Record<string, Tensor> {
  const options = checkOptions('trace', given, ['layer', 'direction', 'initialStates', 'lengths', 'mask']);
  const node = findNode(graph, options.layer);
  const spec = node.layer as RecurrentSpec;
  const [only] = directions(spec);
  const { direction = only! } = options;
  const d = directions(spec).indexOf(direction);
  if (d < 0) {
    const has = directions(spec).join(' and ');
    throw new GruError('invalid_argument', `trace: layer '${spec.name}' runs ${has}, not ${quoted(direction)}`);
  }
  const before = inputsOf(graph, node, backend, input, options);
  const cell = cellModel(spec, direction, backend);
  const gates = gatesOf(spec, direction);
  const slots = cell.states.length;
  const { batch, steps, batched, x, mask, kept } = before;
  const size = spec.hiddenSize;
  const names = [...gates.names, ...(slots > 1 ? ['c'] : []), 'h'];
  const traced = Object.fromEntries(names.map((name) => [name, zeros([...(batched ? [batch] : []), steps, size])]));
  try {
    const stream = cell.createStream();
    for (let b = 0; b < batch; b++) {
      const order = direction === 'forward' ? kept(b) : kept(b).reverse();
      if (order.length === 0) continue;
      stream.reset();
      let state = stream.hiddenState;
      for (let s = 0; s < slots; s++) {
        const initial = before.initial(s, d, directions(spec).length);
        if (initial) state.set(initial.subarray(b * size, (b + 1) * size), s * size);
      }
      stream.hiddenState = state;
      state = stream.hiddenState;
      for (const t of order) {
        const row = b * steps + t;
        const put = (name: string, values: Float32Array) => {
          traced[name]!.data.set(values, row * size);
        };
        if (mask?.[row] !== 0) {
          const step = x.slice(row * spec.inputSize, (row + 1) * spec.inputSize);
          const hidden = state.slice(0, size);
          const former = state.slice(size);
          stream.step(step);
          state = stream.hiddenState;
          const values = gates.at({ x: step, hidden, cell: former, newCell: state.slice(size) });
          for (const name of gates.names) put(name, values[name]!);
        }
        put('h', state.subarray(0, size));
        if (slots > 1) put('c', state.subarray(size));
      }
    }
  } finally {
    cell.dispose();
  }
  return traced;
}

function findNode(graph: Graph, name: string | undefined): GraphNode {
  const recurrent = graph.nodes.filter((node) =>
    node.kind.slots?.(node.layer, valuesOf(graph, node)).some(({ slot }) => slot === 'hidden'),
  );
  const names = recurrent.map(({ layer }) => `'${layer.name}'`).join(', ') || 'none';
  if (name === undefined && recurrent.length !== 1) {
    throw new GruError('invalid_argument', `trace: say the layer; those that are recurrent: ${names}`);
  }
  const node = recurrent.find(({ layer }) => name === undefined || layer.name === name);
  if (node?.per !== undefined) {
    const text = `trace: layer '${node.layer.name}' takes each step as a sequence; trace a model of that part alone`;
    throw new GruError('unsupported', text);
  }
  if (node) return node;
  throw new GruError('invalid_argument', `trace: there is no recurrent layer ${quoted(name)}; there is ${names}`);
}

/** A name that is none, as the names beside it are written. */
function quoted(name: unknown): string {
  return typeof name === 'string' ? `'${name}'` : describe(name);
}

/** What a layer reads in a run. */
interface LayerInputs {
  batch: number;
  /** Of the padded array. */
  steps: number;
  batched: boolean;
  /** (batch, steps, inputSize) */
  x: Float32Array;
  /** (batch, steps): 0 for a step that the layer passes over. */
  mask: Float32Array | undefined;
  /** Steps of a sequence that are no padding. */
  kept: (sequence: number) => number[];
  /** (batch, hiddenSize), of a slot and a direction; undefined: zeros. */
  initial(slot: number, direction: number, directions: number): Float32Array | undefined;
}

function inputsOf(
  graph: Graph,
  node: GraphNode,
  backend: Backend,
  input: TracedInput,
  options: TraceOptions,
): LayerInputs {
  const { lengths, mask, initialStates } = options;
  const { spec } = graph;
  const refs = node.inputs.map((value) => (value < 0 ? undefined : graph.values[value]!.ref));
  const read = [...new Set(refs.filter((ref) => ref !== undefined))];
  // All layers: an input may be read by later ones alone.
  const whole = resolveGraph({ ...spec, outputs: read.map((from, i) => ({ name: `value ${i}`, from })) });
  const model = new GruModel(whole, backend.compile(whole), backend.name);
  let outputs: Record<string, Tensor>;
  try {
    ({ outputs } = model.run(input, { initialStates, lengths, mask }));
  } finally {
    model.dispose();
  }
  const valueOf = (i: number) => {
    const ref = refs[i];
    return ref === undefined ? undefined : outputs[`value ${read.indexOf(ref)}`]!.data;
  };
  const run = readInputs('trace', whole, input, { lengths, mask });
  const groups = runGroups(whole);
  const states = readStates('trace: initialStates', groups, initialStates, run);
  const { steps, ragged } = run.axes[graph.values[node.inputs[0]!]!.axis]!;
  const own = groups.flatMap(({ layer }, g) => (layer === node.layer.name ? [g] : []));
  const starts = [0];
  ragged?.lengths.forEach((length, b) => starts.push(starts[b]! + length));
  return {
    batch: run.batch,
    steps,
    batched: run.batched,
    x: valueOf(0)!,
    mask: valueOf(1),
    kept: (b) =>
      ragged ? [...ragged.steps.subarray(starts[b], starts[b + 1])] : Array.from({ length: steps }, (_, t) => t),
    initial(slot, direction, count) {
      const fromGraph = valueOf(2 + slot * count + direction);
      if (fromGraph) return fromGraph;
      const all = states[own[slot]!];
      const size = all ? all.length / count : 0;
      return all?.subarray(direction * size, (direction + 1) * size);
    },
  };
}

/** Fields of a layer that its cell knows nothing of. */
const OF_THE_DRIVER = [
  'inputs',
  'direction',
  'merge',
  'returns',
  'reversedOutput',
  'initialState',
  'mask',
  'paddedOutput',
];

/** One direction of a layer as a model that steps. */
function cellModel(spec: RecurrentSpec, direction: 'forward' | 'reverse', backend: Backend): GruModel {
  const weights = Object.entries(spec.weights as Record<string, WeightTensor>)
    .filter(([key]) => key.startsWith(`${direction}.`))
    .map(([key, tensor]) => [`forward.${key.slice(direction.length + 1)}`, tensor] as const);
  const cell: Partial<RecurrentSpec> = { ...spec, weights: Object.fromEntries(weights) };
  for (const field of OF_THE_DRIVER) Reflect.deleteProperty(cell, field);
  const graph = resolveGraph({
    inputs: [{ name: 'x', dtype: 'float32', size: spec.inputSize }],
    layers: [cell as RecurrentSpec],
  });
  return new GruModel(graph, backend.compile(graph), backend.name);
}
