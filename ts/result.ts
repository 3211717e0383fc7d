import type { Ragged } from './batch.ts';
import { GruError } from './errors.ts';
import type { Graph } from './graph.ts';
import type { RunInputs } from './inputs.ts';
import { newStates, type StateGroup, stateShape } from './states.ts';
import {
  checkShape,
  describe,
  isRecord,
  isTensorLike,
  product,
  sameShape,
  shapeText,
  type Tensor,
  zeros,
} from './tensor.ts';

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

/** A result to fill. */
export function newResult(graph: Graph, groups: readonly StateGroup[], run: RunInputs): RunResult {
  const outputs = graph.outputs.map((output): [string, Tensor] => [output.name, zeros(outputShape(output, run))]);
  return { output: outputs[0]![1], outputs: Object.fromEntries(outputs), states: newStates(groups, run) };
}

/**
 * Checks that an earlier result can take what a run gives.
 *
 * @throws GruError `invalid_argument`, `dtype_mismatch`, `shape_mismatch`, naming the tensor.
 */
export function checkOut(out: RunResult, graph: Graph, groups: readonly StateGroup[], run: RunInputs): void {
  const given: unknown = out;
  if (!isRecord(given) || !isRecord(out.outputs) || !isRecord(out.states)) {
    throw new GruError('invalid_argument', `run: out must be what an earlier run returned, got ${describe(given)}`);
  }
  for (const output of graph.outputs) {
    checkTensor('outputs', output.name, out.outputs[output.name], outputShape(output, run));
  }
  for (const group of groups) {
    checkTensor('states', group.layer, out.states[group.layer], stateShape(group, run));
  }
  if (out.output !== out.outputs[graph.outputs[0]!.name]) {
    throw new GruError(
      'invalid_argument',
      'run: out.output must be the first of out.outputs, as an earlier run gave it',
    );
  }
}

function checkTensor(of: 'outputs' | 'states', name: string, given: unknown, expected: number[]): void {
  const isTensor = isTensorLike(given) && given.data instanceof Float32Array;
  const hasShape = isTensor && Array.isArray(given.shape) && sameShape(given.shape, expected);
  if (hasShape && given.data.length === product(expected)) return;
  const what = `out.${of}['${name}']`;
  if (!isTensor) {
    const got = isTensorLike(given) ? describe(given.data) : describe(given);
    throw new GruError('dtype_mismatch', `${what}: expected a tensor of a Float32Array, got ${got}`);
  }
  checkShape(what, given);
  const shapes = `expected shape ${shapeText(expected)}, got ${shapeText(given.shape)}`;
  throw new GruError('shape_mismatch', `${what}: ${shapes}`);
}
