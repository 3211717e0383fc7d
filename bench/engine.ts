import type { Case } from './cases.ts';

/** Weights of one direction of a layer: rows in gate order z, r, n, or i, f, g, o, or an RNN's one (G gates), output-major. */
export interface Weights {
  /** (G H, I); of a convolution (H, taps, I) */
  input: Float32Array;
  /** (G H, H); nothing where there is no cell. */
  recurrent: Float32Array;
  /** (G H) */
  bias: Float32Array;
  /** (H): a GRU's candidate's, with `resetAfter` only. */
  recurrentBias: Float32Array | undefined;
}

/** What an engine is to compute. */
export interface Task {
  case: Case;
  /** Each layer's directions. */
  layers: Weights[][];
  /** (batch, steps, inputSize) */
  x: Float32Array;
  /** (batch, hiddenSize) */
  h0: Float32Array | undefined;
}

/** A task made ready. */
export interface Runner {
  /**
   * How sequences lie in what it takes and gives: (batch, steps, size), (steps, batch, size) or (batch, size, steps). The
   * engine's own default.
   */
  layout: 'batch-major' | 'time-major' | 'channels-first';
  /** From a Float32Array of the caller's to one of the caller's. In a `step` case: one step, from where the last one ended. */
  run(x: Float32Array): Float32Array | Promise<Float32Array>;
  free?(): void;
}

/** What a user of an engine downloads. */
export interface Shipped {
  /** An import to bundle. */
  code: string;
  /** Files beside it: paths from bench/. */
  files?: string[];
  external?: string[];
  /** Chunks that not every program loads, by what they are: patterns of the files that they start from. */
  onDemand?: Record<string, RegExp>;
}

export interface Engine {
  name: string;
  hosts: ('node' | 'page')[];
  /** Packages whose versions are recorded. */
  packages?: string[];
  /** Flags of the Node that it runs in. */
  flags?: string[];
  /** Gives no results to check: it only shows what is possible. */
  isCeiling?: boolean;
  /** How far its results may be from the reference, where it is not {@link TOLERANCE} of reference.ts. */
  tolerance?: number;
  /** What a user downloads. */
  ships?: Shipped | undefined;
  /** Whether a case is for this engine, or why not. `false` says: not meant for it, no word about it. */
  takes(c: Case): true | false | string;
  /** Writes the model in the engine's own file format, where it has one: before any clock starts. */
  write?(task: Task): void;
  /** Imports what it needs; throws {@link LeftOut} where it cannot run. */
  load(): Promise<void>;
  prepare(task: Task): Runner | Promise<Runner>;
}

/** An engine that is not timed, for a reason that is no failure. */
export class LeftOut extends Error {}

/** The cases that go through the front door of a library. */
export const isWholeRun = (c: Case) => c.kind === 'run' || c.kind === 'step' || c.kind === 'cold';
