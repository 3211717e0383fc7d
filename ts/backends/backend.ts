import type { Graph } from '../spec/graph.ts';

/**
 * The seam between the facade and what computes. Nothing above it imports wasm; nothing below it knows file formats.
 *
 * A backend is stateless to its users: `compile` packs the weights of a graph once; the result is immutable and shared by
 * its states; a state owns the hidden values and the buffers of one batch.
 */
export interface Backend {
  /** `wasm-relaxed`, `wasm-baseline` or `js`. */
  readonly name: string;
  /** What another thread needs to start the same backend, beside its name; structured cloning takes it there. May change until {@link settled}. */
  readonly shared?: { readonly module: WebAssembly.Module; readonly kernels: number };
  /** Resolves when {@link shared} will not change any more: some milliseconds after the start. */
  readonly settled?: () => Promise<void>;
  /** @throws GruError `out_of_memory` when the packed weights cannot be allocated (nothing is kept then). */
  compile(graph: Graph): CompiledModel;
}

/** Steps of each sequence on one axis. */
export interface AxisLengths {
  lengths: ArrayLike<number>;
  /** Rows of one step follow each other. Default: rows of one sequence do. */
  timeMajor?: boolean | undefined;
}

export interface CompiledModel {
  /** Bytes that the packed weights take. */
  readonly bytes: number;
  /** A state with zero hidden values; `setLengths` comes before its first run. @throws GruError `out_of_memory`. */
  createState(batch: number): BackendState;
  /** Idempotent. States that are alive stay usable until they are freed themselves. */
  free(): void;
}

/**
 * Hidden state and buffers for `batch` sequences.
 *
 * A sequence value holds one row a step of its axis: rows of one sequence follow each other, sequence after sequence, without
 * padding (`timeMajor`: rows of one step follow each other). A vector value holds one row a sequence.
 */
export interface BackendState {
  readonly batch: number;
  /**
   * Lays out the buffers for sequences of these lengths (each >= 0): a list of the batch for each axis of the graph, those that layers
   * make included. An axis with `timeMajor` wants equal lengths. Invalidates all views. Hidden values stay.
   * @throws GruError `out_of_memory`; the state then keeps its former layout.
   */
  setLengths(axes: readonly AxisLengths[]): void;
  /**
   * The same for some sequences of the state, each named once: `lengths[i]` is that of sequence `sequences[i]`, and values have
   * rows for these alone, in this order. The others keep their hidden values.
   */
  setSequences(sequences: ArrayLike<number>, axes: readonly AxisLengths[]): void;
  /** View of a graph input, to be filled before {@link run}: (rows, size) floats. Valid until the next call. */
  inputFloats(index: number): Float32Array;
  /** View of a graph input of ids, to be filled before {@link run}: (rows) int32. Valid until the next call. */
  inputIds(index: number): Int32Array;
  /** View of a graph output: (rows, size) floats. Valid until the next call. */
  output(index: number): Float32Array;
  /** View of a graph output of ids: (rows) int32. Valid until the next call. */
  outputIds(index: number): Int32Array;
  /** Copies the hidden state `index` (see {@link Graph.states}) to `at` of `out`: (batch, hiddenSize) floats, or those of one sequence. */
  readHidden(index: number, out: Float32Array, at?: number, sequence?: number): void;
  /** Copies the hidden state `index` in, of all sequences or of one. Values below the smallest normal become zero, but for a `past`. */
  writeHidden(index: number, data: Float32Array, sequence?: number): void;
  /** Runs all steps of the layout, from the current hidden values; leaves the final ones. Allocates nothing. */
  run(): void;
  /** Sets all hidden values to zero. */
  reset(): void;
  /** Idempotent. */
  free(): void;
}
