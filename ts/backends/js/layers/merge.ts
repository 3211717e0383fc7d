import type { MergeSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

const fround = Math.fround;

/** Several values made one: side by side, or element by element. */
export const merge: Build<MergeSpec> = (spec, shapes) => {
  const sizes = shapes.map((shape) => shape!.size);
  const op = spec.merge;
  const size = op === 'concat' ? sizes.reduce((sum, part) => sum + part, 0) : sizes[0]!;
  const factor = fround(1 / sizes.length);
  return stateless(0, ({ inputs, outputs: [y] }) => {
    if (!y) return;
    let column = 0;
    for (let i = 0; i < sizes.length; i++) {
      const x = inputs[i]!;
      const part = sizes[i]!;
      if (op === 'concat') copyColumns(x, part, y, size, column);
      else if (i === 0) y.set(x);
      else if (op === 'mul') multiplyInto(y, x);
      else addInto(y, x);
      column += part;
    }
    if (op === 'ave') for (let i = 0; i < y.length; i++) y[i] = y[i]! * factor;
  });
};

function copyColumns(x: Float32Array, part: number, y: Float32Array, size: number, column: number): void {
  const rows = y.length / size;
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < part; j++) y[row * size + column + j] = x[row * part + j]!;
  }
}

function addInto(y: Float32Array, x: Float32Array): void {
  for (let i = 0; i < y.length; i++) y[i] = y[i]! + x[i]!;
}

function multiplyInto(y: Float32Array, x: Float32Array): void {
  for (let i = 0; i < y.length; i++) y[i] = y[i]! * x[i]!;
}
