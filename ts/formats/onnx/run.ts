import { GruError } from '../../errors.ts';
import type { GruModel } from '../../model.ts';
import type { Tensor } from '../../tensor.ts';
import { bindInputs, bindOutput, type GraphTensor } from './binding.ts';

/**
 * Runs a model that was loaded from an ONNX file on tensors in the graph's own axes and by the graph's own names; results
 * likewise. Ids and lengths may be int64, as BigInt64Array. One node of a graph (`{ onnx: { node } }`) takes X, sequence_lens where the
 * node has it, and initial_h, which may be left out where the file gives it or zeros stand for it.
 *
 * @throws GruError `invalid_argument` for a model of another origin, a missing tensor or a name that the model does not take; as `bindInputs` and `model.run` do.
 *
 * @example
 * const { Y, Y_h } = runOnnx(await loadModel('gru.onnx'), { X: { data, shape: [steps, batch, 64] } });
 */
export function runOnnx(model: GruModel, tensors: Record<string, GraphTensor>): Record<string, Tensor> {
  const binding = (model as Partial<GruModel> | undefined)?.report?.graph;
  if (!binding) throw new GruError('invalid_argument', 'runOnnx: the model was not loaded from an ONNX file');
  const run = bindInputs(binding, tensors);
  const { outputs } = model.run(run.inputs, {
    ...(run.lengths ? { lengths: run.lengths } : {}),
    ...(Object.keys(run.states).length > 0 ? { initialStates: run.states } : {}),
  });
  const rows = Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name, withoutPadding(tensor, run.lengths)]),
  );
  return Object.fromEntries(binding.outputs.map((output) => [output.name, bindOutput(output, rows, run)]));
}

/** Rows of (batch, steps, size) within each sequence's length, one sequence after the other. */
function withoutPadding({ data, shape }: Tensor, lengths: number[] | undefined): Float32Array {
  if (!lengths || shape.length < 3) return data;
  const [, steps, size] = shape as [number, number, number];
  const rows = new Float32Array(size * lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  lengths.forEach((length, b) => {
    rows.set(data.subarray(b * steps * size, (b * steps + length) * size), at);
    at += length * size;
  });
  return rows;
}
