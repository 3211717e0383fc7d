import type { Ragged } from './batch.ts';
import { GruError } from './errors.ts';
import { checkFilled, lengthOf, overlap, readTensor } from './foreign.ts';
import type { Graph } from './graph.ts';
import type { RunInputs } from './inputs.ts';
import { type StateGroup, stateShape } from './states.ts';
import { describe, isRecord, sameShape, shapeText, type Tensor, zeros } from './tensor.ts';
import { isFloats } from './typed-array.ts';

/** What `model.run` returns. All of it belongs to the caller. */
export interface RunResult {
  /** The model's first output. A sequence is (batch, steps, size), a vector (batch, size). */
  output: Tensor;
  /** All outputs by name. */
  outputs: Record<string, Tensor>;
  /** Final hidden states by gru layer: (directions, batch, hiddenSize), forward first. */
  states: Record<string, Tensor>;
}

/** The shape of an output in a run. */
export function outputShape({ kind, size }: Graph['outputs'][number], run: RunInputs): number[] {
  const batch = run.batched ? [run.batch] : [];
  if (kind === 'vector') return [...batch, size];
  if (run.ragged?.padding === 'none') return [run.ragged.steps.length, size];
  return run.timeMajor ? [run.steps, ...batch, size] : [...batch, run.steps, size];
}

/** How an output's rows spread over a padded array; undefined where the backend's rows are the output. */
export function paddedBy({ kind }: Graph['outputs'][number], { ragged }: RunInputs): Ragged | undefined {
  return kind === 'sequence' && ragged?.padding !== 'none' ? ragged : undefined;
}

/** What a run fills: a result, and its arrays. */
export interface Target {
  result: RunResult;
  outputs: Float32Array[];
  /** By gru layer. */
  states: Float32Array[];
  /** The arrays are an earlier result's, and so the caller's: filled by intrinsics alone. */
  reused: boolean;
}

/** A new result. @throws GruError `out_of_memory`. */
export function newTarget(graph: Graph, groups: readonly StateGroup[], run: RunInputs): Target {
  const outputs: Record<string, Tensor> = {};
  const arrays = graph.outputs.map((port) => add(outputs, port.name, outputShape(port, run)));
  const { states, arrays: hidden } = newStates(groups, run);
  const output = outputs[graph.outputs[0]!.name]!;
  return { result: { output, outputs, states }, outputs: arrays, states: hidden, reused: false };
}

/** New final states, by gru layer, and their arrays. @throws GruError `out_of_memory`. */
export function newStates(
  groups: readonly StateGroup[],
  run: RunInputs,
): { states: Record<string, Tensor>; arrays: Float32Array[] } {
  const states: Record<string, Tensor> = {};
  return { states, arrays: groups.map((group) => add(states, group.layer, stateShape(group, run))) };
}

/** Adds a new tensor to a record, as its own property whatever the name; `Object.fromEntries` took 0.2 us. @returns Its data. */
function add(record: Record<string, Tensor>, name: string, shape: number[]): Float32Array {
  const tensor = zeros(shape);
  if (name === '__proto__') Object.defineProperty(record, name, { value: tensor, enumerable: true });
  else record[name] = tensor;
  return tensor.data;
}

/**
 * The arrays of an earlier result, each property read once, checked to take what a run gives.
 *
 * @throws GruError `invalid_argument`, `dtype_mismatch`, `shape_mismatch`, naming the tensor.
 */
export function readOut(out: RunResult, graph: Graph, groups: readonly StateGroup[], run: RunInputs): Target {
  const given: unknown = out;
  const { output, outputs, states } = (isRecord(given) ? given : {}) as Record<keyof RunResult, unknown>;
  if (!isRecord(outputs) || !isRecord(states)) {
    throw new GruError('invalid_argument', `run: out must be what an earlier run returned, got ${describe(given)}`);
  }
  const tensors = graph.outputs.map(({ name }) => outputs[name]);
  if (output !== tensors[0]) {
    throw new GruError(
      'invalid_argument',
      'run: out.output must be the first of out.outputs, as an earlier run gave it',
    );
  }
  // All is read before the first array is checked: what is read may be a getter that shrinks another.
  const all = [
    ...graph.outputs.map((port, i) => ({
      ...readArray(`out.outputs['${port.name}']`, tensors[i]),
      expected: outputShape(port, run),
    })),
    ...groups.map((group) => ({
      ...readArray(`out.states['${group.layer}']`, states[group.layer]),
      expected: stateShape(group, run),
    })),
  ];
  all.forEach(checkArray);
  checkApart(all);
  const arrays = all.map(({ data }) => data);
  const hidden = arrays.splice(graph.outputs.length);
  return { result: out, outputs: arrays, states: hidden, reused: true };
}

interface GivenArray {
  what: string;
  data: Float32Array;
  shape: number[];
}

function readArray(what: string, given: unknown): GivenArray {
  const { data, shape } = readTensor(what, given);
  if (isFloats(data) && shape) return { what, data, shape };
  const got = describe(shape ? data : given);
  throw new GruError('dtype_mismatch', `${what}: expected a tensor of a Float32Array, got ${got}`);
}

function checkArray({ what, data, shape, expected }: GivenArray & { expected: number[] }): void {
  checkFilled(what, shape, lengthOf(data, what));
  if (sameShape(shape, expected)) return;
  throw new GruError('shape_mismatch', `${what}: expected shape ${shapeText(expected)}, got ${shapeText(shape)}`);
}

/** @throws GruError `invalid_argument` where two arrays to be filled have memory in common: one would overwrite the other. */
function checkApart(arrays: readonly GivenArray[]): void {
  for (let i = 1; i < arrays.length; i++) {
    for (let k = 0; k < i; k++) {
      if (!overlap(arrays[i]!.data, arrays[k]!.data)) continue;
      const pair = `${arrays[k]!.what} and ${arrays[i]!.what}`;
      throw new GruError('invalid_argument', `run: the arrays of ${pair} overlap; give each one of its own`);
    }
  }
}
