import { createGru, createLstm, GruError, type GruModel, loadModel, type RunResult, type Tensor } from 'gru-wasm';
import { keras } from 'gru-wasm/formats/keras';
import { onnx } from 'gru-wasm/formats/onnx';
import { pytorch } from 'gru-wasm/formats/pytorch';
import { rtneural } from 'gru-wasm/formats/rtneural';
import { parseSafetensors } from 'gru-wasm/formats/safetensors';
import { tfjs } from 'gru-wasm/formats/tfjs';
import * as js from 'gru-wasm/js';
import { createPool, type GruPool } from 'gru-wasm/pool';
import { autoPrecision, type Sensitivity, sensitivity } from 'gru-wasm/precision';
import { createRuntime } from 'gru-wasm/slim';
import * as statically from 'gru-wasm/static';
import { createModelSync } from 'gru-wasm/worklet';

export async function use(): Promise<Tensor> {
  const config = { inputSize: 1, hiddenSize: 1, resetAfter: true };
  const model: GruModel = await createGru(config, { kernel: [1, 2, 3], recurrentKernel: [1, 2, 3] });
  const pool: GruPool = await createPool(model);
  const states = [
    (await pool.run([1])).states,
    (await createLstm({ inputSize: 1, hiddenSize: 1 }, { kernel: [], recurrentKernel: [] })).run([1]).states,
  ];
  for (const { gru, lstm } of states) lstm!.hidden.data.set(gru!.data);
  const result: RunResult = model.run([1]);
  model.run([1], { out: result });
  await pool.close();
  const ranking: Sensitivity = await sensitivity(model, [[1, 2, 3]]);
  // @ts-expect-error: the largest error is needed
  await autoPrecision(model, [[1, 2, 3]], {});
  const { precision } = await autoPrecision(model, [[1, 2, 3]], { maxError: ranking.all.i16.worst });
  await loadModel(model.save(), { precision });
  // @ts-expect-error: a source is needed
  await loadModel();
  // @ts-expect-error: resetAfter is needed
  await createGru({ inputSize: 1, hiddenSize: 1 }, { kernel: [1], recurrentKernel: [1] });
  const loaded = await statically.loadModel(model.save(), { formats: [keras, onnx, pytorch, tfjs] });
  model[Symbol.dispose]();
  return loaded.run(new Float32Array(3)).output;
}
export { createModelSync, createRuntime, GruError, js, parseSafetensors, rtneural };
