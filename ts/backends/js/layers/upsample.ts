import type { UpsampleSpec } from '../../../spec/spec.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/** Each step several times, or cut into several; zeros where there is none. */
export const upsample: Build<UpsampleSpec> = ({ factor, split = false }, [input], axis) => {
  const parts = split ? factor : 1;
  const size = input!.size / parts;
  return stateless(0, ({ layout: from, layouts, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const to = layouts[axis]!;
    for (let b = 0; b < to.batch; b++) {
      for (let output = 0; output < to.lengths[b]!; output++) {
        const step = Math.floor(output / factor);
        const [row, into] = [(rowOf(from, b, step) * parts + (output % parts)) * size, rowOf(to, b, output) * size];
        for (let j = 0; j < size; j++) y[into + j] = step < from.lengths[b]! ? x[row + j]! : 0;
      }
    }
  });
};
