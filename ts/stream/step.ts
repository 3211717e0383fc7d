import type { BackendState } from '../backends/backend.ts';
import { GruError } from '../base/errors.ts';
import { checkApart, copyInto, fill, lengthOf, moved } from '../base/foreign.ts';
import type { Graph } from '../spec/graph.ts';
import type { Clock } from './clock.ts';
import { readIds } from '../run/ids.ts';
import { wantsRecord } from '../run/inputs.ts';
import { ints } from '../base/limits.ts';
import { floatsOf } from '../base/numbers.ts';
import { describe, isArrayLike, isRecord, type Numbers } from '../base/tensor.ts';
import { type ARRAYS, holds, isFloats, isGone, setFew, sizeOf, type Values } from '../base/typed-array.ts';

/**
 * What one step takes for one input: (batch, size) features, or (batch) ids, or an id where batch is 1. Features that are no Float32Array
 * are converted to a new one.
 */
export type StepValue = Numbers | number | bigint;

/** What one step takes: a value, or one for each input by name. */
export type StepInput = StepValue | Record<string, StepValue>;

/** What one step fills: the first output, or some outputs by name; of ids Int32Arrays. */
export type StepOutput = Values | Record<string, Values>;

const NO_IDS: readonly number[] = [];

/** What a step or a block was given, checked: one array an input, and one an output (undefined: not asked for). */
export interface StepFrame {
  /** Steps by axis, those that layers make included; -1 for those that no input has told yet. */
  steps: Int32Array;
  inputs: (Values | undefined)[];
  outputs: (Values | undefined)[];
  /** Ids that came as no Int32Array, by input. */
  ids: (Int32Array | undefined)[];
}

/**
 * Reads what a step or a block of steps is given, brings it to a state laid out for those, and the outputs back. Nothing is allocated: a frame is
 * kept. It is taken while the caller's code may run, so that a step inside a step has one of its own.
 */
export class StepIo {
  private readonly graph: Graph;
  private readonly clock: Clock;
  /** An output that has no row a step. */
  private readonly rowless: string | undefined;
  private readonly inputNames: ReadonlySet<string>;
  private readonly outputIndex: ReadonlyMap<string, number>;
  private readonly outputName = (index: number) => `'${this.graph.outputs[index]!.name}'`;
  private kept: StepFrame | undefined;

  constructor(graph: Graph, clock: Clock) {
    this.graph = graph;
    this.clock = clock;
    this.rowless = graph.outputs.find(({ kind, axis }) => kind === 'sequence' && axis >= graph.axes.length)?.name;
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
    if (inputs.length > 1 || dtype !== 'float32' || outputs[0]!.dtype !== 'float32') return false;
    const [given, gives] = [batch * size, batch * outputs[0]!.size];
    if (sizeOf(x) !== given || sizeOf(out) !== gives) return false;
    setFew(state.inputFloats(0), x, given);
    state.run();
    setFew(out, state.output(0), gives);
    return true;
  }

  /**
   * Reads and checks, each property once. The caller's code may run in here, and nowhere else.
   *
   * @param block Any number of steps, which the inputs tell; else one.
   * @throws GruError naming the input or output, what came and what was expected.
   */
  read(x: StepInput, out: StepOutput | undefined, batch: number, block = false): StepFrame {
    const { inputs, outputs, axes, derivedAxes } = this.graph;
    if (!block && this.rowless !== undefined) throw this.givesNoRow(this.rowless);
    const frame = this.kept ?? {
      steps: new Int32Array(axes.length + derivedAxes.length),
      inputs: inputs.map(() => undefined),
      outputs: outputs.map(() => undefined),
      ids: inputs.map(() => undefined),
    };
    this.kept = undefined;
    // `fill` allocates.
    for (let a = 0; a < axes.length; a++) frame.steps[a] = block ? -1 : 1;
    if (!isRecord(x)) {
      if (inputs.length !== 1) throw wantsRecord(this.graph, x);
      this.readValue(frame, 0, x, batch);
    } else {
      for (let i = 0; i < inputs.length; i++) this.readValue(frame, i, x[inputs[i]!.name], batch);
      for (const name in x) {
        if (!this.inputNames.has(name)) throw new GruError('invalid_argument', `the model has no input '${name}'`);
      }
    }
    // Of the axis of a model of vectors alone no input tells.
    if (frame.steps[0]! < 0) frame.steps[0] = 1;
    if (out !== undefined) this.readOut(frame, out);
    // Sizes last, when no more of the caller's code runs that could step the stream on or shrink an array.
    this.clock.derive(frame.steps);
    this.checkOut(frame, batch);
    return frame;
  }

