import type { InputInfo, TensorLike } from 'gru-wasm';

/** Lines that were drawn, a value from -1 to 1 a step, by input and feature: `x[0]`. What is not drawn is 0. */
export type Drawing = Record<string, Float32Array>;

/** Features that can be chosen: more than these nobody draws. */
export const MAX_FEATURES = 64;

const isSequence = ({ shape }: InputInfo): boolean => shape.includes('steps');
const sizeOf = ({ shape, dtype }: InputInfo): number =>
  dtype === 'int32' ? 1 : shape.reduce<number>((n, d) => (typeof d === 'number' ? n * d : n), 1);

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
  const size = sizeOf(input);
  const rows = isSequence(input) ? steps : 1;
  const lines = Array.from({ length: size }, (_, i) => drawing[`${input.name}[${i}]`]);
  const values = Float32Array.from({ length: rows * size }, (_, k) => lines[k % size]?.[Math.floor(k / size)] ?? 0);
  const shape = input.shape.slice(1).map((d) => (d === 'steps' ? rows : (d as number)));
  if (input.dtype === 'float32') return { data: values, shape };
  const { vocabularySize = 2 } = input;
  const id = (value: number) => Math.min(vocabularySize - 1, Math.floor(((value + 1) / 2) * vocabularySize));
  return { data: Int32Array.from(values, id), shape };
}
