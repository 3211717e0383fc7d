import type { BackendState, CompiledModel } from './backend.ts';
import { GruError } from './errors.ts';
import type { Graph } from './graph.ts';
import { checkFeatures, checkId } from './inputs.ts';
import { freeNow, freeWhenForgotten, type Resource } from './lifetime.ts';
import { describe, isArrayLike, isRecord } from './tensor.ts';

/** What one step of a stream takes for one input: (batch, size) features, or (batch) ids, or an id where batch is 1. */
export type StepValue = Float32Array | ArrayLike<number> | number;

/** What one step takes: a value, or one for each input by name. */
export type StepInput = StepValue | Record<string, StepValue>;

/** A stream's state in the backend. The model keeps these, not the streams, so that a forgotten stream can be collected. */
export class StreamState implements Resource {
  state: BackendState | undefined;
  private readonly siblings: Set<StreamState>;

  constructor(state: BackendState, siblings: Set<StreamState>) {
    this.state = state;
    this.siblings = siblings;
    siblings.add(this);
  }

  free(): void {
    this.state?.free();
    this.state = undefined;
    this.siblings.delete(this);
  }
}

/**
 * `batch` sequences that arrive step by step. The hidden states live in the backend from one step to the next. Feeding the
 * steps of a sequence one by one gives the same bits as `model.run` on the whole of it.
 *
 * @example
 * const stream = model.createStream();
 * const y = new Float32Array(64);
 * for await (const frame of microphone) show(stream.step(frame, y));
 * stream.dispose();
 */
export class GruStream {
  /** Number of sequences that go side by side. */
  readonly batch: number;
  private readonly graph: Graph;
  private readonly held: StreamState;
  private readonly inputNames: ReadonlySet<string>;
  private readonly outputIndex: ReadonlyMap<string, number>;

  /** @internal */
  constructor(graph: Graph, compiled: CompiledModel, batch: number, siblings: Set<StreamState>) {
    this.graph = graph;
    this.batch = batch;
    this.inputNames = new Set(graph.inputs.map(({ name }) => name));
    this.outputIndex = new Map(graph.outputs.map(({ name }, i) => [name, i]));
    this.held = new StreamState(compiled.createState(batch), siblings);
    try {
      this.held.state?.setLengths(new Int32Array(batch).fill(1));
    } catch (error) {
      this.held.free();
      throw error;
    }
    freeWhenForgotten(this, this.held);
  }

  /**
   * Runs one step and returns the model's first output, (batch, size).
   *
   * @param x (batch, size) features as a Float32Array; or (batch) ids, or one id where `batch` is 1. For a model with
   *   several inputs a record of these by name.
   * @param out Filled and returned; nothing is allocated then. May be `x` itself. Left out: a new array.
   * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range` (the hidden states stay as they were), `disposed`.
   */
  step(x: StepInput, out?: Float32Array): Float32Array;
  /**
   * Runs one step and fills those of the model's outputs that `out` names.
   *
   * @param out By output name, (batch, size) each. Filled and returned; nothing is allocated.
   */
  step<R extends Record<string, Float32Array>>(x: StepInput, out: R): R;
  step(x: StepInput, out?: Float32Array | Record<string, Float32Array>): Float32Array | Record<string, Float32Array> {
    const state = this.alive();
    if (out instanceof Float32Array) this.checkOut(0, out);
    else if (out !== undefined) this.checkOuts(out);
    if (isRecord(x)) this.feedAll(state, x);
    else if (this.graph.inputs.length === 1) this.feed(state, 0, x);
    else throw this.wantsRecord(x);

    state.run();
    if (out === undefined) return state.output(0).slice();
    if (out instanceof Float32Array) {
      out.set(state.output(0));
      return out;
    }
    for (const name in out) out[name]?.set(state.output(this.outputIndex.get(name)!));
    return out;
  }

  /**
   * A copy of all hidden states: those of the gru layers in the model's order, (batch, hiddenSize) each. Assigning copies in;
   * values below the smallest normal float32 become zero.
   *
   * @throws GruError `shape_mismatch`, `dtype_mismatch` on assigning; `disposed`.
   */
  get hiddenState(): Float32Array {
    const state = this.alive();
    const all = new Float32Array(this.hiddenLength());
    this.eachState(all, (i, part) => {
      state.readHidden(i, part);
    });
    return all;
  }

