import { onnxModel, tensor } from '../../../tests/formats/onnx/build.ts';
import type { Task } from '../engines.ts';

/** (rows, columns) to (columns, rows) */
const transposed = (data: Float32Array, rows: number): Float32Array => {
  const columns = data.length / rows;
  return data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
};

/** The task as a file with one operator: ONNX's gates are in Keras's order, a row each. */
export function onnxFile(task: Task): Uint8Array {
  const { hiddenSize, inputSize, steps, batch, resetAfter } = task;
  const bias = new Float32Array(6 * hiddenSize);
  bias.set(task.bias);
  return onnxModel({
    opset: 14,
    nodes: [
      {
        op: 'GRU',
        inputs: ['x', 'W', 'R', 'B'],
        outputs: ['y'],
        attributes: { hidden_size: hiddenSize, linear_before_reset: Number(resetAfter) },
      },
    ],
    inputs: [{ name: 'x', shape: [steps, batch, inputSize] }],
    outputs: [{ name: 'y', shape: [steps, 1, batch, hiddenSize] }],
    initializers: [
      tensor('W', [1, 3 * hiddenSize, inputSize], transposed(task.kernel, inputSize)),
      tensor('R', [1, 3 * hiddenSize, hiddenSize], transposed(task.recurrentKernel, hiddenSize)),
      tensor('B', [1, 6 * hiddenSize], bias),
    ],
  });
}
