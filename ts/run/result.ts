import type { Ragged } from './batch.ts';
import { GruError } from '../base/errors.ts';
import { checkApart, checkFilled, lengthOf, readTensor } from '../base/foreign.ts';
import type { Graph, GraphOutput } from '../spec/graph.ts';
import type { RunInputs } from './inputs.ts';
import { type LayerState, newStates, own, pickStates, stateName, stateShape } from './states.ts';
import { type StateGroup } from '../spec/state-groups.ts';
import { describe, isRecord, sameShape, shapeText, type Tensor, zeros } from '../base/tensor.ts';
import { ARRAYS, holds, type Values } from '../base/typed-array.ts';

/**
 * What `model.run` returns. All of it belongs to the caller. `States`: what is known of the layers' states by name. `Data`: of outputs; those of
 * ids are Int32Arrays. `Outputs`: their names.
 */
export interface RunResult<
  States extends Record<string, LayerState> = Record<string, Tensor>,
  Data extends Values = Float32Array,
  Outputs extends string = string,
> {
  /** The model's first output. A sequence is (batch, steps, size), a vector (batch, size). */
  output: Tensor<Data>;
  /** All outputs by name. */
  outputs: Record<Outputs, Tensor<Data>>;
  /** Final states by recurrent layer: (directions, batch, hiddenSize), forward first; of an lstm `{ hidden, cell }`. */
  states: States;
}

/** The shape of an output in a run. */
export function outputShape({ kind, axis, row }: GraphOutput, run: RunInputs): number[] {
  const batch = run.batched ? [run.batch] : [];
  if (kind === 'vector') return [...batch, ...row];
  const { steps, ragged } = run.axes[axis]!;
  if (ragged?.padding === 'none') return [ragged.steps.length, ...row];
  return run.timeMajor ? [steps, ...batch, ...row] : [...batch, steps, ...row];
}

/** How an output's rows spread over a padded array; undefined where the backend's rows are the output. */
export function paddedBy({ kind, axis }: GraphOutput, { axes }: RunInputs): Ragged | undefined {
  const { ragged } = axes[axis]!;
  return kind === 'sequence' && ragged?.padding !== 'none' ? ragged : undefined;
}

/** What a run fills: a result, and its arrays. */
export interface Target {
  result: RunResult<Record<string, LayerState>, Values>;
  outputs: Values[];
  /** By group of states. */
  states: Float32Array[];
  /** The arrays are an earlier result's, and so the caller's: filled by intrinsics alone. */
  reused: boolean;
}

/** A new result. @throws GruError `out_of_memory`. */
export function newTarget(graph: Graph, groups: readonly StateGroup[], run: RunInputs): Target {
  const outputs: Record<string, Tensor<Values>> = {};
  const arrays = graph.outputs.map((port) => {
    const tensor = zeros(outputShape(port, run), port.dtype);
    own(outputs, port.name, tensor);
    return tensor.data;
  });
  const { states, arrays: hidden } = newStates(groups, run);
  const output = outputs[graph.outputs[0]!.name]!;
  return {
    result: { output, outputs, states },
    outputs: arrays,
    states: hidden,
    reused: false,
  };
}

/**
 * The arrays of an earlier result, each property read once, checked to take what a run gives.
 *
 * @throws GruError `invalid_argument`, `dtype_mismatch`, `shape_mismatch`, naming the tensor.
 */
export function readOut(
  out: RunResult<Record<string, LayerState>, Values>,
  graph: Graph,
  groups: readonly StateGroup[],
  run: RunInputs,
): Target {
  const given: unknown = out;
  const { output, outputs, states } = (isRecord(given) ? given : {}) as Record<keyof RunResult, unknown>;
  if (!isRecord(outputs) || !isRecord(states)) {
    throw new GruError('invalid_argument', `run: out must be what an earlier run returned, got ${describe(given)}`);
  }
  const tensors = graph.outputs.map(({ name }) => outputs[name]);
  if (output !== tensors[0]) {
    throw new GruError(
      'invalid_argument',
      'run: out must be what an earlier run returned, its output the first of outputs',
    );
  }
  // All is read before the first array is checked: what is read may be a getter that shrinks another.
  const all = [
    ...graph.outputs.map((port, i) => ({
      ...readArray(`out.outputs['${port.name}']`, tensors[i], port.dtype),
      expected: outputShape(port, run),
    })),
    ...pickStates(groups, states, 'out.states').map((given, g) => ({
      ...readArray(stateName('out.states', groups[g]!), given),
      expected: stateShape(groups[g]!, run),
    })),
  ];
  all.forEach(checkArray);
  const arrays = all.map(({ data }) => data);
  checkApart(arrays, (i) => all[i]!.what);
  const hidden = arrays.splice(graph.outputs.length) as Float32Array[];
  return { result: out, outputs: arrays, states: hidden, reused: true };
}

interface GivenArray {
  what: string;
  data: Values;
  shape: number[];
}

function readArray(what: string, given: unknown, dtype: 'float32' | 'int32' = 'float32'): GivenArray {
  const { data, shape } = readTensor(what, given);
  if (holds(data, dtype) && shape) return { what, data, shape };
  const got = describe(shape ? data : given);
  throw new GruError('dtype_mismatch', `${what}: expected a tensor of a ${ARRAYS[dtype]}, got ${got}`);
}

function checkArray({ what, data, shape, expected }: GivenArray & { expected: number[] }): void {
  checkFilled(what, shape, lengthOf(data, what));
  if (sameShape(shape, expected)) return;
  throw new GruError('shape_mismatch', `${what}: expected shape ${shapeText(expected)}, got ${shapeText(shape)}`);
}
