import { createGru, type ModelOptions } from 'gru-wasm';

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
  /** Why it does not run a task. */
  refuses?: (task: Pick<Task, 'resetAfter'>) => string | undefined;
  prepare: (task: Task) => Promise<Runner>;
}

function own(name: string, options: ModelOptions): Engine {
  return {
    name,
    async prepare(task) {
      const { inputSize, hiddenSize, resetAfter, steps, batch, kernel, recurrentKernel, bias, data } = task;
      const weights = { kernel, recurrentKernel, bias };
      const model = await createGru({ inputSize, hiddenSize, resetAfter }, weights, options);
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
  own('JavaScript', { backend: 'js' }),
];

/** Others to measure beside it: loaded when they are asked for, from the folder of the site. */
export const PEERS: Record<string, { title: string; load: () => Promise<Engine> }> = {
  onnxruntime: {
    title: 'ONNX Runtime Web (14 MB)',
    load: async () => (await import('./peers/onnxruntime.ts')).load(),
  },
  tensorflow: {
    title: 'TensorFlow.js (1.2 MB)',
    load: async () => (await import('./peers/tensorflow.ts')).load(),
  },
};
