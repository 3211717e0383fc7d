import { flushed } from '../../ts/base/denormals.ts';
import { dtyped, DTYPES, type WeightTensor } from '../../ts/base/weights.ts';
import { execFileSync } from 'node:child_process';
import { NO_AXIS, stepsGiven, stepsOf } from '../../ts/spec/derived-axes.ts';
import { type Graph, valuesOf } from '../../ts/spec/graph.ts';
import { paramWords } from '../../ts/layers/kind.ts';

/** One run of a model: what each engine is given. */
export interface Run {
  graph: Graph;
  lengths: number[];
  /** Steps that came before, as the states say; none where it is left out. */
  seen?: number;
  /** On the second axis, where they differ from those on the first. */
  sourceLengths?: number[];
  timeMajor: boolean;
  /** Data of each input, in the layout of `BackendState`. */
  inputs: (Float32Array | Int32Array)[];
  /** Hidden states at the start, one a state of the graph. */
  hidden: Float32Array[];
}

/** What a run gives: each output, then each hidden state. */
export type RunResult = Float32Array[];

/** The lengths of each axis: those of the run, and those that layers make of them. */
export function axisLengths(run: Omit<Run, 'inputs' | 'hidden'>): number[][] {
  const { graph, lengths, sourceLengths = lengths, seen } = run;
  const all = graph.axes.map((_, axis) => (axis === 1 ? sourceLengths : lengths));
  for (const axis of graph.derivedAxes) {
    all.push(
      lengths.map((_, b) => {
        const steps = axis.from === NO_AXIS ? 0 : all[axis.from]![b]!;
        return seen === undefined ? stepsOf(axis, steps) : stepsGiven(axis, seen + steps) - stepsGiven(axis, seen);
      }),
    );
  }
  return all;
}

function words(run: Run): number[] {
  const { graph, lengths, timeMajor, inputs, hidden } = run;
  const out: number[] = [];
  const list = (values: ArrayLike<number>) => {
    out.push(values.length);
    for (const value of Array.from(values)) out.push(value >>> 0);
  };
  const data = (values: Float32Array | Int32Array | Int16Array | Int8Array) => {
    const bytes = new Uint8Array(Math.ceil(values.byteLength / 4) * 4);
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    list(new Uint32Array(bytes.buffer));
  };
  out.push(graph.inputs.length);
  for (const { kind, axis, size, dtype } of graph.inputs) {
    out.push(kind === 'sequence' ? axis + 1 : 0, size, dtype === 'float32' ? 1 : 0);
  }
  const nested = graph.derivedAxes.flatMap(({ from, each }, i) =>
    each === undefined ? [] : [[graph.axes.length + i, from, each]],
  );
  out.push(nested.length, ...nested.flat());
  out.push(graph.nodes.length);
  for (const node of graph.nodes) {
    const { layer, kind, inputs, outputAxis, per } = node;
    out.push(kind.code, per === undefined ? 0 : per + 1);
    list(inputs);
    list(paramWords(kind.params(layer, outputAxis, valuesOf(graph, node))));
    const weights: Record<string, WeightTensor | undefined> = 'weights' in layer ? layer.weights : {};
    const slots = kind.tensors(layer);
    out.push(slots.length);
    for (const { key } of slots) {
      const tensor = dtyped(weights[key] ?? new Float32Array(0));
      out.push(DTYPES.indexOf(tensor.dtype), tensor.data.length);
      data(flushed(tensor.data));
      data(tensor.scales ?? new Float32Array(0));
    }
  }
  list(graph.outputs.map(({ value }) => value));
  const all = axisLengths(run);
  out.push(lengths.length, timeMajor ? 2 ** all.length - 1 : 0);
  list(all.flat());
  inputs.forEach(data);
  out.push(hidden.length);
  hidden.forEach(data);
  return out;
}

const COMMAND = ['run', '--quiet', '--release', '--package', 'gru-wasm', '--example', 'parity'];

/** Kinds of layers that the core knows, by number. */
export function nativeLayers(): string[] {
  return execFileSync('cargo', [...COMMAND, '--', 'layers'], { encoding: 'utf8' })
    .trim()
    .split('\n');
}

/** Runs all cases on the native scalar build of the core, in one process. */
export function runNative(runs: Run[]): RunResult[] {
  const input = Buffer.concat(runs.map((run) => Buffer.from(Uint32Array.from(words(run)).buffer)));
  const stdout = execFileSync(
    'cargo',
    ['run', '--quiet', '--release', '--package', 'gru-wasm', '--example', 'parity'],
    {
      input,
      maxBuffer: 2 ** 30,
    },
  );
  const result = new Uint8Array(stdout);
  const view = new DataView(result.buffer);
  let at = 0;
  const next = () => {
    const length = view.getUint32(at, true);
    const values = new Float32Array(result.buffer, at + 4, length);
    at += 4 + 4 * length;
    return values;
  };
  return runs.map(({ graph, hidden }) => [...graph.outputs, ...hidden].map(next));
}
