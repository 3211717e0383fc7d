import { GruError } from '../../base/errors.ts';
import { STATE_PORTS } from '../../layers/recurrent.ts';
import { resolveGraph } from '../../spec/graph.ts';
import type { LayerSpec, ModelSpec, OutputSpec, ValueRef } from '../../spec/spec.ts';
import type { ImportedModel } from '../report.ts';
import type { BoundTensor } from './binding.ts';
import type { Budget } from './limits.ts';
import { recognizeCells, type BodyState, type Recognized } from './ops/loop/recognize.ts';
import { NotTerms } from './ops/loop/terms.ts';
import { needed } from './outputs.ts';

/**
 * A graph that is called once a step (GRUCell, LSTMCell or RNNCell, whose states are inputs and outputs) is the body of a loop over the steps: its
 * cells become recurrent layers that start from these inputs, and its other values sequences. The model as it is where the states are no such
 * cells'.
 *
 * @param states by input the output that it goes on as
 */
export function cellsOfSteps(imported: ImportedModel, states: Record<string, unknown>, budget: Budget): ImportedModel {
  const { spec, report } = imported;
  const { inputs, outputs } = report.graph!;
  if (![...inputs, ...outputs].every(isOfOneStep) || !spec.layers.every(isOfRows)) return imported;
  const { values, nodes } = resolveGraph(spec);
  const sizes = new Map(values.map(({ ref, size }) => [ref, size]));
  for (const { layer, firstOutput } of nodes) sizes.set(layer.name, values[firstOutput]!.size);
  const from = new Map((spec.outputs as OutputSpec[]).map((output) => [output.name, output.from]));
  const byName = new Map(outputs.map((output) => [output.name, output]));
  const pairs = inputs.flatMap(({ name, values }): BodyState[] => {
    const output = byName.get(states[name] as string);
    return values.flatMap((before, i) => {
      const after = output && from.get(output.values[i] ?? '');
      return after === undefined ? [] : [{ before, after, size: sizes.get(before)! }];
    });
  });
  const layers = new Set(spec.layers.map(({ name }) => name));
  const isGiven = ({ after, size }: BodyState) => layers.has(after) && sizes.get(after) === size;
  if (pairs.length === 0 || pairs.length > MOST_STATES || !pairs.every(isGiven)) return imported;
  try {
    return withCells(imported, pairs, new Cells(spec, pairs, sizes).read(budget));
  } catch (cause) {
    if (!(cause instanceof NotTerms)) throw cause;
    const [input, output] = Object.entries(states)[0]!;
    throw new GruError(
      'unsupported',
      `states: the graph is no step of GRUs, LSTMs or simple RNNs with these states (of an LSTM both): it has ${cause.message}. It runs without the option, a step a call: give '${input}' what the call before gave as '${String(output)}'`,
    );
  }
}

/**
 * What {@link cellsOfSteps} may be asked for, as people write (x, h) -> (y, h): the last inputs of a shape go on as the last outputs of that shape, in
 * their order.
 */
export function likelyStates({ report }: ImportedModel): Record<string, string>[] {
  const { inputs, outputs } = report.graph!;
  return Array.from({ length: Math.min(inputs.length, MOST_INPUTS) }, (_, i) => pairsOf(inputs.slice(i + 1), outputs));
}

/** Inputs before the states. */
const MOST_INPUTS = 8;

function pairsOf(inputs: readonly BoundTensor[], outputs: readonly BoundTensor[]): Record<string, string> {
  const left = [...outputs];
  const found = [...inputs].reverse().flatMap((input) => {
    const at = left.findLastIndex((output) => shapeOf(output) === shapeOf(input));
    return at < 0 ? [] : left.splice(at, 1).map(({ name }) => [input.name, name] as const);
  });
  return Object.fromEntries(found.reverse());
}

const shapeOf = ({ dtype, axes }: BoundTensor) => JSON.stringify([dtype, axes]);

/** More are no cells. */
const MOST_STATES = 256;

const isOfOneStep = ({ kind, axes }: BoundTensor) => kind === 'vector' && !axes.flat().includes('time');

/** Whether a layer makes of each row of a sequence what it makes of one row. */
function isOfRows(layer: LayerSpec): boolean {
  switch (layer.type) {
    case 'embedding':
    case 'dense':
    case 'activation':
    case 'merge':
    case 'slice':
    case 'scale':
      return true;
    case 'norm':
      return layer.overTime !== true;
    default:
      return false;
  }
}

/** The layers that carry states, by what depends on them. */
class Cells {
  readonly #states: readonly BodyState[];
  readonly #layers: ReadonlyMap<ValueRef, LayerSpec>;
  readonly #sizes: ReadonlyMap<ValueRef, number>;
  /** By layer: the states that it depends on. */
  readonly #reads = new Map<ValueRef, ReadonlySet<BodyState>>();
  readonly #sources = new Map<BodyState, Set<BodyState>>();

  constructor({ layers }: ModelSpec, states: readonly BodyState[], sizes: ReadonlyMap<ValueRef, number>) {
    this.#states = states;
    this.#sizes = sizes;
    this.#layers = new Map(layers.map((layer) => [layer.name, layer]));
    for (const state of states) this.#reads.set(state.before, new Set([state]));
    for (const { name, inputs = [] } of layers)
      this.#reads.set(name, new Set(inputs.flatMap((ref) => [...this.#readBy(ref)])));
  }

