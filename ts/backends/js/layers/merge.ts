import type { MergeSpec } from '../../../spec/spec.ts';
import { power } from '../elementary.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

const fround = Math.fround;

/** `y[at + j] = y[at + j] op x[from + j step]` for `size` values: step 0 where x is one number for all. */
type Combine = (y: Float32Array, at: number, size: number, x: Float32Array, from: number, step: number) => void;

/** Own loops, not one with a callback: each of its results would be allocated. */
const COMBINE: Record<Exclude<MergeSpec['merge'], 'concat'>, Combine> = {
  sum: add,
  ave: add,
  mul(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) y[at + j] = y[at + j]! * x[from + j * step]!;
  },
  sub(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) y[at + j] = y[at + j]! - x[from + j * step]!;
  },
  div(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) y[at + j] = y[at + j]! / x[from + j * step]!;
  },
  min(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) {
      const b = x[from + j * step]!;
      if (b < y[at + j]! || Number.isNaN(b)) y[at + j] = b;
    }
  },
  max(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) {
      const b = x[from + j * step]!;
      if (y[at + j]! < b || Number.isNaN(b)) y[at + j] = b;
    }
  },
  pow(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) y[at + j] = power(y[at + j]!, x[from + j * step]!);
  },
  prelu(y, at, size, x, from, step) {
    for (let j = 0; j < size; j++) if (y[at + j]! < 0) y[at + j] = x[from + j * step]! * y[at + j]!;
  },
};

function add(y: Float32Array, at: number, size: number, x: Float32Array, from: number, step: number): void {
  for (let j = 0; j < size; j++) y[at + j] = y[at + j]! + x[from + j * step]!;
}

function copy(y: Float32Array, at: number, size: number, x: Float32Array, from: number, step: number): void {
  for (let j = 0; j < size; j++) y[at + j] = x[from + j * step]!;
}

/** What is merged: the input of this number, or the constant. */
interface Operand {
  input?: number;
  size: number;
  perStep: boolean;
}

/** Several values made one: side by side, or element by element. */
export const merge: Build<MergeSpec> = (spec, shapes) => {
  const operands = shapes.map((shape, input): Operand => ({
    input,
    size: shape!.size,
    perStep: shape!.kind === 'sequence',
  }));
  const constant = Float32Array.from(spec.weights?.constant ?? []);
  if (constant.length > 0) {
    operands.splice(spec.constantFirst ? 0 : operands.length, 0, { size: constant.length, perStep: false });
  }
  const perStep = operands.some((operand) => operand.perStep);
  const op = spec.merge;
  const isConcat = op === 'concat';
  const combine = isConcat ? copy : COMBINE[op];
  const size = operands.reduce((n, part) => (isConcat ? n + part.size : Math.max(n, part.size)), 0);
  const factor = fround(1 / operands.length);
  return stateless(constant.byteLength, ({ layout, inputs, outputs: [y] }) => {
    if (!y) return;
    let column = 0;
    for (let i = 0; i < operands.length; i++) {
      const { input, size: part, perStep: ofSteps } = operands[i]!;
      const x = input === undefined ? constant : inputs[input]!;
      const apply = i === 0 ? copy : combine;
      const [at, width, step] = isConcat ? [column, part, 1] : [0, size, part === 1 ? 0 : 1];
      if (input !== undefined && ofSteps === perStep) {
        if (part === size) apply(y, 0, y.length, x, 0, 1);
        else for (let row = 0; row * size < y.length; row++) apply(y, row * size + at, width, x, row * part, step);
      } else if (input === undefined) {
        for (let row = 0; row * size < y.length; row++) apply(y, row * size + at, width, x, 0, step);
      } else {
        for (let b = 0; b < layout.batch; b++) {
          for (let t = 0; t < layout.lengths[b]!; t++) {
            const row = layout.starts[b]! + t * layout.stride;
            apply(y, row * size + at, width, x, b * part, step);
          }
        }
      }
      column += part;
    }
    if (op === 'ave') for (let i = 0; i < y.length; i++) y[i] = y[i]! * factor;
  });
};
