import type { BackendState, CompiledModel } from '../backends/backend.ts';
import type { Graph } from '../spec/graph.ts';
import { INSPECT } from '../base/host.ts';
import { alive, freeNow, freeWhenForgotten, type Resource } from '../base/lifetime.ts';
import { Clock } from './clock.ts';
import { readState, slotNames, type Slots, stateLength, writeState } from './slots.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import { StepIo, type StepInput, type StepOutput } from './step.ts';
import { floatsOf } from '../base/numbers.ts';
import type { Numbers } from '../base/tensor.ts';
import { type Values } from '../base/typed-array.ts';

/** Options of `GruModel.createStream`. */
export interface StreamOptions {
  /** Number of sequences that go side by side. Default 1. */
  batch?: number | undefined;
}

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
 * `batch` sequences that arrive step by step. The states live in the backend from one step to the next. Feeding the
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
  private readonly io: StepIo;
  private readonly print: () => Uint8Array;
  /** Steps by axis that the state is laid out for. */
  private readonly laidOut: Int32Array;
  private readonly clock: Clock;
  /** They are one step each, and no layer makes an axis; undefined at first. */
  private single: boolean | undefined;

  /** @internal */
  constructor(
    graph: Graph,
    compiled: CompiledModel,
    batch: number,
    siblings: Set<StreamState>,
    print: () => Uint8Array,
  ) {
    this.graph = graph;
    this.batch = batch;
    this.clock = new Clock(graph, 1);
    this.io = new StepIo(graph, this.clock);
    this.print = print;
    this.laidOut = new Int32Array(graph.axes.length + graph.derivedAxes.length);
    this.held = new StreamState(compiled.createState(batch), siblings);
    try {
      const steps = this.laidOut.slice().fill(1);
      this.clock.derive(steps);
      this.layOut(this.alive(), steps);
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
   * @param out Filled and returned; nothing is allocated then. May be `x` itself, or overlap it. Left out: a new array. (In the first
   *   milliseconds of a program that lets no timer fire, a step may also time kernels, for up to 0.5 ms.)
   * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range` (of ids that are given the states stay as they were; layers in
   *   front of ids that are computed, as positions beyond their table, have gone on), `disposed`.
   */
  step<Data extends Values = Float32Array>(x: StepInput, out?: Data): Data;
  /**
   * Runs one step and fills those of the model's outputs that `out` names.
   *
   * @param out By output name, (batch, size) each, apart from each other. Filled and returned; nothing is allocated.
   */
  step<R extends Record<string, Values>>(x: StepInput, out: R): R;
  step(x: StepInput, out?: StepOutput): StepOutput {
    if (this.single && this.io.stepFloats(this.alive(), x, out, this.batch)) return out!;
    return this.advance(x, out, false);
  }

  /**
   * Runs any number of steps in one call, from the present state: the same bits as step by step, and much less time a step. Returns the
   * model's first output, (batch, steps, size).
   *
   * @param block (batch, steps, size) features as a Float32Array; or (batch, steps) ids. For a model with several inputs a record of
   *   these by name: values of one axis have the same steps.
   * @param out Filled and returned, (batch, steps, size); nothing is allocated for blocks of the same steps as the one before. May be
   *   `block` itself, or overlap it. Left out: a new array.
   * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range`, `out_of_memory` (the state stays as it was), `disposed`.
   *
   * @example
   * const y = stream.run(samples);          // 128 samples, one value each: 128 steps
   */
  run<Data extends Values = Float32Array>(block: StepInput, out?: Data): Data;
  /** Runs a block and fills those of the model's outputs that `out` names, (batch, steps, size) each, apart from each other. */
  run<R extends Record<string, Values>>(block: StepInput, out: R): R;
  run(block: StepInput, out?: StepOutput): StepOutput {
    return this.advance(block, out, true);
  }

  private advance(x: StepInput, out: StepOutput | undefined, block: boolean): StepOutput {
    this.alive();
    const frame = this.io.read(x, out, this.batch, block);
    // Again: the caller's code may have run.
    const state = this.alive();
    this.layOut(state, frame.steps);
    this.io.put(state, frame, this.batch);
    state.run();
    this.clock.advance(frame.steps);
    return this.io.take(state, frame, out);
  }

  /**
   * A copy of all states in the order of `model.states`, (batch, size) each: an lstm layer's hidden state, then its cell state. Last,
   * where layers make steps of their own (a strided convolution), how many steps have come. Assigning copies in; values below the smallest normal float32 become zero, but for a convolution's past.
   *
   * @throws GruError `shape_mismatch`, `dtype_mismatch` on assigning; `disposed`.
   */
  get hiddenState(): Float32Array {
    return readState(this.slots());
  }

  set hiddenState(given: Numbers) {
    const all = floatsOf('hiddenState', given);
    writeState(this.slots(), all);
  }

  /** All states as bytes, with the model's fingerprint. @throws GruError `disposed`. */
  snapshot(): Uint8Array {
    return encodeSnapshot(this.slots(), this.print(), slotNames(this.graph));
  }

  /**
   * Takes a {@link snapshot} back: of this model, in this process or another, on this machine or another.
   *
   * @throws GruError `invalid_file` for a damaged one, and for that of another model or batch; `disposed`.
   */
  restore(bytes: Uint8Array): void {
    const slots = this.slots();
    writeState(slots, decodeSnapshot(bytes, this.print(), slotNames(this.graph), stateLength(slots)));
  }

  /** Sets all states to zero: the next step begins a sequence. @throws GruError `disposed`. */
  reset(): void {
    this.alive().reset();
    this.clock.reset();
  }

  /** Frees the stream's memory. Idempotent; any other use afterwards throws GruError `disposed`. */
  dispose(): void {
    freeNow(this.held);
  }

  /** What Node, Deno and Bun print: not the model's graph. @internal */
  [INSPECT](): string {
    return `GruStream { batch: ${this.batch} }`;
  }

  /** {@link dispose}, for `using stream = model.createStream()`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private alive(): BackendState {
    return alive(this.held.state, 'the stream, or its model,');
  }

  /** Lays the state out for a step or a block. (What makes closures is apart: it takes memory by being called.) */
  private layOut(state: BackendState, steps: Int32Array): void {
    let same = this.single !== undefined;
    for (let a = 0; a < steps.length; a++) same &&= steps[a] === this.laidOut[a];
    if (!same) this.layOutAnew(state, steps);
  }

  private layOutAnew(state: BackendState, steps: Int32Array): void {
    state.setLengths(Array.from(steps, (count) => ({ lengths: new Int32Array(this.batch).fill(count) })));
    this.laidOut.set(steps);
    this.single = this.clock.size === 0 && steps.every((count) => count === 1);
  }

  private slots(): Slots {
    return { graph: this.graph, state: this.alive(), clock: this.clock };
  }
}
