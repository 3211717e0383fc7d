import type { RecurrentBase } from '../../../../spec/spec.ts';

/** How the second direction of a layer joins the first; `concat` writes its own columns. */
export type Combine = NonNullable<RecurrentBase['merge']>;

/** Writes `size` values of `from` at `f` to `to` at `t`, or combines them with what is there. */
export function writeRow(
  combine: Combine,
  to: Float32Array,
  t: number,
  from: Float32Array,
  f: number,
  size: number,
): void {
  if (combine === 'concat') for (let j = 0; j < size; j++) to[t + j] = from[f + j]!;
  else if (combine === 'sum') for (let j = 0; j < size; j++) to[t + j] = to[t + j]! + from[f + j]!;
  else if (combine === 'mul') for (let j = 0; j < size; j++) to[t + j] = to[t + j]! * from[f + j]!;
  else for (let j = 0; j < size; j++) to[t + j] = Math.fround(to[t + j]! + from[f + j]!) * 0.5;
}

/** The same for zeros; a product with them is 0 whatever is there. */
export function writeZeros(combine: Combine, to: Float32Array, t: number, size: number): void {
  if (combine === 'concat' || combine === 'mul') to.fill(0, t, t + size);
  else if (combine === 'ave') for (let j = 0; j < size; j++) to[t + j] = to[t + j]! * 0.5;
}
