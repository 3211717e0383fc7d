import type { BackendState, CompiledModel } from '../backends/backend.ts';
import { GruError } from '../base/errors.ts';
import { lengthOf } from '../base/foreign.ts';
import type { Graph } from '../spec/graph.ts';
import { INSPECT } from '../base/host.ts';
import { alive, freeNow, freeWhenForgotten } from '../base/lifetime.ts';
import { Clock } from './clock.ts';
import { readState, slotNames, type Slots, stateLength, writeState } from './slots.ts';
import { allocate } from '../base/limits.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import {
  type Blocks,
  checkTargets,
  newTargets,
  outputSizes,
  putBlocks,
  readBlocks,
  readTargets,
  takeBlocks,
} from './blocks.ts';
import { outputOf, StepIo, type StepInput, type StepOutput } from './step.ts';
import { StreamState } from './stream.ts';
import { describe, isArrayLike, type Numbers } from '../base/tensor.ts';
import { floatsOf } from '../base/numbers.ts';
import { type Values } from '../base/typed-array.ts';

/**
 * Many live sequences on one model, each fed when its data comes. A sequence costs the memory of its states; whichever
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
  private readonly clock: Clock;
  private readonly print: () => Uint8Array;
  /** Sequences that the state is laid out for, room for reading others, and marks of those, for finding doubles. */
  private chosen: Int32Array | undefined;
  private spare: Int32Array | undefined;
  private readonly marks: Uint8Array;

  /** @internal */
  constructor(
    graph: Graph,
    compiled: CompiledModel,
    count: number,
    siblings: Set<StreamState>,
    print: () => Uint8Array,
  ) {
    this.graph = graph;
    this.count = count;
    this.marks = new Uint8Array(count);
    this.clock = new Clock(graph, count);
    this.io = new StepIo(graph, this.clock);
    this.print = print;
    // Last: what throws before it leaves nothing behind.
    this.held = new StreamState(compiled.createState(count), siblings);
    freeWhenForgotten(this, this.held);
  }

  /**
   * Runs one step of the sequences `which`, each named once, and returns the model's first output, (which.length, size): row
   * i is that of sequence `which[i]`.
   *
   * @param x Rows of these sequences in the same order: (which.length, size) features, or (which.length) ids; for a model with
   *   several inputs a record of these by name.
   * @param out Filled and returned, (which.length, size).
   * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range`, `invalid_argument` (all states stay as they
   *   were), `out_of_memory`, `disposed`.
   */
  stepMany<Data extends Values = Float32Array>(which: Numbers, x: StepInput, out?: Data): Data;
  /** The same, filling those of the model's outputs that `out` names. */
  stepMany<R extends Record<string, Values>>(which: Numbers, x: StepInput, out: R): R;
  stepMany(which: Numbers, x: StepInput, out?: StepOutput): StepOutput {
    this.alive();
    const chosen = this.readChoice(which);
    const frame = this.io.read(x, out, chosen.length);
    // Again: the caller's code may have run.
    const state = this.alive();
    this.choose(state, chosen);
    this.io.put(state, frame, chosen.length);
    state.run();
    for (const stream of chosen) this.clock.advance(frame.steps, stream);
    return this.io.take(state, frame, out);
  }

  /**
   * Runs a block of any number of steps of each of the sequences `which`, each named once: the same bits as step by step. Returns the
   * model's first output by sequence, (steps, size) each.
   *
   * @param blocks One a sequence, in the order of `which`: (steps, size) features as a Float32Array, or (steps) ids; for a model with
   *   several inputs a record of such arrays by name.
   * @param out Arrays to be filled and returned, one a sequence, apart from each other.
   * @throws GruError as {@link stepMany} (all states stay as they were).
   *
   * @example
   * const [a, b] = streams.runMany([3, 17], [samplesOf3, samplesOf17]);
   */
  runMany<Data extends Values = Float32Array>(which: Numbers, blocks: Blocks, out?: readonly Data[]): Data[] {
    this.alive();
    const chosen = this.readChoice(which, 'runMany');
    const { dtype } = this.graph.outputs[0]!;
    const read = readBlocks(this.graph, blocks, chosen.length);
    const given = readTargets(out, chosen.length, dtype);
    // Again: the caller's code may have run. From here on none does.
    const state = this.alive();
    this.checkDoubles(chosen, 'runMany');
    this.clock.deriveAll(read.steps, chosen);
    const sizes = outputSizes(this.graph, read);
    if (given) checkTargets(given, sizes);
    const targets = given ?? newTargets(sizes, dtype);
    this.chosen = undefined;
    state.setSequences(
      chosen,
      read.steps.map((lengths) => ({ lengths })),
    );
    putBlocks(this.graph, state, read);
    state.run();
    this.clock.advanceAll(read.steps, chosen);
    takeBlocks(outputOf(state, this.graph, 0), targets, sizes);
    return targets as Data[];
  }

  /** A copy of one sequence's states in the order of `model.states`: an lstm layer's hidden state, then its cell state. @throws GruError. */
  hiddenState(index: number): Float32Array {
    return readState(this.slots(index));
  }

  /** Those of several sequences, (which.length, values): row i is that of sequence `which[i]`. @throws GruError. */
  hiddenStates(which: Numbers): Float32Array {
    const chosen = this.readChoice(which, 'hiddenStates');
    const slots = { graph: this.graph, state: this.alive(), clock: this.clock, index: 0 };
    const length = stateLength(slots);
    const size = chosen.length * length;
    const all = allocate(size, 'hiddenStates', () => new Float32Array(size));
    for (let i = 0; i < chosen.length; i++) {
      slots.index = chosen[i]!;
      readState(slots, all, i * length);
    }
    return all;
  }

  /** Sets one sequence's states, as {@link hiddenState} gives them. @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`, `disposed`. */
  setHiddenState(index: number, given: Numbers): void {
    const all = floatsOf('hiddenState', given);
    writeState(this.slots(index), all);
  }

  /** Begins a sequence anew, or (without an index) all of them. @throws GruError `invalid_argument`, `disposed`. */
  reset(index?: number): void {
    if (index === undefined) {
      this.alive().reset();
      this.clock.reset();
    } else {
      const slots = this.slots(index);
      writeState(slots, new Float32Array(stateLength(slots)));
    }
  }

  /** One sequence's states as bytes, with the model's fingerprint. @throws GruError `invalid_argument`, `disposed`. */
  snapshot(index: number): Uint8Array {
    return encodeSnapshot(this.slots(index), this.print(), slotNames(this.graph));
  }

  /** Takes a {@link snapshot} back, of this model anywhere. @throws GruError `invalid_file` for a damaged one, and for another model's. */
  restore(index: number, bytes: Uint8Array): void {
    const slots = this.slots(index);
    writeState(slots, decodeSnapshot(bytes, this.print(), slotNames(this.graph), stateLength(slots)));
  }

  /** Frees the sequences' memory. Idempotent; any other use afterwards throws GruError `disposed`. */
  dispose(): void {
    freeNow(this.held);
  }

  /** What Node, Deno and Bun print: not the model's graph. @internal */
  [INSPECT](): string {
    return `GruStreams { count: ${this.count} }`;
  }

  /** {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private alive(): BackendState {
    return alive(this.held.state, 'the stream, or its model,');
  }

  /** The indices, each read once: they may be the caller's getters. */
  private readChoice(which: Numbers, what = 'stepMany'): Int32Array {
    if (!isArrayLike(which)) {
      throw new GruError('dtype_mismatch', `${what}: expected an array of indices, got ${describe(which)}`);
    }
    const length = lengthOf(which, what);
    if (length > this.count) {
      throw new GruError('invalid_argument', `${what}: ${length} indices, but there are ${this.count} streams`);
    }
    const indices = this.spare?.length === length ? this.spare : new Int32Array(length);
    this.spare = undefined;
    for (let i = 0; i < length; i++) {
      const given: unknown = which[i];
      const index = typeof given === 'bigint' ? Number(given) : given;
      this.checkIndex(index);
      indices[i] = index;
    }
    return indices;
  }

  private choose(state: BackendState, indices: Int32Array): void {
    const { chosen } = this;
    if (chosen?.length === indices.length && chosen.every((index, i) => index === indices[i])) {
      this.spare = indices;
      return;
    }
    this.checkDoubles(indices);
    this.chosen = undefined;
    const axes = [...this.graph.axes, ...this.graph.derivedAxes];
    const steps = axes.map(() => new Int32Array(indices.length).fill(1));
    this.clock.deriveAll(steps, indices);
    state.setSequences(
      indices,
      steps.map((lengths) => ({ lengths })),
    );
    if (this.clock.size > 0) return;
    this.chosen = indices;
    this.spare = chosen;
  }

  private checkDoubles(indices: Int32Array, what = 'stepMany'): void {
    let double = -1;
    let marked = 0;
    for (; marked < indices.length && double < 0; marked++) {
      const index = indices[marked]!;
      if (this.marks[index]) double = index;
      this.marks[index] = 1;
    }
    while (marked > 0) this.marks[indices[--marked]!] = 0;
    if (double >= 0) throw new GruError('invalid_argument', `${what}: stream ${double} is named twice`);
  }

  private checkIndex(index: unknown): asserts index is number {
    if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < this.count) return;
    const range = `a whole number from 0 to ${this.count - 1}`;
    throw new GruError('invalid_argument', `a stream is named by ${range}, got ${describe(index)}`);
  }

  private slots(index: number): Slots {
    const state = this.alive();
    this.checkIndex(index);
    return { graph: this.graph, state, clock: this.clock, index };
  }
}
