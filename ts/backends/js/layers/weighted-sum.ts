import type { WeightedSumSpec } from '../../../spec/spec.ts';
import { accumulate } from '../rows.ts';
import { rowOf, stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Sums over the steps of each sequence, of rows times weights: one sum a weight of a row. */
export const weightedSum: Build<WeightedSumSpec> = (_, [weights, values]) => {
  const count = weights!.size;
  const size = values!.size;
  return stateless(0, ({ layout, inputs: [w, x], outputs: [y] }) => {
    if (!w || !x || !y) return;
    y.fill(0);
    for (let b = 0; b < layout.batch; b++) {
      for (let step = 0; step < layout.lengths[b]!; step++) {
        const row = rowOf(layout, b, step);
        for (let i = 0; i < count; i++) accumulate(y, (b * count + i) * size, w[row * count + i]!, x, row * size, size);
      }
    }
  });
};