  set hiddenState(all: Float32Array) {
    const state = this.alive();
    if (!(all instanceof Float32Array)) {
      throw new GruError('dtype_mismatch', `hiddenState: expected a Float32Array, got ${describe(all)}`);
    }
    const length = this.hiddenLength();
    if (all.length !== length) {
      throw new GruError('shape_mismatch', `hiddenState: expected ${length} values, got ${all.length}`);
    }
    this.eachState(all, (i, part) => {
      state.writeHidden(i, part);
    });
  }

  /** Sets all hidden states to zero: the next step begins a sequence. @throws GruError `disposed`. */
  reset(): void {
    this.alive().reset();
  }

  /** Frees the stream's memory. Idempotent; any other use afterwards throws GruError `disposed`. */
  dispose(): void {
    freeNow(this.held);
  }

  /** {@link dispose}, for `using stream = model.createStream()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private alive(): BackendState {
    const { state } = this.held;
    if (!state) throw new GruError('disposed', 'the stream, or its model, has been disposed');
    return state;
  }

  private feedAll(state: BackendState, x: Record<string, unknown>): void {
    const { inputs } = this.graph;
    for (let i = 0; i < inputs.length; i++) this.feed(state, i, x[(inputs[i] as { name: string }).name]);
    for (const name in x) {
      if (!this.inputNames.has(name)) throw new GruError('invalid_argument', `the model has no input '${name}'`);
    }
  }

  private feed(state: BackendState, index: number, x: unknown): void {
    const input = this.graph.inputs[index]!;
    if (input.dtype === 'float32') {
      checkFeatures(input, x);
      const view = state.inputFloats(index);
      this.checkLength(input.name, view.length, (x as Float32Array).length);
      view.set(x as Float32Array);
      return;
    }
    const view = state.inputIds(index);
    if (typeof x === 'number') {
      this.checkLength(input.name, view.length, 1);
      this.feedId(input, view, 0, x);
      return;
    }
    if (!isArrayLike(x)) {
      throw new GruError('dtype_mismatch', `input '${input.name}': expected ids, got ${describe(x)}`);
    }
    this.checkLength(input.name, view.length, x.length);
    for (let i = 0; i < x.length; i++) this.feedId(input, view, i, x[i]!);
  }

  private feedId(input: Graph['inputs'][number], view: Int32Array, i: number, id: number): void {
    if (!Number.isInteger(id) || id < 0 || id >= input.vocabularySize) checkId(input, id, i, [this.batch]);
    view[i] = id;
  }

  private checkLength(name: string, expected: number, got: number): void {
    if (got === expected) return;
    const shape = `(batch ${this.batch} x ${expected / this.batch})`;
    throw new GruError('shape_mismatch', `input '${name}': a step takes ${expected} values ${shape}, got ${got}`);
  }

  private checkOut(index: number, out: unknown): void {
    const { name, size } = this.graph.outputs[index]!;
    if (!(out instanceof Float32Array)) {
      throw new GruError('dtype_mismatch', `out for '${name}': expected a Float32Array, got ${describe(out)}`);
    }
    if (out.length !== this.batch * size) {
      const expected = `${this.batch * size} values (batch ${this.batch} x ${size})`;
      throw new GruError('shape_mismatch', `out for '${name}': expected ${expected}, got ${out.length}`);
    }
  }

  private checkOuts(out: Record<string, Float32Array>): void {
    if (!isRecord(out)) {
      throw new GruError('dtype_mismatch', `out: expected a Float32Array or a record of them, got ${describe(out)}`);
    }
    for (const name in out) {
      const index = this.outputIndex.get(name);
      if (index === undefined) throw new GruError('invalid_argument', `out: the model has no output '${name}'`);
      this.checkOut(index, out[name]);
    }
  }

  private wantsRecord(x: unknown): GruError {
    const names = this.graph.inputs.map((input) => input.name).join(', ');
    return new GruError('invalid_argument', `the model takes a record of its inputs ${names}; got ${describe(x)}`);
  }

  private hiddenLength(): number {
    return this.graph.states.reduce((sum, { hiddenSize }) => sum + this.batch * hiddenSize, 0);
  }

  private eachState(all: Float32Array, visit: (index: number, part: Float32Array) => void): void {
    let at = 0;
    this.graph.states.forEach(({ hiddenSize }, i) => {
      visit(i, all.subarray(at, (at += this.batch * hiddenSize)));
    });
  }
}
