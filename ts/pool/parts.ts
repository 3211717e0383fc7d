import { Arena } from './arena.ts';
import { copyInto } from '../base/foreign.ts';
import { allocate } from '../base/limits.ts';
import { type Tensor, zeros } from '../base/tensor.ts';
import type { Values } from '../base/typed-array.ts';
import type { RunOptions } from '../run/options.ts';
import { padRows } from '../run/batch.ts';
import { type RunInputs, readInputs } from '../run/inputs.ts';
import { outputShape, paddedBy } from '../run/result.ts';
import type { PoolResult } from './types.ts';
import { fillStates, newStates, readStates, stateName } from '../run/states.ts';
import type { Graph, GraphOutput } from '../spec/graph.ts';
import { runSlots, type StateGroup } from '../spec/state-groups.ts';
import type { Job } from './messages.ts';
import type { Span } from './work.ts';

/** The inputs of a run, ready to be cut: rows of each sequence follow each other without padding, or time-major ones. */
export interface Batch {
  run: RunInputs;
  inputs: Values[];
  /** By group of states, as `readStates` gives them. */
  initial: readonly (Float32Array | undefined)[];
  /** By axis: where the rows of each sequence start, where sequences differ in length. */
  offsets: (Int32Array | undefined)[];
}

/** Checks what `run` is given. @throws GruError as `GruModel.run` does. */
export function readRun(
  graph: Graph,
  groups: StateGroup[],
  input: unknown,
  options: RunOptions,
): Pick<Batch, 'run' | 'initial'> {
  const run = readInputs('pool.run', graph, input, options);
  return { run, initial: readStates('pool.run: initialStates', groups, options.initialStates, run) };
}

/**
 * Copies what the caller may change while the call waits; padding is left out.
 *
 * @throws GruError `out_of_memory`; `shape_mismatch` where an array was resized or transferred while others were read.
 */
export function prepare(graph: Graph, groups: StateGroup[], { run, initial }: Pick<Batch, 'run' | 'initial'>): Batch {
  const inputs = graph.inputs.map(({ name, dtype, kind, size, axis }, i): Values => {
    const { steps, ragged } = run.axes[axis]!;
    const rows = kind === 'vector' ? run.batch : (ragged?.steps.length ?? run.batch * steps);
    const into = room(dtype === 'int32' ? Int32Array : Float32Array, rows * size, `input '${name}'`);
    run.copy(i, into);
    return into;
  });
  const states = groups.map((group, g) => {
    const given = initial[g];
    if (!given) return undefined;
    const what = stateName('initialStates', group);
    const into = room(Float32Array, group.count * run.batch * group.size, what) as Float32Array;
    copyInto(into, 0, given, into.length, `pool.run: ${what}`);
    return into;
  });
  const offsets = run.axes.map(({ ragged }) => ragged && offsetsOf(ragged.lengths));
  return { run, initial: states, inputs, offsets };
}

function room(Kind: new (length: number) => Values, length: number, what: string): Values {
  return allocate(length, `pool.run: the copy of ${what}`, () => new Kind(length));
}

function offsetsOf(lengths: Int32Array): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, b) => (offsets[b + 1] = offsets[b]! + length));
  return offsets;
}

const count = (spans: Span[]) => spans.reduce((n, { from, to }) => n + to - from, 0);

/** How the rows of a value lie. */
type Port = Pick<GraphOutput, 'kind' | 'axis' | 'size'>;

/** Calls back for each block of rows that follow each other both in the whole run and in the part. */
function eachBlock(
  { run, offsets: all }: Batch,
  spans: Span[],
  { kind, axis }: Port,
  visit: (whole: number, part: number, rows: number) => void,
): void {
  const { batch } = run;
  const { steps } = run.axes[axis]!;
  const offsets = all[axis];
  if (kind === 'sequence' && run.timeMajor && !offsets) {
    const width = count(spans);
    for (let t = 0; t < steps; t++) {
      let at = t * width;
      for (const { from, to } of spans) {
        visit(t * batch + from, at, to - from);
        at += to - from;
      }
    }
    return;
  }
  const row = (b: number) => (kind === 'vector' ? b : offsets ? offsets[b]! : b * steps);
  let at = 0;
  for (const { from, to } of spans) {
    const rows = row(to) - row(from);
    visit(row(from), at, rows);
    at += rows;
  }
}

