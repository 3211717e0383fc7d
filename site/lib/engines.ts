import { createGru, loadModel, type ModelOptions } from 'gru-wasm';

/** A GRU to run, and what it reads: weights in Keras's layout, columns z, r, h. */
export interface Task {
  hiddenSize: number;
  inputSize: number;
  steps: number;
  batch: number;
  /** The reset gate after the matmul, as PyTorch has it; else before, as the textbook. */
  resetAfter: boolean;
  /** (inputSize, 3 hiddenSize) */
  kernel: Float32Array;
  /** (hiddenSize, 3 hiddenSize) */
  recurrentKernel: Float32Array;
  /** (3 hiddenSize); with `resetAfter` (2, 3 hiddenSize): of the input, of the state. */
  bias: Float32Array;
  /** (batch, steps, inputSize) */
  data: Float32Array;
}

/** A task that an engine has made ready. */
export interface Runner {
  /** All hidden states: (batch, steps, hiddenSize), or (steps, batch, hiddenSize). */
  run: () => Float32Array | Promise<Float32Array>;
  layout: 'batch-major' | 'time-major';
  free: () => void;
}

export interface Engine {
  name: string;
  /** How far its outputs may be from the reference, where its weights are integers. */
  tolerance?: number;
  /** Why it does not run a task. */
  refuses?: (task: Pick<Task, 'resetAfter'>) => string | undefined;
  prepare: (task: Task) => Promise<Runner>;
}

/** @param precision of weights, where these are integers */
function own(name: string, options: ModelOptions, precision?: 'i16' | 'i8'): Engine {
  return {
    name,
    // Twice what docs/precision.md measured of an output, which is within -1 .. 1.
    ...(precision && { tolerance: { i16: 1e-3, i8: 1e-2 }[precision] }),
    async prepare(task) {
      const { inputSize, hiddenSize, resetAfter, steps, batch, kernel, recurrentKernel, bias, data } = task;
      const weights = { kernel, recurrentKernel, bias };
      let model = await createGru({ inputSize, hiddenSize, resetAfter }, weights, options);
      if (precision) {
        const file = model.save({ dtype: precision });
        model.dispose();
        model = await loadModel(file, options);
      }
      const input = { data, shape: [batch, steps, inputSize] };
      const out = model.run(input);
      const run = () => model.run(input, { out }).output.data;
      return {
        run,
        layout: 'batch-major',
        free: () => {
          model.dispose();
        },
      };
    },
  };
}

/** This library's. The last is the one that the others are compared with. */
export const OWN: Engine[] = [
  own('wasm', { backend: 'wasm' }),
  own('wasm, baseline', { backend: 'wasm', deterministic: true }),
  own('wasm, i16', { backend: 'wasm' }, 'i16'),
  own('wasm, i8', { backend: 'wasm' }, 'i8'),
  own('JavaScript', { backend: 'js' }),
];

/**
 * Others to measure beside it: loaded when they are asked for, from the folder of the site. They are large: the service worker keeps them once they have
 * been used, and not before.
 */
function peer(title: string, load: () => Promise<Engine>): { title: string; load: () => Promise<Engine> } {
  const explained = (error: unknown) => {
    const advice = navigator.onLine ? '' : ' (the browser says that it is offline)';
    return new Error(`${title} did not load: ${String(error)}. Without a server it needs the network once${advice}.`, {
      cause: error,
    });
  };
  return {
    title,
    load: async () => {
      try {
        const engine = await load();
        // Its wasm comes with its first task.
        const prepare = (task: Task) =>
          engine.prepare(task).catch((error: unknown) => {
            throw explained(error);
          });
        return { ...engine, prepare };
      } catch (error) {
        throw explained(error);
      }
    },
  };
}

export const PEERS: Record<string, { title: string; load: () => Promise<Engine> }> = {
  onnxruntime: peer('ONNX Runtime Web (14 MB)', async () => (await import('./peers/onnxruntime.ts')).load()),
  tensorflow: peer('TensorFlow.js (1.2 MB)', async () => (await import('./peers/tensorflow.ts')).load()),
};
