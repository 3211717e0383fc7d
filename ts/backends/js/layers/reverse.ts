import type { ReverseSpec } from '../../../spec/spec.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/** The steps of each sequence from its last to its first. */
export const reverse: Build<ReverseSpec> = (_, [input]) => {
  const size = input!.size;
  return stateless(0, ({ layout, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    for (let b = 0; b < layout.batch; b++) {
      const steps = layout.lengths[b]!;
      for (let step = 0; step < steps; step++) {
        const [row, into] = [rowOf(layout, b, steps - 1 - step) * size, rowOf(layout, b, step) * size];
        y.set(x.subarray(row, row + size), into);
      }
    }
  });
};
