import type { PoolSpec } from '../../../spec/spec.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/** Windows of steps, each as one row; a window without any step is zeros. */
export const pool: Build<PoolSpec> = (spec, [input], axis) => {
  const size = input!.size;
  const { window, stride = 1, dilation = 1, padding = [0, 0], countPadding = false } = spec;
  const isMean = spec.pool === 'mean';
  /** Steps before and behind a sequence. */
  const paddingOf = (steps: number, outputs: number): readonly [number, number] => {
    if (typeof padding !== 'string') return padding;
    const all = Math.max(Math.max(outputs - 1, 0) * stride + (window - 1) * dilation + 1 - steps, 0);
    const half = Math.floor(all / 2);
    return padding === 'same' ? [half, all - half] : [all - half, half];
  };
  return stateless(0, ({ layout: from, layouts, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const to = layouts[axis]!;
    for (let b = 0; b < to.batch; b++) {
      const steps = from.lengths[b]!;
      const outputs = to.lengths[b]!;
      const [left, right] = paddingOf(steps, outputs);
      for (let output = 0; output < outputs; output++) {
        const into = rowOf(to, b, output) * size;
        y.fill(isMean ? 0 : -Infinity, into, into + size);
        let inside = 0;
        let counted = 0;
        for (let tap = 0; tap < window; tap++) {
          const step = output * stride + tap * dilation - left;
          if (step < steps + right) counted++;
          if (step < 0 || step >= steps) continue;
          inside++;
          const row = rowOf(from, b, step) * size;
          for (let j = 0; j < size; j++) {
            const value = x[row + j]!;
            const sum = y[into + j]!;
            y[into + j] = isMean ? sum + value : value > sum || value !== value ? value : sum;
          }
        }
        if (inside === 0) y.fill(0, into, into + size);
        else if (isMean) for (let j = into; j < into + size; j++) y[j] = y[j]! / (countPadding ? counted : inside);
      }
    }
  });
};
