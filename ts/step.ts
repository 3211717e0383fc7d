import type { BackendState } from './backend.ts';
import { GruError } from './errors.ts';
import { copyInto, fill, lengthOf, overlap } from './foreign.ts';
import type { Graph } from './graph.ts';
import { readIds } from './ids.ts';
import { checkFeatures } from './inputs.ts';
import { ints } from './limits.ts';
import { describe, isArrayLike, isRecord } from './tensor.ts';
import { isFloats, setFrom, sizeOf, type Values } from './typed-array.ts';

/** What one step takes for one input: (batch, size) features, or (batch) ids, or an id where batch is 1. */
export type StepValue = Float32Array | ArrayLike<number> | number;

/** What one step takes: a value, or one for each input by name. */
export type StepInput = StepValue | Record<string, StepValue>;

/** What one step fills: the first output, or some outputs by name. */
export type StepOutput = Float32Array | Record<string, Float32Array>;

const NO_IDS: readonly number[] = [];

/** What a step was given, checked: one array an input, and one an output (undefined: not asked for). */
export interface StepFrame {
  inputs: (Values | undefined)[];
  outputs: (Float32Array | undefined)[];
  /** Ids that came as no Int32Array, by input. */
  ids: (Int32Array | undefined)[];
}

/**
 * Reads what a step is given, brings it to a state laid out for one step, and the outputs back. Nothing is allocated: a frame is
 * kept. It is taken while the caller's code may run, so that a step inside a step has one of its own.
 */
