import type { BackendState } from './backend.ts';
import { GruError } from './errors.ts';
import type { Graph } from './graph.ts';
import { freeNow, freeWhenForgotten } from './lifetime.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import { StepIo, type StepInput } from './step.ts';
import { StreamState } from './stream.ts';
import { describe, isArrayLike } from './tensor.ts';

/**
 * Many live sequences on one model, each fed when its data comes. A sequence costs the memory of its hidden states; whichever
 * have data are stepped together, as fast as a batch of so many.
 *
 * @example
 * const streams = model.createStreams(10_000);
 * const y = streams.stepMany([3, 17, 4092], x);      // x: (3, size), y: (3, output size)
 */
export class GruStreams {
  /** Number of sequences. */
  readonly count: number;
  private readonly graph: Graph;
  private readonly held: StreamState;
  private readonly io: StepIo;
  private readonly print: () => Uint8Array;
  /** Sequences that the state is laid out for, and marks of those, for finding doubles. */
  private chosen = new Int32Array(0);
  private readonly marks: Uint8Array;

  /** @internal */
  constructor(graph: Graph, state: BackendState, siblings: Set<StreamState>, print: () => Uint8Array) {
    this.graph = graph;
    this.count = state.batch;
    this.marks = new Uint8Array(state.batch);
    this.io = new StepIo(graph);
    this.print = print;
    this.held = new StreamState(state, siblings);
    freeWhenForgotten(this, this.held);
  }

  /**
   * Runs one step of the sequences `which`, each named once, and returns the model's first output, (which.length, size): row
   * i is that of sequence `which[i]`.
   *
   * @param x Rows of these sequences in the same order: (which.length, size) features, or (which.length) ids; for a model with
   *   several inputs a record of these by name.
   * @param out Filled and returned, (which.length, size).
   * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range`, `invalid_argument` (all hidden states stay as they
   *   were), `out_of_memory`, `disposed`.
   */
  stepMany(which: ArrayLike<number>, x: StepInput, out?: Float32Array): Float32Array;
  /** The same, filling those of the model's outputs that `out` names. */
  stepMany<R extends Record<string, Float32Array>>(which: ArrayLike<number>, x: StepInput, out: R): R;
  stepMany(
    which: ArrayLike<number>,
    x: StepInput,
    out?: Float32Array | Record<string, Float32Array>,
  ): Float32Array | Record<string, Float32Array> {
    const state = this.alive();
    this.choose(state, which);
    this.io.checkOut(out, which.length);
    this.io.put(state, x, which.length);
    state.run();
    return this.io.take(state, out);
  }

  /** A copy of one sequence's hidden states: those of the gru layers in the model's order. @throws GruError. */
  hiddenState(index: number): Float32Array {
    const all = new Float32Array(this.hiddenLength());
    this.eachState(index, all, (state, i, part) => {
      state.readHidden(i, part, index);
    });
    return all;
  }

  /** Sets one sequence's hidden states. @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`, `disposed`. */
  setHiddenState(index: number, all: Float32Array): void {
    if (!(all instanceof Float32Array) || all.length !== this.hiddenLength()) {
      const expected = `a Float32Array of ${this.hiddenLength()} values`;
      throw new GruError('shape_mismatch', `hidden state: expected ${expected}, got ${describe(all)}`);
    }
    this.eachState(index, all, (state, i, part) => {
      state.writeHidden(i, part, index);
    });
  }

  /** Begins a sequence anew, or (without an index) all of them. @throws GruError `invalid_argument`, `disposed`. */
  reset(index?: number): void {
    if (index === undefined) this.alive().reset();
    else this.setHiddenState(index, new Float32Array(this.hiddenLength()));
  }

  /** One sequence's hidden states as bytes, with the model's fingerprint. @throws GruError `invalid_argument`, `disposed`. */
  snapshot(index: number): Uint8Array {
    return encodeSnapshot(this.hiddenState(index), this.print());
  }

  /** Takes a {@link snapshot} back, of this model anywhere. @throws GruError `invalid_file` for another model's. */
  restore(index: number, bytes: Uint8Array): void {
    this.setHiddenState(index, decodeSnapshot(bytes, this.print(), this.hiddenLength()));
  }

  /** Frees the sequences' memory. Idempotent; any other use afterwards throws GruError `disposed`. */
  dispose(): void {
    freeNow(this.held);
  }

  /** {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private alive(): BackendState {
    const { state } = this.held;
    if (!state) throw new GruError('disposed', 'the streams, or their model, have been disposed');
    return state;
  }

  private choose(state: BackendState, which: ArrayLike<number>): void {
    if (!isArrayLike(which)) {
      throw new GruError('dtype_mismatch', `stepMany: expected an array of indices, got ${describe(which)}`);
    }
    let same = which.length === this.chosen.length;
    for (let i = 0; same && i < which.length; i++) same = which[i] === this.chosen[i];
    if (same) return;
    this.checkChoice(which);
    this.chosen = new Int32Array(0);
    const chosen = new Int32Array(which);
    state.setSequences(chosen, new Int32Array(which.length).fill(1));
    this.chosen = chosen;
  }

  private checkChoice(which: ArrayLike<number>): void {
    let marked = 0;
    try {
      for (; marked < which.length; marked++) {
        const index = which[marked]!;
        this.checkIndex(index);
        if (this.marks[index]) throw new GruError('invalid_argument', `stepMany: stream ${index} is named twice`);
        this.marks[index] = 1;
      }
    } finally {
      while (marked > 0) this.marks[which[--marked]!] = 0;
    }
  }

  private checkIndex(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.count) return;
    const range = `a whole number from 0 to ${this.count - 1}`;
    throw new GruError('invalid_argument', `a stream is named by ${range}, got ${describe(index)}`);
  }

  private hiddenLength(): number {
    return this.graph.states.reduce((sum, { hiddenSize }) => sum + hiddenSize, 0);
  }

  private eachState(
    index: number,
    all: Float32Array,
    visit: (state: BackendState, i: number, part: Float32Array) => void,
  ): void {
    const state = this.alive();
    this.checkIndex(index);
    let at = 0;
    this.graph.states.forEach(({ hiddenSize }, i) => {
      visit(state, i, all.subarray(at, (at += hiddenSize)));
    });
  }
}
