import { expect } from 'vitest';
import { runOnnx } from '../../ts/formats/onnx.ts';
import { join } from 'node:path';
import type { BackendCase } from '../backends.ts';
import { inputsOf } from '../formats/onnx/run.ts';
import { expectRecorded, readIo, type Recorded } from './recorded.ts';

/** What an error about a disputed model has to name. */
const DISPUTED = /activation_alpha|activation_beta|sequence_lens/;

/** ONNX: tensors in the graph's own axes, by the graph's names. */
export async function runOnnxCase(recorded: Recorded, { api }: BackendCase): Promise<void> {
  const { meta, folder, file } = recorded;
  const io = readIo(recorded);
  const weights = Object.fromEntries(['W', 'R', 'B'].filter((key) => key in io).map((key) => [key, io[key]!]));
  const run = async () => {
    const options = meta.weights_as === 'input' ? { onnx: { initializers: weights } } : {};
    using model = await api.loadModel(join(folder, file), options);
    return runOnnx(model, inputsOf(model.report!.graph!, io));
  };
  if (meta.disputed) {
    await expect(run()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(DISPUTED) as string,
    });
    return;
  }
  const results = Object.entries(await run());
  expect(results).not.toHaveLength(0);
  for (const [name, tensor] of results) expectRecorded(tensor, io[name]!, meta.tolerance, name);
}