  /** Copies the inputs in. */
  put(state: BackendState, frame: StepFrame, batch: number): void {
    const { inputs } = this.graph;
    for (let i = 0; i < inputs.length; i++) {
      const port = inputs[i]!;
      const view = port.dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i);
      copyInto(view, 0, frame.inputs[i]!, valuesOf(port, frame, batch), port.name);
    }
  }

  /** Copies the outputs out; without `out` into a new array. The frame is free then. */
  take(state: BackendState, frame: StepFrame, out: StepOutput | undefined): StepOutput {
    const { outputs } = frame;
    const result = out ?? copyOf(outputOf(state, this.graph, 0));
    for (let i = 0; i < outputs.length; i++) {
      const target = outputs[i];
      if (target) fill(target, outputOf(state, this.graph, i));
      outputs[i] = undefined;
    }
    for (let i = 0; i < frame.inputs.length; i++) frame.inputs[i] = undefined;
    this.kept = frame;
    return result;
  }

  private readOut({ outputs }: StepFrame, out: StepOutput): void {
    const ports = this.graph.outputs;
    const { dtype } = ports[0]!;
    if (holds(out, dtype)) {
      outputs[0] = out;
      return;
    }
    if (!isRecord(out)) {
      throw new GruError(
        'dtype_mismatch',
        `out: expected ${withArticle(dtype)} or a record of outputs, got ${describe(out)}`,
      );
    }
    for (const name in out) {
      const index = this.outputIndex.get(name);
      if (index === undefined) throw new GruError('invalid_argument', `out: the model has no output '${name}'`);
      const array: unknown = out[name];
      const { dtype } = ports[index]!;
      if (!holds(array, dtype)) {
        throw new GruError(
          'dtype_mismatch',
          `out for '${name}': expected ${withArticle(dtype)}, got ${describe(array)}`,
        );
      }
      outputs[index] = array;
    }
  }

  private checkOut(frame: StepFrame, batch: number): void {
    const { outputs } = frame;
    const ports = this.graph.outputs;
    for (let i = 0; i < outputs.length; i++) {
      const array = outputs[i];
      if (!array) continue;
      const { name } = ports[i]!;
      const expected = valuesOf(ports[i]!, frame, batch);
      if (presentSize(array, name) !== expected) {
        const text = `${expected} values ${rowText(ports[i]!, frame, batch)}`;
        throw new GruError('shape_mismatch', `out for '${name}': expected ${text}, got ${sizeOf(array)}`);
      }
    }
    checkApart(outputs, this.outputName);
  }

  private readValue(frame: StepFrame, index: number, x: unknown, batch: number): void {
    const input = this.graph.inputs[index]!;
    if (input.dtype === 'float32') {
      const floats = isFloats(x) ? x : floatsOf(`input '${input.name}'`, x);
      checkLength(input, frame, presentSize(floats, input.name), batch);
      frame.inputs[index] = floats;
      return;
    }
    const single = typeof x === 'number' || typeof x === 'bigint';
    if (!single && !isArrayLike(x)) {
      throw new GruError('dtype_mismatch', `input '${input.name}': expected ids, got ${describe(x)}`);
    }
    const length = single ? 1 : lengthOf(x, input.name);
    checkLength(input, frame, length, batch);
    let ids = frame.ids[index];
    if (ids?.length !== length) ids = frame.ids[index] = ints(length, input.name);
    readIds(input, single ? NO_IDS : x, ids, undefined, undefined, single ? x : undefined);
    frame.inputs[index] = ids;
  }

  private givesNoRow(output: string): GruError {
    const text = `output '${output}' has no row for each step (a layer makes steps of its own)`;
    return new GruError('not_streamable', `${text}: give blocks to run or runMany`);
  }
}

/** The rows of an output, as its dtype has them. */
export function outputOf(state: BackendState, { outputs }: Graph, index: number): Values {
  return outputs[index]!.dtype === 'int32' ? state.outputIds(index) : state.output(index);
}

/** The length of an array. @throws GruError `shape_mismatch` where its buffer is gone, which else looks like an empty one. */
function presentSize(array: Values, what: string): number {
  const size = sizeOf(array);
  if (size > 0 || !isGone(array)) return size;
  throw moved(`'${what}'`);
}

function withArticle(dtype: keyof typeof ARRAYS): string {
  return dtype === 'int32' ? 'an Int32Array' : 'a Float32Array';
}

function copyOf(values: Values): Values {
  const copy = new (values instanceof Int32Array ? Int32Array : Float32Array)(values.length);
  fill(copy, values);
  return copy;
}

type Port = Pick<Graph['inputs'][number], 'kind' | 'axis' | 'size'>;

/** Values of an input or an output. */
function valuesOf({ kind, axis, size }: Port, { steps }: StepFrame, batch: number): number {
  return kind === 'vector' ? batch * size : batch * steps[axis]! * size;
}

function rowText({ kind, axis, size }: Port, { steps }: StepFrame, batch: number): string {
  const count = steps[axis]!;
  return kind === 'vector' || count === 1
    ? `(batch ${batch} x ${size})`
    : `(batch ${batch} x steps ${count} x ${size})`;
}

/** Whether a value has the rows of its axis; the first of a block's tells how many. */
function checkLength(port: Graph['inputs'][number], frame: StepFrame, got: number, batch: number): void {
  const { name, kind, axis, size } = port;
  const { steps } = frame;
  if (kind === 'sequence' && steps[axis]! < 0) {
    const count = got / (batch * size);
    if (Number.isInteger(count)) {
      steps[axis] = count;
      return;
    }
    const text = `a multiple of ${batch * size} values (batch ${batch} x steps x ${size})`;
    throw new GruError('shape_mismatch', `input '${name}': a block takes ${text}, got ${got}`);
  }
  const expected = valuesOf(port, frame, batch);
  if (got === expected) return;
  const what = steps[axis] === 1 ? 'a step' : 'the block';
  const text = `${expected} values ${rowText(port, frame, batch)}`;
  throw new GruError('shape_mismatch', `input '${name}': ${what} takes ${text}, got ${got}`);
}
