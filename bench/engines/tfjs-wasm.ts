import type * as TensorFlow from '@tensorflow/tfjs';
import { onPage } from '../assets.ts';
import { GATES, hasCells } from '../cases.ts';
import { type Engine, isWholeRun, type Runner, type Task, type Weights } from '../engine.ts';

const DIST = 'node_modules/@tensorflow/tfjs-backend-wasm/dist';
let tf: typeof TensorFlow;

/** TensorFlow.js: its recurrent layers on its wasm backend, one thread. */
export const tfjsWasm: Engine = {
  name: 'tfjs-wasm',
  hosts: ['node', 'page'],
  packages: ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'],
  ships: {
    code: "export * from '@tensorflow/tfjs'; export * from '@tensorflow/tfjs-backend-wasm'",
    files: [`${DIST}/tfjs-backend-wasm-simd.wasm`],
  },
  takes: (c) => {
    if (!isWholeRun(c)) return false;
    if (c.heads !== undefined) return 'it has no attention layer';
    return !hasCells(c) || !c.resetAfter || 'its GRU layer has no reset after';
  },
  async load() {
    tf = await import('@tensorflow/tfjs');
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    wasm.setThreadsCount(1);
    if (onPage) wasm.setWasmPaths(`/bench/${DIST}/`);
    await tf.setBackend('wasm');
  },
  prepare,
};

/** (rows, columns) to (columns, rows). */
const transposed = (data: Float32Array, rows: number) =>
  tf.tidy(() => tf.transpose(tf.tensor2d(data, [rows, data.length / rows])));

/** (outputs, taps, inputs) to (taps, inputs, outputs). */
function convolution({ case: c, layers }: Task): Runner {
  const { inputSize, hiddenSize: filters, taps: kernelSize = 1, steps, batch } = c;
  // It has no causal padding.
  const x = tf.input({ batchShape: [batch, steps + kernelSize - 1, inputSize] });
  const layer = tf.layers.conv1d({ filters, kernelSize });
  const outputs = layer.apply(x) as TensorFlow.SymbolicTensor;
  const { input, bias } = layers[0]![0]!;
  layer.setWeights([transposed(input, filters).reshape([kernelSize, inputSize, filters]), tf.tensor1d(bias)]);
  const model = tf.model({ inputs: x, outputs });
  return {
    layout: 'batch-major',
    run: (data) =>
      tf.tidy(() => {
        const rows = tf.tensor3d(data, [batch, steps, inputSize]).pad([
          [0, 0],
          [kernelSize - 1, 0],
          [0, 0],
        ]);
        return (model.predict(rows) as TensorFlow.Tensor).dataSync() as Float32Array;
      }),
    free() {
      model.dispose();
    },
  };
}

function prepare(task: Task): Runner {
  const { case: c, layers, h0 } = task;
  if (c.taps !== undefined) return convolution(task);
  const { hiddenSize: units, batch } = c;
  const sums = GATES[c.cell] * units;
  const recurrent = { gru: tf.layers.gru, lstm: tf.layers.lstm, rnn: tf.layers.simpleRNN }[c.cell];
  const steps = c.kind === 'step' ? 1 : c.steps;
  const x = tf.input({ batchShape: [batch, steps, c.inputSize] });
  const state = c.kind === 'step' || h0 ? tf.input({ batchShape: [batch, units] }) : undefined;
  const config = {
    units,
    returnSequences: true,
    recurrentActivation: 'sigmoid',
    returnState: c.kind === 'step',
    // The default, orthogonal, takes minutes at H = 1024 for weights that are then replaced. A cold start has it, as a user's has.
    ...(c.kind === 'cold' ? {} : { recurrentInitializer: 'zeros' as const }),
  } as const;
  const weightsOf = (w: Weights) => [transposed(w.input, sums), transposed(w.recurrent, sums), tf.tensor1d(w.bias)];
  let outputs: TensorFlow.SymbolicTensor | TensorFlow.SymbolicTensor[] = x;
  for (const directions of layers) {
    const one = recurrent(config);
    const layer = directions.length === 2 ? tf.layers.bidirectional({ layer: one, mergeMode: 'concat' }) : one;
    outputs = layer.apply(outputs, state && { initialState: [state] }) as typeof outputs;
    layer.setWeights(directions.flatMap(weightsOf));
  }
  const model = tf.model({ inputs: state ? [x, state] : x, outputs });
  const read = (y: TensorFlow.Tensor) => y.dataSync() as Float32Array;
  const free = () => {
    model.dispose();
  };
  let held: TensorFlow.Tensor = tf.tensor2d(h0 ?? new Float32Array(batch * units), [batch, units]);
  return {
    layout: 'batch-major',
    run: (data) =>
      tf.tidy(() => {
        const rows = tf.tensor3d(data, [batch, steps, c.inputSize]);
        const result = model.predict(state ? [rows, held] : rows);
        if (c.kind !== 'step') return read(result as TensorFlow.Tensor);
        const [y, next] = result as [TensorFlow.Tensor, TensorFlow.Tensor];
        held.dispose();
        held = tf.keep(next.clone());
        return read(y);
      }),
    free,
  };
}
