import type { FlattenSpec } from '../../../spec/spec.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/** A number of steps side by side as one row: steps beyond it are left out, those that are missing are zeros. */
export const flatten: Build<FlattenSpec> = ({ steps }, [input]) => {
  const size = input!.size;
  return stateless(0, ({ layout, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    for (let b = 0, at = 0; b < layout.batch; b++) {
      const length = layout.lengths[b]!;
      for (let step = 0; step < steps; step++) {
        const row = rowOf(layout, b, step);
        for (let j = 0; j < size; j++) y[at++] = step < length ? x[row * size + j]! : 0;
      }
    }
  });
};
