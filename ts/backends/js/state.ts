import type { AxisLengths, BackendState } from '../backend.ts';
import { flush } from '../../base/denormals.ts';
import { GruError } from '../../base/errors.ts';
import { fill } from '../../base/foreign.ts';
import type { Graph } from '../../spec/graph.ts';
import { allocating, floats } from './buffer.ts';
import type { Io, Layer, Workspace } from './layers/layer.ts';
import { emptyPlan, fillPlan, makeLayout } from './plan.ts';
import type { Layout, Order, Plan } from './plan.ts';

/**
 * As much as a wasm memory holds, so that backends refuse the same. (An engine may grant more than the machine has, and be
 * killed when that is written to.)
 */
const MAX_BYTES = 2 ** 32;

/** Everything that depends on the lengths; replaced as a whole, so that a failure changes nothing. */
interface Room {
  /** By axis. */
  readonly layouts: readonly Layout[];
  /** By number of value; undefined where nobody reads it. */
  readonly values: readonly (Float32Array | undefined)[];
  /** The same memory for values of ids. */
  readonly ids: readonly (Int32Array | undefined)[];
  /** By number of node. */
  readonly workspaces: readonly Workspace[];
  readonly io: readonly Io[];
}

/** State slots and buffers of one batch. */
export class JsState implements BackendState {
  readonly batch: number;
  readonly #graph: Graph;
  readonly #layers: readonly Layer[];
  /** Buffers of the state slots, as the graph numbers them. */
  #states: readonly Float32Array[];
  /** undefined after {@link free}. */
  #room: Room | undefined;

