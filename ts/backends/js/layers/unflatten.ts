import type { UnflattenSpec } from '../../../spec/spec.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/** A row of each sequence cut into steps, on an axis of its own or that of a second input: zeros where it has more. */
export const unflatten: Build<UnflattenSpec> = ({ steps, transposed = false }, [input], axis) => {
  const size = input!.size / steps;
  return stateless(0, ({ layouts, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const layout = layouts[axis]!;
    for (let b = 0; b < layout.batch; b++) {
      const first = b * steps * size;
      for (let step = 0; step < layout.lengths[b]!; step++) {
        const row = rowOf(layout, b, step);
        for (let j = 0; j < size; j++) {
          const from = transposed ? j * steps + step : step * size + j;
          y[row * size + j] = step < steps ? x[first + from]! : 0;
        }
      }
    }
  });
};