export class StepIo {
  private readonly graph: Graph;
  private readonly inputNames: ReadonlySet<string>;
  private readonly outputIndex: ReadonlyMap<string, number>;
  private kept: StepFrame | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
    this.inputNames = new Set(graph.inputs.map(({ name }) => name));
    this.outputIndex = new Map(graph.outputs.map(({ name }, i) => [name, i]));
  }

  /**
   * The step of one array in and one out, without a frame: none of the caller's code can run in it. (Of 2 us a step of 64 units it
   * saves 0.08.)
   *
   * @returns False where it is no such step, or a wrong one; nothing has been done then.
   */
  stepFloats(state: BackendState, x: unknown, out: unknown, batch: number): boolean {
    if (!isFloats(x) || !isFloats(out)) return false;
    const { inputs, outputs } = this.graph;
    const { dtype, size } = inputs[0]!;
    if (inputs.length > 1 || dtype !== 'float32') return false;
    if (sizeOf(x) !== batch * size || sizeOf(out) !== batch * outputs[0]!.size) return false;
    setFrom(state.inputFloats(0), x);
    state.run();
    setFrom(out, state.output(0));
    return true;
  }

  /**
   * Reads and checks, each property once. The caller's code may run in here, and nowhere else.
   *
   * @throws GruError naming the input or output, what came and what was expected.
   */
  read(x: StepInput, out: StepOutput | undefined, batch: number): StepFrame {
    const { inputs, outputs } = this.graph;
    const frame = this.kept ?? {
      inputs: inputs.map(() => undefined),
      outputs: outputs.map(() => undefined),
      ids: inputs.map(() => undefined),
    };
    this.kept = undefined;
    if (!isRecord(x)) {
      if (inputs.length !== 1) throw this.wantsRecord(x);
      this.readValue(frame, 0, x, batch);
    } else {
      for (let i = 0; i < inputs.length; i++) this.readValue(frame, i, x[inputs[i]!.name], batch);
      for (const name in x) {
        if (!this.inputNames.has(name)) throw new GruError('invalid_argument', `the model has no input '${name}'`);
      }
    }
    if (out === undefined) return frame;
    this.readOut(frame, out);
    // Sizes last, when no more of the caller's code runs that could shrink an array.
    this.checkOut(frame, batch);
    return frame;
  }

  /** Copies the inputs in. */
  put(state: BackendState, frame: StepFrame, batch: number): void {
    const { inputs } = this.graph;
    for (let i = 0; i < inputs.length; i++) {
      const { dtype, size, name } = inputs[i]!;
      const view = dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i);
      copyInto(view, 0, frame.inputs[i]!, batch * size, name);
    }
  }

  /** Copies the outputs out; without `out` into a new array. The frame is free then. */
  take(state: BackendState, frame: StepFrame, out: StepOutput | undefined): StepOutput {
    const { outputs } = frame;
    const result = out ?? copyOf(state.output(0));
    for (let i = 0; i < outputs.length; i++) {
      const target = outputs[i];
      if (target) fill(target, state.output(i));
      outputs[i] = undefined;
    }
    for (let i = 0; i < frame.inputs.length; i++) frame.inputs[i] = undefined;
    this.kept = frame;
    return result;
  }

  private readOut({ outputs }: StepFrame, out: StepOutput): void {
    if (isFloats(out)) {
      outputs[0] = out;
      return;
    }
    if (!isRecord(out)) {
      throw new GruError('dtype_mismatch', `out: expected a Float32Array or a record of them, got ${describe(out)}`);
    }
    for (const name in out) {
      const index = this.outputIndex.get(name);
      if (index === undefined) throw new GruError('invalid_argument', `out: the model has no output '${name}'`);
      const array: unknown = out[name];
      if (!isFloats(array)) {
        throw new GruError('dtype_mismatch', `out for '${name}': expected a Float32Array, got ${describe(array)}`);
      }
      outputs[index] = array;
    }
  }

  private checkOut({ outputs }: StepFrame, batch: number): void {
    const ports = this.graph.outputs;
    for (let i = 0; i < outputs.length; i++) {
      const array = outputs[i];
      if (!array) continue;
      const { name, size } = ports[i]!;
      if (sizeOf(array) !== batch * size) {
        const expected = `${batch * size} values (batch ${batch} x ${size})`;
        throw new GruError('shape_mismatch', `out for '${name}': expected ${expected}, got ${sizeOf(array)}`);
      }
      for (let k = 0; k < i; k++) {
        // One would overwrite the other.
        if (!outputs[k] || !overlap(array, outputs[k]!)) continue;
        const names = `'${ports[k]!.name}' and '${name}'`;
        throw new GruError('invalid_argument', `out: the arrays of ${names} overlap; give each one of its own`);
      }
    }
  }

  private readValue(frame: StepFrame, index: number, x: unknown, batch: number): void {
    const input = this.graph.inputs[index]!;
    if (input.dtype === 'float32') {
      checkFeatures(input, x);
      checkLength(input, sizeOf(x as Float32Array), batch);
      frame.inputs[index] = x as Float32Array;
      return;
    }
    const single = typeof x === 'number';
    if (!single && !isArrayLike(x)) {
      throw new GruError('dtype_mismatch', `input '${input.name}': expected ids, got ${describe(x)}`);
    }
    checkLength(input, single ? 1 : lengthOf(x, input.name), batch);
    let ids = frame.ids[index];
    if (ids?.length !== batch) ids = frame.ids[index] = ints(batch, input.name);
    readIds(input, single ? NO_IDS : x, ids, undefined, undefined, single ? x : undefined);
    frame.inputs[index] = ids;
  }

  private wantsRecord(x: unknown): GruError {
    const names = this.graph.inputs.map((input) => input.name).join(', ');
    return new GruError('invalid_argument', `the model takes a record of its inputs ${names}; got ${describe(x)}`);
  }
}

function copyOf(values: Float32Array): Float32Array {
  const copy = new Float32Array(values.length);
  fill(copy, values);
  return copy;
}

function checkLength({ name, size }: Graph['inputs'][number], got: number, batch: number): void {
  const expected = batch * size;
  if (got === expected) return;
  const shape = `(batch ${batch} x ${size})`;
  throw new GruError('shape_mismatch', `input '${name}': a step takes ${expected} values ${shape}, got ${got}`);
}
