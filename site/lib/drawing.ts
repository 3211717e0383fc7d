import type { InputInfo, TensorLike } from 'gru-wasm';
import { fill, isSequence, sizeOf } from './data.ts';

/** Lines that were drawn, a value from -1 to 1 a step, by input and feature: `x[0]`. What is not drawn is 0. */
export type Drawing = Record<string, Float32Array>;

/** Features that can be chosen: more than these nobody draws. */
const MAX_FEATURES = 64;

/** What can be drawn for a model: each feature of each of its sequences. */
export function features(inputs: readonly InputInfo[]): string[] {
  const names = inputs
    .filter(isSequence)
    .flatMap((input) => Array.from({ length: Math.min(sizeOf(input), MAX_FEATURES) }, (_, i) => `${input.name}[${i}]`));
  return names.slice(0, MAX_FEATURES);
}

/** A line from one point to the next, as a pointer drew it: the steps between them too. */
export function stroke(line: Float32Array, from: [step: number, value: number], to: [number, number]): Float32Array {
  const drawn = line.slice();
  const steps = Math.abs(to[0] - from[0]);
  for (let k = 0; k <= steps; k++) {
    const part = steps === 0 ? 1 : k / steps;
    drawn[from[0] + Math.sign(to[0] - from[0]) * k] = from[1] + (to[1] - from[1]) * part;
  }
  return drawn;
}

/** An input of a model as it was drawn; ids are the heights, from the first to the last of the vocabulary. */
export function fromDrawing(input: InputInfo, drawing: Drawing, steps: number): TensorLike {
  const lines = Array.from({ length: sizeOf(input) }, (_, i) => drawing[`${input.name}[${i}]`]);
  return fill(input, steps, (step, feature) => lines[feature]?.[step] ?? 0);
}
