import type { GraphValue } from '../../../spec/graph.ts';
import type { LayerSpec } from '../../../spec/spec.ts';
import { floats } from '../buffer.ts';
import type { Layout, Order, Plan } from '../plan.ts';

/** A value as the layer that reads it is built: its shape, and the number of its axis. */
export type BuildInput = Pick<GraphValue, 'kind' | 'dtype' | 'size' | 'axis'>;

/**
 * Packs the weights of a layer, given the shapes of its inputs (undefined: left out). `axis`: the number of the axis of the sequences
 * that it gives.
 */
export type Build<S extends LayerSpec = LayerSpec> = (
  spec: S,
  inputs: readonly (BuildInput | undefined)[],
  axis: number,
) => Layer;

/** What builds layers, by the type of their specs. */
export type Builds<Type extends LayerSpec['type']> = { [T in Type]: Build<Extract<LayerSpec, { type: T }>> };

/** An immutable layer with packed weights. */
export interface Layer {
  /** Bytes of packed weights. */
  readonly bytes: number;
  /** Orders in which it takes steps. */
  readonly orders: readonly Order[];
  /** Values of its state below the smallest normal stay as they are; left out: they are zeros. */
  readonly keepsTiny?: true;
  /** What a state keeps for `batch` sequences of any lengths. */
  workspace(batch: number): Workspace;
  /** The same with room for a layout, so that {@link run} allocates nothing; the former one stays usable. */
  reserve(workspace: Workspace, layout: Layout, layouts: readonly Layout[]): Workspace;
  /** Computes the outputs that are used. */
  run(io: Io, workspace: Workspace): void;
}

/** What a state holds for one layer. */
export interface Workspace {
  /** A buffer of rows a sequence each: the layer's slots in the graph's states, in their order, and behind them what nobody sets or reads. */
  readonly states: readonly Float32Array[];
  /** The same buffers by direction, of a recurrent layer. */
  readonly directions: readonly DirectionState[];
  /** Input projections of a block of steps. */
  readonly projected: Float32Array;
  /** Intermediate values of a step. */
  readonly scratch: readonly Float32Array[];
  /** Room for the entries that are not masked. */
  readonly unmasked: Plan | undefined;
  /** Rows that a block of scratch reads and writes. */
  readonly block?: Pick<Plan, 'input' | 'output'>;
}

/** What one direction of a recurrent layer carries from step to step. */
export interface DirectionState {
  /** A buffer a slot, hidden first. */
  readonly state: readonly Float32Array[];
  /** Not 0 for sequences that have had an output since their state was set. */
  readonly started: Float32Array;
}

/** The values that a layer reads and writes. */
export interface Io {
  /** How rows of the sequences that it reads lie. */
  readonly layout: Layout;
  /** Those of all axes. */
  readonly layouts: readonly Layout[];
  /** All steps, in the orders that some layer of the model takes. */
  readonly plans: Readonly<Partial<Record<Order, Plan>>>;
  /** undefined: left out. */
  readonly inputs: readonly (Float32Array | undefined)[];
  /** Bits of the first input, where it holds ids. */
  readonly ids: Int32Array | undefined;
  /** One a port; undefined: nobody reads it. */
  readonly outputs: readonly (Float32Array | undefined)[];
  /** The same memory for ports of ids. */
  readonly outputIds: readonly (Int32Array | undefined)[];
}

export const nothing: Workspace = {
  states: [],
  directions: [],
  projected: new Float32Array(0),
  scratch: [],
  unmasked: undefined,
};

/** A layer without a state. */
export function stateless(bytes: number, run: (io: Io) => void): Layer {
  return { bytes, orders: [], workspace: () => nothing, reserve: () => nothing, run };
}

/** A layer without a state that computes in buffers as long as `sizes` says for a layout. */
export function withScratch(
  bytes: number,
  sizes: (layout: Layout, layouts: readonly Layout[]) => number[],
  run: (io: Io, workspace: Workspace) => void,
): Layer {
  const reserve: Layer['reserve'] = ({ scratch }, layout, layouts) => ({
    ...nothing,
    scratch: sizes(layout, layouts).map((size, i) => floats(size, scratch[i])),
  });
  return { bytes, orders: [], workspace: () => nothing, reserve, run };
}

/** Row of a step of a sequence. */
export function rowOf({ starts, stride }: Layout, sequence: number, step: number): number {
  return starts[sequence]! + step * stride;
}

/** Rows of the steps of a sequence. */
export function rowsOf(layout: Layout, sequence: number): number[] {
  return Array.from({ length: layout.lengths[sequence]! }, (_, step) => rowOf(layout, sequence, step));
}
