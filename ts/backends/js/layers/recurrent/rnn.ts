import type { RnnSpec } from '../../../../spec/spec.ts';
import { rowFunction } from '../../activation.ts';
import { flush } from '../../../../base/denormals.ts';
import { multiply, packMatrix } from '../../matmul.ts';
import { clipThenApply } from './cell.ts';
import { recurrent } from './driver.ts';

const fround = Math.fround;

/** A simple RNN layer: h' = activation(P + R h). */
export const rnn = recurrent<RnnSpec>(({ hiddenSize: size, activation = 'tanh', clip = Infinity }) => {
  const f = rowFunction(activation);
  const bound = fround(clip);
  return {
    gates: 1,
    slots: 1,
    scratch: [1],
    pack(weights) {
      const matrix = packMatrix(weights.matrix('recurrent'), size, size);
      return {
        buffers: [matrix.panels],
        step(state, rows, from, count, projected, p, scratch) {
          const hidden = state[0]!;
          const sums = scratch[0]!;
          multiply(matrix, hidden, 0, rows, from, count, projected, p, size, sums, 0, size);
          clipThenApply(f, bound, sums, 0, count * size);
          for (let i = 0; i < count; i++) {
            const h = rows[from + i]! * size;
            for (let j = 0; j < size; j++) hidden[h + j] = flush(sums[i * size + j]!);
          }
        },
      };
    },
  };
});
