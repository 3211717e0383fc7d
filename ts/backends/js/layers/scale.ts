import type { ScaleSpec } from '../../../spec/spec.ts';
import type { Layout } from '../plan.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

const fround = Math.fround;

/** scale x + shift */
export const scale: Build<ScaleSpec> = ({ inputSize: size, steps, weights }) => {
  const length = size * (steps ?? 1);
  const factors = Float32Array.from(weights.scale ?? new Float32Array(length).fill(1));
  const shifts = Float32Array.from(weights.shift ?? new Float32Array(length));

  function scaleRow(x: Float32Array, y: Float32Array, row: number, step: number): void {
    const [at, from] = [row * size, step * size];
    for (let j = 0; j < size; j++) y[at + j] = fround(x[at + j]! * factors[from + j]!) + shifts[from + j]!;
  }

  function scaleSteps(x: Float32Array, y: Float32Array, { starts, lengths, stride }: Layout): void {
    for (let b = 0; b < lengths.length; b++) {
      for (let t = 0; t < lengths[b]!; t++) scaleRow(x, y, starts[b]! + t * stride, t);
    }
  }

  return stateless(factors.byteLength + shifts.byteLength, ({ layout, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    if (steps !== undefined) scaleSteps(x, y, layout);
    else for (let row = 0; row < y.length / size; row++) scaleRow(x, y, row, 0);
  });
};