function rowsOf({ run, offsets: all }: Batch, spans: Span[], { kind, axis }: Port): number {
  if (kind === 'vector') return count(spans);
  const offsets = all[axis];
  if (!offsets) return count(spans) * run.axes[axis]!.steps;
  return spans.reduce((n, { from, to }) => n + offsets[to]! - offsets[from]!, 0);
}

/** A value of one row a sequence. */
const vector = (size: number): Port => ({ kind: 'vector', axis: 0, size });

function take<T extends Values>(batch: Batch, spans: Span[], port: Port, whole: T, arena: Arena): T {
  const { size } = port;
  const length = rowsOf(batch, spans, port) * size;
  const part = (whole instanceof Int32Array ? arena.ints(length) : arena.floats(length)) as T;
  eachBlock(batch, spans, port, (from, to, rows) => {
    part.set(whole.subarray(from * size, (from + rows) * size), to * size);
  });
  return part;
}

/** A part of a run, copied for a worker. */
export function cut(graph: Graph, groups: StateGroup[], batch: Batch, spans: Span[], id: number, arena: Arena): Job {
  const ticket = arena.restart(id);
  const { run } = batch;
  const sizes = results(graph).map((port) => rowsOf(batch, spans, port) * port.size);
  return {
    id,
    ticket,
    batch: count(spans),
    axes: run.axes.map(({ steps, ragged }) => ({
      steps,
      ragged: ragged && { lengths: take(batch, spans, vector(1), ragged.lengths, arena) },
    })),
    timeMajor: run.timeMajor,
    inputs: graph.inputs.map((port, i) => take(batch, spans, port, batch.inputs[i]!, arena)),
    initial: groups.flatMap(({ count: directions, size: units }, g) =>
      Array.from({ length: directions }, (_, d) => {
        const size = run.batch * units;
        const states = batch.initial[g]?.subarray(d * size, (d + 1) * size);
        return states && take(batch, spans, vector(units), states, arena);
      }),
    ),
    sizes,
    results: Arena.shared ? sizes.map((size) => arena.floats(size)) : undefined,
  };
}

/** What an answer holds. */
function results(graph: Graph): Port[] {
  return [...graph.outputs, ...runSlots(graph).map((index) => vector(graph.states[index]!.size))];
}

/** Puts the parts of a result together. */
export class Assembly {
  private readonly graph: Graph;
  private readonly batch: Batch;
  private results: Float32Array[] = [];

  constructor(graph: Graph, batch: Batch) {
    this.graph = graph;
    this.batch = batch;
  }

  /** @param parts What a worker answered; in shared memory it is copied before this or {@link result} returns. */
  put(spans: Span[], parts: Float32Array[]): void {
    const { batch } = this;
    if (count(spans) === batch.run.batch) {
      this.results = parts;
      return;
    }
    const all: Span[] = [{ from: 0, to: batch.run.batch }];
    results(this.graph).forEach((port, i) => {
      const { size } = port;
      const whole = (this.results[i] ??= new Float32Array(rowsOf(batch, all, port) * size));
      eachBlock(batch, spans, port, (to, from, rows) => {
        whole.set(parts[i]!.subarray(from * size, (from + rows) * size), to * size);
      });
    });
  }

  /** All parts are in, the last one in this very turn. */
  result(groups: StateGroup[]): PoolResult {
    const { run } = this.batch;
    const tensors = this.graph.outputs.map((output, i): [string, Tensor<Values>] => {
      const values = this.results[i]!;
      const shape = outputShape(output, run);
      const ragged = paddedBy(output, run);
      if (ragged) {
        const padded = zeros(shape, output.dtype);
        padRows(ragged, values, output.size, run.axes[output.axis]!.steps, run.timeMajor, padded.data);
        return [output.name, padded];
      }
      if (output.dtype === 'int32') return [output.name, { data: Int32Array.from(values), shape }];
      return [output.name, { data: values.buffer instanceof ArrayBuffer ? values : new Float32Array(values), shape }];
    });
    const { states, arrays } = newStates(groups, run);
    // Behind the outputs, in the order in which they are filled.
    let next = this.graph.outputs.length;
    fillStates(groups, arrays, (_, out) => {
      out.set(this.results[next++]!);
    });
    return { output: tensors[0]![1], outputs: Object.fromEntries(tensors), states } as PoolResult;
  }
}
