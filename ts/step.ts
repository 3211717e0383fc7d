import type { BackendState } from './backend.ts';
import { GruError } from './errors.ts';
import type { Graph } from './graph.ts';
import { checkFeatures, checkId } from './inputs.ts';
import { describe, isArrayLike, isRecord } from './tensor.ts';

/** What one step takes for one input: (batch, size) features, or (batch) ids, or an id where batch is 1. */
export type StepValue = Float32Array | ArrayLike<number> | number;

/** What one step takes: a value, or one for each input by name. */
export type StepInput = StepValue | Record<string, StepValue>;

/** What one step fills: the first output, or some outputs by name. */
export type StepOutput = Float32Array | Record<string, Float32Array>;

/** Brings the inputs of a step to a state laid out for one step of `batch` sequences, and its outputs back. Allocates nothing. */
export class StepIo {
  private readonly graph: Graph;
  private readonly inputNames: ReadonlySet<string>;
  private readonly outputIndex: ReadonlyMap<string, number>;

  constructor(graph: Graph) {
    this.graph = graph;
    this.inputNames = new Set(graph.inputs.map(({ name }) => name));
    this.outputIndex = new Map(graph.outputs.map(({ name }, i) => [name, i]));
  }

  /** @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`, before anything is computed. */
  checkOut(out: StepOutput | undefined, batch: number): void {
    if (out === undefined) return;
    if (out instanceof Float32Array) {
      this.checkOne(0, out, batch);
      return;
    }
    if (!isRecord(out)) {
      throw new GruError('dtype_mismatch', `out: expected a Float32Array or a record of them, got ${describe(out)}`);
    }
    for (const name in out) {
      const index = this.outputIndex.get(name);
      if (index === undefined) throw new GruError('invalid_argument', `out: the model has no output '${name}'`);
      this.checkOne(index, out[name], batch);
    }
  }

  /** Copies the inputs in. @throws GruError naming the input, what came and what was expected. */
  put(state: BackendState, x: StepInput, batch: number): void {
    const { inputs } = this.graph;
    if (!isRecord(x)) {
      if (inputs.length === 1) this.feed(state, 0, x, batch);
      else throw this.wantsRecord(x);
      return;
    }
    for (let i = 0; i < inputs.length; i++) this.feed(state, i, x[inputs[i]!.name], batch);
    for (const name in x) {
      if (!this.inputNames.has(name)) throw new GruError('invalid_argument', `the model has no input '${name}'`);
    }
  }

  /** Copies the outputs out; without `out` into a new array. */
  take(state: BackendState, out: StepOutput | undefined): StepOutput {
    if (out === undefined) return state.output(0).slice();
    if (out instanceof Float32Array) {
      out.set(state.output(0));
      return out;
    }
    for (const name in out) out[name]?.set(state.output(this.outputIndex.get(name)!));
    return out;
  }

  private feed(state: BackendState, index: number, x: unknown, batch: number): void {
    const input = this.graph.inputs[index]!;
    if (input.dtype === 'float32') {
      checkFeatures(input, x);
      const view = state.inputFloats(index);
      checkLength(input.name, view.length, (x as Float32Array).length, batch);
      view.set(x as Float32Array);
      return;
    }
    const view = state.inputIds(index);
    if (typeof x === 'number') {
      checkLength(input.name, view.length, 1, batch);
      feedId(input, view, 0, x, batch);
      return;
    }
    if (!isArrayLike(x)) {
      throw new GruError('dtype_mismatch', `input '${input.name}': expected ids, got ${describe(x)}`);
    }
    checkLength(input.name, view.length, x.length, batch);
    for (let i = 0; i < x.length; i++) feedId(input, view, i, x[i]!, batch);
  }

  private checkOne(index: number, out: unknown, batch: number): void {
    const { name, size } = this.graph.outputs[index]!;
    if (!(out instanceof Float32Array)) {
      throw new GruError('dtype_mismatch', `out for '${name}': expected a Float32Array, got ${describe(out)}`);
    }
    if (out.length !== batch * size) {
      const expected = `${batch * size} values (batch ${batch} x ${size})`;
      throw new GruError('shape_mismatch', `out for '${name}': expected ${expected}, got ${out.length}`);
    }
  }

  private wantsRecord(x: unknown): GruError {
    const names = this.graph.inputs.map((input) => input.name).join(', ');
    return new GruError('invalid_argument', `the model takes a record of its inputs ${names}; got ${describe(x)}`);
  }
}

function feedId(input: Graph['inputs'][number], view: Int32Array, i: number, id: number, batch: number): void {
  if (!Number.isInteger(id) || id < 0 || id >= input.vocabularySize) checkId(input, id, i, [batch]);
  view[i] = id;
}

function checkLength(name: string, expected: number, got: number, batch: number): void {
  if (got === expected) return;
  const shape = `(batch ${batch} x ${expected / batch})`;
  throw new GruError('shape_mismatch', `input '${name}': a step takes ${expected} values ${shape}, got ${got}`);
}
