import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import * as tf from '@tensorflow/tfjs-core';
import { input, layers, model } from '@tensorflow/tfjs-layers';
import type { Engine } from '../engines.ts';

/** Its GRU layer on its wasm backend, one thread. */
export async function load(): Promise<Engine> {
  // It takes one of them, and wants to be told of all.
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain,
    'tfjs-backend-wasm-simd.wasm': simd,
    'tfjs-backend-wasm-threaded-simd.wasm': threaded,
  });
  if (!(await tf.setBackend('wasm'))) throw new Error('TensorFlow.js does not start its wasm backend here');
  return {
    name: `TensorFlow.js ${tf.version_core}`,
    refuses: ({ resetAfter }) => (resetAfter ? 'its GRU has no reset after the matmul' : undefined),
    prepare({ hiddenSize: units, inputSize, steps, batch, kernel, recurrentKernel, bias, data }) {
      const x = input({ batchShape: [batch, steps, inputSize] });
      const gru = layers.gru({
        units,
        returnSequences: true,
        recurrentActivation: 'sigmoid',
        recurrentInitializer: 'zeros',
      });
      const made = model({ inputs: x, outputs: gru.apply(x) as typeof x });
      const weights = [tf.tensor2d(kernel, [inputSize, 3 * units]), tf.tensor2d(recurrentKernel, [units, 3 * units])];
      gru.setWeights([...weights, tf.tensor1d(bias)]);
      return Promise.resolve({
        layout: 'batch-major',
        run: () =>
          tf.tidy(
            () => (made.predict(tf.tensor3d(data, [batch, steps, inputSize])) as tf.Tensor).dataSync() as Float32Array,
          ),
        free: () => {
          made.dispose();
        },
      });
    },
  };
}
