import type { DenseSpec } from '../../../spec/spec.ts';
import { applyRows, rowFunction } from '../activation.ts';
import { matrixRows } from '../integers.ts';
import { multiply, packMatrix } from '../matmul.ts';
import { ROW_BLOCK } from '../plan.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** activation(kernel x + bias) */
export const dense: Build<DenseSpec> = (spec) => {
  const { inputSize, outputSize } = spec;
  const matrix = packMatrix(matrixRows(spec.weights.kernel), outputSize, inputSize);
  const bias = new Float32Array(outputSize);
  bias.set(spec.weights.bias ?? []);
  const f = rowFunction(spec.activation ?? 'linear');
  return stateless(matrix.panels.byteLength + bias.byteLength, ({ layout, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const rows = y.length / outputSize;
    for (let row = 0; row < rows; row += ROW_BLOCK) {
      const count = Math.min(ROW_BLOCK, rows - row);
      multiply(matrix, x, row * inputSize, layout.iota, 0, count, bias, 0, 0, y, row * outputSize, outputSize);
    }
    applyRows(f, y, outputSize);
  });
};
