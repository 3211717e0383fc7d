import type { NormSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** (x - m) / s * scale + shift, in float64 and rounded once. */
export const norm: Build<NormSpec> = (spec, [input]) => {
  const { inputSize: size, norm: by, groups = 1 } = spec;
  const overTime = spec.overTime && input!.kind === 'sequence';
  const width = size / groups;
  const epsilon = Math.fround(spec.epsilon);
  const scale = Float32Array.from(spec.weights.scale ?? new Float32Array(size).fill(1));
  const shift = Float32Array.from(spec.weights.shift ?? new Float32Array(size));

  /** `count` rows from `first` on, each `stride` behind the one before it. */
  function normalize(x: Float32Array, y: Float32Array, first: number, count: number, stride: number): void {
    for (let column = 0; column < size; column += width) {
      const start = first * size + column;
      const end = start + count * stride * size;
      const total = count * width;
      let sum = 0;
      if (by === 'standard' || by === 'variance') {
        for (let row = start; row < end; row += stride * size) {
          for (let i = row; i < row + width; i++) sum += x[i]!;
        }
      }
      const mean = sum / total;
      let squares = 0;
      for (let row = start; row < end; row += stride * size) {
        for (let i = row; i < row + width; i++) {
          const d = x[i]! - mean;
          squares += d * d;
        }
      }
      const length = Math.sqrt(by === 'unit' ? squares : squares / total + epsilon);
      const factor = 1 / (by === 'unit' && length < epsilon ? epsilon : length);
      const middle = by === 'standard' ? mean : 0;
      for (let row = start; row < end; row += stride * size) {
        for (let j = 0; j < width; j++) {
          y[row + j] = (x[row + j]! - middle) * factor * scale[column + j]! + shift[column + j]!;
        }
      }
    }
  }

  return stateless(scale.byteLength + shift.byteLength, ({ layout, inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const { starts, lengths, stride } = layout;
    if (overTime) for (let b = 0; b < lengths.length; b++) normalize(x, y, starts[b]!, lengths[b]!, stride);
    else for (let row = 0; row < y.length / size; row++) normalize(x, y, row, 1, 1);
  });
};
