import { exp } from './exp.ts';

const fround = Math.fround;

/** So far below the greatest a score weighs nothing: smaller weights, times values, are denormals, which are slow. */
const LEAST = -60;

/**
 * Softmax of `scores[0 .. count - 1]` in place, of which one far below the greatest has no part: its weight is 0. False where all are
 * -Infinity; the scores are then what they were. Equations in docs/arithmetic.md.
 */
export function softmaxOfScores(scores: Float32Array, count: number): boolean {
  let max = -Infinity;
  let any = false;
  for (let i = 0; i < count; i++) {
    const score = scores[i]!;
    if (score !== -Infinity) any = true;
    max = i === 0 || max < score ? score : max;
  }
  if (!any) return false;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const score = scores[i]!;
    const below = fround(score - max);
    const e = below < LEAST ? 0 : exp(below, -80, 0);
    scores[i] = e;
    sum = fround(sum + e);
  }
  for (let i = 0; i < count; i++) scores[i] = scores[i]! / sum;
  return true;
}
