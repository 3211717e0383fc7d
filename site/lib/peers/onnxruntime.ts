import * as ort from 'onnxruntime-web/wasm';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import type { Engine, Task } from '../engines.ts';
import { onnxFile } from './onnx-file.ts';

/** (batch, steps, size) to (steps, batch, size) */
function timeMajor({ data, batch, steps, inputSize }: Task): Float32Array {
  const at = (t: number, b: number, i: number) => data[(b * steps + t) * inputSize + i]!;
  const row = batch * inputSize;
  return data.map((_, k) => at(Math.floor(k / row), Math.floor((k % row) / inputSize), k % inputSize));
}

/** Its CPU provider, one thread: the page is not isolated, and more threads would not be to compare. */
export function load(): Engine {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm };
  return {
    name: `ONNX Runtime Web ${ort.env.versions.web ?? ''}`,
    async prepare(task) {
      const session = await ort.InferenceSession.create(onnxFile(task), { executionProviders: ['wasm'] });
      const [data, shape] = [timeMajor(task), [task.steps, task.batch, task.inputSize]];
      return {
        layout: 'time-major',
        run: async () => (await session.run({ x: new ort.Tensor('float32', data, shape) }))['y']!.data as Float32Array,
        free: () => void session.release(),
      };
    },
  };
}