  /** @throws NotTerms */
  read(budget: Budget): Recognized[] {
    const left = new Set(this.#states);
    const layers = [...this.#layers.values()];
    return this.#states.flatMap((state) => {
      if (!left.has(state)) return [];
      const sources = this.#goInto(state);
      const states = this.#states.filter((other) => sources.has(other) && this.#goInto(other).has(state));
      for (const one of states) left.delete(one);
      const inputs = this.#inputsOf(states);
      return recognizeCells({ layers, refused: new Map(), inputs, masks: [], states }, budget);
    });
  }

  #readBy(ref: ValueRef): ReadonlySet<BodyState> {
    return this.#reads.get(ref) ?? new Set();
  }

  /** The state, and those that it is computed from, or that these are. */
  #goInto(state: BodyState): ReadonlySet<BodyState> {
    let found = this.#sources.get(state);
    if (!found) {
      found = new Set([state]);
      for (const other of found) for (const read of this.#readBy(other.after)) found.add(read);
      this.#sources.set(state, found);
    }
    return found;
  }

  /** What is beside these states: what their gates' products are of, and whatever is no sum. */
  #inputsOf(states: readonly BodyState[]): Map<ValueRef, number> {
    const own = new Set(states);
    const inputs = new Map<ValueRef, number>();
    const seen = new Set<ValueRef>(states.map(({ before }) => before));
    const pending = states.map(({ after }) => after);
    for (let ref = pending.pop(); ref !== undefined; ref = pending.pop()) {
      if (seen.has(ref)) continue;
      seen.add(ref);
      const layer = this.#layers.get(ref);
      const isOwn = [...this.#readBy(ref)].some((state) => own.has(state));
      const isProduct = layer?.type === 'dense' && (layer.activation === undefined || layer.activation === 'linear');
      if (!isOwn && isProduct) for (const of of layer.inputs ?? []) inputs.set(of, this.#sizes.get(of)!);
      else if (layer && (isOwn || isSum(layer))) for (const of of layer.inputs ?? []) pending.push(of);
      else inputs.set(ref, this.#sizes.get(ref)!);
    }
    return inputs;
  }
}

function isSum(layer: LayerSpec): boolean {
  return layer.type === 'slice' || (layer.type === 'merge' && ['sum', 'sub', 'concat'].includes(layer.merge));
}

/** The model with recurrent layers in the place of what gave their hidden states, and without what nothing needs then. */
function withCells(imported: ImportedModel, states: readonly BodyState[], cells: readonly Recognized[]): ImportedModel {
  const { spec, report } = imported;
  const made = new Map<ValueRef, LayerSpec[]>();
  /** A cell state of each step is nowhere: its output is the last one. */
  const finals = new Map<ValueRef, ValueRef>();
  for (const { cell, states: own } of cells) {
    const [{ after: name }, memory] = own as [BodyState, BodyState?];
    const joined: LayerSpec = { type: 'merge', merge: 'concat', name: `${name} (inputs)`, inputs: cell.inputs };
    const isJoined = cell.inputs.length > 1;
    const base = { name, inputSize: cell.inputSize, hiddenSize: cell.hiddenSize, direction: 'forward' as const };
    const reads = { inputs: isJoined ? [joined.name] : cell.inputs, initialState: own.map(({ before }) => before) };
    made.set(name, [...(isJoined ? [joined] : []), cell.layer({ ...base, ...reads }, 'forward')]);
    if (memory) finals.set(memory.after, `${name}:forward${STATE_PORTS.cell}`);
  }
  const outputs = (spec.outputs as OutputSpec[]).map((output) => ({
    ...output,
    from: finals.get(output.from) ?? output.from,
  }));
  const all = spec.layers.flatMap((layer) => made.get(layer.name) ?? [layer]);
  const { inputs, layers } = needed({ inputs: spec.inputs, layers: all }, outputs);
  const given = new Set(states.map(({ before }) => before));
  const last = new Set(outputs.flatMap(({ name, from }) => (from.includes(':') ? [name] : [])));
  const asSteps = (bound: BoundTensor): BoundTensor =>
    bound.values.some((name) => given.has(name) || last.has(name)) ? bound : { ...bound, kind: 'sequence' };
  /** Where tensors of layers went that are none any more. */
  const places = new Map<ValueRef, string>();
  for (const { name } of spec.layers.filter(({ name: after }) => made.has(after)))
    for (const part of needed(spec, [{ name, from: name }]).layers)
      if (!places.has(part.name)) places.set(part.name, `${name} (cell)`);
  for (const { name } of layers) if (!made.has(name)) places.delete(name);
  const placed = (target: string) => places.get(target.slice(0, target.lastIndexOf('/'))) ?? target;
  const { inputs: graphInputs, outputs: graphOutputs } = report.graph!;
  return {
    ...imported,
    spec: {
      inputs: inputs.map((input) => (given.has(input.name) ? input : { ...input, kind: 'sequence' })),
      layers,
      outputs,
    },
    report: {
      ...report,
      conventions: [
        ...report.conventions,
        ...cells.map(({ cell, states: [hidden] }) => `'${hidden!.after}' is given by a cell: layer ${cell.type}`),
      ],
      tensors: report.tensors.map((tensor) => ({ ...tensor, target: placed(tensor.target) })),
      graph: { inputs: graphInputs.map(asSteps), outputs: graphOutputs.map(asSteps) },
    },
  };
}
