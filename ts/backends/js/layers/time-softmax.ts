import type { TimeSoftmaxSpec } from '../../../spec/spec.ts';
import { softmaxOfScores } from '../softmax.ts';
import { withScratch } from './layer.ts';
import type { Build } from './layer.ts';

/** Softmax over the steps of each sequence, for each number of a row by itself. */
export const timeSoftmax: Build<TimeSoftmaxSpec> = (_, [input]) => {
  const size = input!.size;
  return withScratch(
    0,
    ({ steps }) => [steps],
    ({ layout, inputs: [x, mask], outputs: [y] }, { scratch: [scores] }) => {
      if (!x || !y || !scores) return;
      for (let b = 0; b < layout.batch; b++) {
        const first = layout.starts[b]!;
        const count = layout.lengths[b]!;
        for (let column = 0; column < size; column++) {
          for (let step = 0; step < count; step++) {
            const row = first + step * layout.stride;
            scores[step] = mask?.[row] === 0 ? -Infinity : x[row * size + column]!;
          }
          if (!softmaxOfScores(scores, count)) scores.fill(0, 0, count);
          for (let step = 0; step < count; step++) {
            y[(first + step * layout.stride) * size + column] = scores[step]!;
          }
        }
      }
    },
  );
};
