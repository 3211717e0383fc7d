import { expect } from 'vitest';
import { bindInputs, bindOutput } from '../../ts/formats/onnx.ts';
import { readModel } from '../../ts/formats/index.ts';
import { resolveGraph } from '../../ts/graph.ts';
import type { Tensor, TensorLike } from '../../ts/tensor.ts';
import type { BackendCase } from '../backends.ts';
import { contextOf, expectRecorded, readFile, readIo, type Recorded } from './recorded.ts';

/** What an error about a disputed model has to name. */
const DISPUTED = /activation_alpha|activation_beta|sequence_lens/;

/** ONNX: tensors in the graph's own axes, by the graph's names. */
export async function runOnnx(recorded: Recorded, { api }: BackendCase): Promise<void> {
  const { meta } = recorded;
  const io = readIo(recorded);
  const run = async () => {
    const weights = Object.fromEntries(['W', 'R', 'B'].filter((key) => key in io).map((key) => [key, io[key]!]));
    const options = meta.weights_as === 'input' ? { onnx: { initializers: weights } } : {};
    const imported = await readModel(readFile(recorded), contextOf(recorded, options));
    const binding = imported.report.graph!;
    const bound = bindInputs(binding, io);
    using model = await api.createModel(imported.spec);
    const inputs = Object.fromEntries(
      resolveGraph(imported.spec).inputs.map(({ name }) => [name, bound.inputs[name] as TensorLike]),
    );
    const { outputs } = model.run(inputs, bound.lengths ? { lengths: bound.lengths } : {});
    const values = Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, withoutPadding(tensor, bound.lengths)]),
    );
    return binding.outputs.map((output) => ({ name: output.name, tensor: bindOutput(output, values, bound) }));
  };
  if (meta.disputed) {
    await expect(run()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(DISPUTED) as string,
    });
    return;
  }
  const results = await run();
  expect(results).not.toHaveLength(0);
  for (const { name, tensor } of results) expectRecorded(tensor, io[name]!, meta.tolerance, name);
}

/** Rows of (batch, steps, size) within each sequence's length. */
function withoutPadding({ data, shape }: Tensor, lengths: number[] | undefined): Float32Array {
  if (!lengths || shape.length < 3) return data;
  const [, steps, size] = shape as [number, number, number];
  return Float32Array.from(
    lengths.flatMap((length, b) => [...data.subarray(b * steps * size, (b * steps + length) * size)]),
  );
}
