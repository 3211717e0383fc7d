import { GruError } from '../../base/errors.ts';
import { isRecord, type Tensor, type TensorLike } from '../../base/tensor.ts';
import type { Values } from '../../base/typed-array.ts';
import type { ImportReport } from '../report.ts';
import { bindInputs, bindOutput } from './binding.ts';

/** A model as `loadModel` gives it. */
export interface OnnxModel {
  readonly report: ImportReport | undefined;
  run(
    inputs: ReturnType<typeof bindInputs>['inputs'],
    options: { initialStates: ReturnType<typeof bindInputs>['initialStates']; lengths?: number[] },
  ): { outputs: Record<string, Tensor<Values>> };
}

/**
 * Runs a model that was loaded from an ONNX file on tensors in the graph's own axes and by the graph's own names; results
 * likewise. A node loaded by itself (`onnx: { node }`) takes X, sequence_lens where it is not part of the file, and initial_h
 * (where it is left out: what the file stores, or zeros). No steps, or no sequences, are fine, as for `model.run`.
 *
 * @throws GruError `invalid_argument` for a model of another origin, a missing tensor or a name that the graph does not have; as
 *   `bindInputs` and `model.run` do.
 *
 * @example
 * const { Y, Y_h } = runOnnx(await loadModel('gru.onnx'), { X: { data, shape: [steps, batch, 64] } });
 */
export function runOnnx<Data extends Values = Float32Array>(
  model: OnnxModel,
  tensors: Record<string, TensorLike>,
): Record<string, Tensor<Data>> {
  const binding = isRecord(model) ? (model as Partial<OnnxModel>).report?.graph : undefined;
  if (!binding) throw new GruError('invalid_argument', 'runOnnx: the model was not loaded from an ONNX file');
  const run = bindInputs(binding, tensors);
  const { lengths, initialStates } = run;
  const { outputs } = model.run(run.inputs, { initialStates, ...(lengths && { lengths }) });
  const isSequence = new Map(
    binding.outputs.flatMap(({ values, kind }) => values.map((name) => [name, kind === 'sequence'])),
  );
  const rows = Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [
      name,
      withoutPadding(tensor, isSequence.get(name) ? run.lengths : undefined),
    ]),
  );
  return Object.fromEntries(
    binding.outputs.map((output) => [output.name, bindOutput(output, rows, run) as Tensor<Data>]),
  );
}

/** Rows of (batch, steps, size) within each sequence's length, one sequence after the other. */
function withoutPadding({ data, shape }: Tensor<Values>, lengths: number[] | undefined): Values {
  if (!lengths) return data;
  const [, steps, size = 1] = shape as [number, number, number?];
  const rows = new (data instanceof Int32Array ? Int32Array : Float32Array)(
    size * lengths.reduce((sum, length) => sum + length, 0),
  );
  let at = 0;
  lengths.forEach((length, b) => {
    rows.set(data.subarray(b * steps * size, (b * steps + length) * size), at);
    at += length * size;
  });
  return rows;
}
