import type { RepeatSpec } from '../../../spec/spec.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/** A row of each sequence at every step of an axis of its own or that of a second input. */
export const repeat: Build<RepeatSpec> = (_, [input], axis) => {
  const size = input!.size;
  return stateless(0, ({ layouts, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const layout = layouts[axis]!;
    for (let b = 0; b < layout.batch; b++) {
      for (let step = 0; step < layout.lengths[b]!; step++) {
        const row = rowOf(layout, b, step);
        for (let j = 0; j < size; j++) y[row * size + j] = x[b * size + j]!;
      }
    }
  });
};
