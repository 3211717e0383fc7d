import { checkSteps } from '../base/limits.ts';
import { rules } from '../layers/index.ts';
import { stepsGiven } from '../spec/derived-axes.ts';
import type { Graph } from '../spec/graph.ts';

/** Where a count is kept among 32-bit floats: its 20 low bits, and the rest. */
const LOW = 2 ** 20;

/** Most steps that a clock counts: both halves are exact. */
const MAX_STEPS = 2 ** 44;

/**
 * The steps that streams have taken on the axes of their inputs, from which follows how many a block gives on the axes that layers
 * make: a convolution of stride 2 gives a row of every second one. Models without such axes have none.
 */
export class Clock {
  /** Values of it that a stream's state has: two an axis. */
  readonly size: number;
  readonly #graph: Graph;
  readonly #axes: number;
  /** (streams, axes) */
  readonly #seen: Float64Array;
  readonly #before: Float64Array;
  readonly #after: Float64Array;

  constructor(graph: Graph, streams: number) {
    this.#graph = graph;
    this.#axes = graph.derivedAxes.length > 0 ? graph.axes.length : 0;
    this.size = 2 * this.#axes;
    this.#seen = new Float64Array(streams * this.#axes);
    const all = this.#axes + graph.derivedAxes.length;
    this.#before = new Float64Array(all);
    this.#after = new Float64Array(all);
  }

  /** Fills in the steps of the axes that layers make, behind those of the inputs' axes. @throws GruError `out_of_memory`. */
  derive(steps: Int32Array, stream = 0): void {
    for (let a = 0; a < this.#axes; a++) {
      this.#before[a] = this.#seen[stream * this.#axes + a]!;
      this.#after[a] = this.#before[a]! + steps[a]!;
    }
    const { derivedAxes } = this.#graph;
    for (let d = 0; d < derivedAxes.length; d++) {
      const axis = derivedAxes[d]!;
      const a = this.#axes + d;
      this.#before[a] = stepsGiven(axis, this.#before[axis.from] ?? 0);
      this.#after[a] = stepsGiven(axis, this.#after[axis.from] ?? 0);
      steps[a] = checkSteps(this.#after[a] - this.#before[a]);
    }
  }

  /** The same for several streams: (axes, streams). */
  deriveAll(steps: readonly Int32Array[], streams: Int32Array): void {
    this.#each(steps, streams, (one, stream) => {
      this.derive(one, stream);
    });
  }

  /** Goes on by the steps of the inputs' axes. */
  advance(steps: Int32Array, stream = 0): void {
    for (let a = 0; a < this.#axes; a++) this.#seen[stream * this.#axes + a]! += steps[a]!;
  }

  /** The same for several streams: (axes, streams). */
  advanceAll(steps: readonly Int32Array[], streams: Int32Array): void {
    this.#each(steps, streams, (one, stream) => {
      this.advance(one, stream);
    });
  }

  #each(steps: readonly Int32Array[], streams: Int32Array, visit: (steps: Int32Array, stream: number) => void): void {
    if (this.size === 0) return;
    const one = new Int32Array(steps.length);
    for (let i = 0; i < streams.length; i++) {
      for (let a = 0; a < one.length; a++) one[a] = steps[a]![i]!;
      visit(one, streams[i]!);
      for (let a = 0; a < one.length; a++) steps[a]![i] = one[a]!;
    }
  }

  reset(): void {
    this.#seen.fill(0);
  }

  /** Puts a stream's counts into values of its state, from `at` on. */
  write(into: Float32Array, at: number, stream = 0): void {
    for (let a = 0; a < this.#axes; a++) {
      const seen = this.#seen[stream * this.#axes + a]!;
      into[at + 2 * a] = seen % LOW;
      into[at + 2 * a + 1] = Math.floor(seen / LOW);
    }
  }

  /** Takes a stream's counts out of its state, whose end they are; false, and all as before, where one is none or a layer's is another. */
  read(all: Float32Array, stream = 0): boolean {
    const from = all.subarray(-this.size);
    const seen = Array.from({ length: this.#axes }, (_, a) => from[2 * a]! + from[2 * a + 1]! * LOW);
    const isCount = (n: number, a: number) => n % 1 === 0 && n >= 0 && n <= MAX_STEPS && from[2 * a]! < LOW;
    const fit = seen.every(isCount) && rules.countsFit?.(this.#graph, all, seen, stepsGiven) !== false;
    if (fit) this.#seen.set(seen, stream * this.#axes);
    return fit;
  }
}