  constructor(graph: Graph, layers: readonly Layer[], batch: number) {
    if (!Number.isInteger(batch) || batch < 0) {
      throw new GruError('invalid_argument', `batch must be a whole number from 0, got ${batch}`);
    }
    this.batch = batch;
    this.#graph = graph;
    this.#layers = layers;
    this.#room = allocating(`a state of ${batch} sequences`, () => {
      const workspaces = layers.map((layer) => layer.workspace(batch));
      const axes = [...graph.axes, ...graph.derivedAxes];
      const layouts = nested(
        graph,
        axes.map(() => makeLayout(batch, new Int32Array(batch), false)),
      );
      return makeRoom(graph, layers, layouts, workspaces);
    });
    const { workspaces } = this.#room;
    let first = 0;
    this.#states = graph.states.map(({ node }, i) => {
      if (graph.states[first]!.node !== node) first = i;
      return workspaces[node]!.states[i - first]!;
    });
  }

  #alive(): Room {
    if (!this.#room) throw new GruError('disposed', 'this state has been freed');
    return this.#room;
  }

  setLengths(axes: readonly AxisLengths[]): void {
    this.#layOut(axes, ({ lengths, timeMajor = false }) => makeLayout(this.batch, lengths, timeMajor));
  }

  setSequences(sequences: ArrayLike<number>, axes: readonly AxisLengths[]): void {
    const seen = new Uint8Array(this.batch);
    for (const b of Array.from(sequences)) {
      if (seen[b] !== 0)
        throw new GruError('invalid_argument', `sequence ${b} is not one of ${this.batch}, or is named twice`);
      seen[b] = 1;
    }
    this.#layOut(axes, ({ lengths, timeMajor = false }) => makeLayout(sequences.length, lengths, timeMajor, sequences));
  }

  #layOut(axes: readonly AxisLengths[], make: (axis: AxisLengths) => Layout): void {
    const { layouts: old, values, workspaces } = this.#alive();
    if (axes.length !== old.length) {
      throw new GruError('invalid_argument', `the model has ${old.length} axes, got lengths of ${axes.length}`);
    }
    this.#room = allocating('the buffers of these sequences', () => {
      const layouts = nested(this.#graph, axes.map(make));
      const same = layouts.every((layout, axis) => sameLayout(layout, old[axis]!));
      return same ? this.#alive() : makeRoom(this.#graph, this.#layers, layouts, workspaces, values);
    });
  }

  inputFloats(index: number): Float32Array {
    const { values, ids } = this.#alive();
    return present(ids[index] ? undefined : this.#graph.inputs[index] && values[index], 'float input', index);
  }

  inputIds(index: number): Int32Array {
    return present(this.#alive().ids[index], 'input of ids', index);
  }

  output(index: number): Float32Array {
    const { values } = this.#alive();
    return present(values[this.#graph.outputs[index]?.value ?? -1], 'output', index);
  }

  outputIds(index: number): Int32Array {
    const { ids } = this.#alive();
    return present(ids[this.#graph.outputs[index]?.value ?? -1], 'output of ids', index);
  }

  readHidden(index: number, out: Float32Array, at?: number, sequence?: number): void {
    fill(out, this.#rows(index, sequence), at);
  }

  writeHidden(index: number, data: Float32Array, sequence?: number): void {
    const rows = this.#rows(index, sequence);
    if (rows.length !== data.length) {
      throw new GruError('shape_mismatch', `state ${index} has ${rows.length} values, got ${data.length}`);
    }
    const { keepsTiny } = this.#layers[this.#graph.states[index]!.node]!;
    for (let i = 0; i < rows.length; i++) rows[i] = keepsTiny ? data[i]! : flush(data[i]!);
  }

  /** The values of state slot `index`, of one sequence or of all. */
  #rows(index: number, sequence?: number): Float32Array {
    this.#alive();
    const slot = present(this.#states[index], 'state', index);
    const size = this.#graph.states[index]!.size;
    return sequence === undefined ? slot : slot.subarray(sequence * size, (sequence + 1) * size);
  }

  run(): void {
    const { io, values, ids, workspaces } = this.#alive();
    for (let i = 0; i < this.#graph.inputs.length; i++) if (!ids[i]) flushAll(values[i]!);
    for (let i = 0; i < io.length; i++) {
      if (this.#graph.nodes[i]!.per !== undefined) clear(workspaces[i]!);
      this.#layers[i]!.run(io[i]!, workspaces[i]!);
    }
  }

  reset(): void {
    this.#alive().workspaces.forEach(clear);
  }

  free(): void {
    this.#room = undefined;
    this.#states = [];
  }
}

/** Layouts with those of axes whose sequences are steps of another, which follow from that one's. */
function nested({ axes, derivedAxes }: Graph, layouts: Layout[]): Layout[] {
  derivedAxes.forEach(({ from, each }, i) => {
    if (each === undefined) return;
    const { rows } = layouts[from]!;
    layouts[axes.length + i] = makeLayout(rows, new Int32Array(rows).fill(each), false);
  });
  return layouts;
}

function flushAll(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = flush(values[i]!);
}

/** As at the start of a sequence. */
function clear({ states }: Workspace): void {
  for (const state of states) state.fill(0);
}

function present<T>(value: T | undefined, what: string, index: number): T {
  if (value === undefined) throw new GruError('invalid_argument', `the model has no ${what} ${index}`);
  return value;
}

function sameLayout(a: Layout, b: Layout): boolean {
  return (
    a.timeMajor === b.timeMajor &&
    a.batch === b.batch &&
    a.lengths.every((length, i) => length === b.lengths[i] && a.sequences[i] === b.sequences[i])
  );
}

function makeRoom(
  graph: Graph,
  layers: readonly Layer[],
  layouts: readonly Layout[],
  former: readonly Workspace[],
  formerValues: Room['values'] = [],
): Room {
  const lengths = graph.values.map(({ kind, size, used, axis }) => {
    const { rows, batch } = layouts[axis]!;
    return used ? (kind === 'sequence' ? rows : batch) * size : 0;
  });
  const plansOf = 12 * layouts.reduce((sum, { rows }) => sum + rows, 0);
  const bytes = lengths.reduce((sum, length) => sum + 4 * length, plansOf);
  if (bytes > MAX_BYTES) throw new GruError('out_of_memory', `these sequences take ${bytes} bytes: at most 2^32 fit`);
  const values = lengths.map((length, i) => (graph.values[i]!.used ? floats(length, formerValues[i]) : undefined));
  const ids = values.map((value, i) =>
    value && graph.values[i]!.dtype === 'int32' ? new Int32Array(value.buffer, 0, value.length) : undefined,
  );
  const workspaces = layers.map((layer, i) => {
    const { axis, per } = graph.nodes[i]!;
    const layout = layouts[axis]!;
    return layer.reserve(per === undefined ? former[i]! : layer.workspace(layout.batch), layout, layouts);
  });
  const plans = layouts.map((layout, axis) => {
    const orders = new Set(layers.flatMap((layer, i) => (graph.nodes[i]!.axis === axis ? layer.orders : [])));
    const all: Partial<Record<Order, Plan>> = {};
    for (const order of orders) {
      const plan = (all[order] = emptyPlan(layout));
      fillPlan(plan, layout, order);
    }
    return all;
  });
  const io = graph.nodes.map(({ axis, inputs, firstOutput, outputCount }) => ({
    layout: layouts[axis]!,
    layouts,
    plans: plans[axis]!,
    inputs: inputs.map((value) => values[value]),
    ids: ids[inputs[0] ?? -1],
    outputs: values.slice(firstOutput, firstOutput + outputCount),
    outputIds: ids.slice(firstOutput, firstOutput + outputCount),
  }));
  return { layouts, values, ids, workspaces, io };
}
