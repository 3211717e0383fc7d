import { exp } from './exp.ts';

const fround = Math.fround;

/**
 * Softmax of `scores[0 .. count - 1]` in place, of which -Infinity has no part: its weight is 0. False where none has a part; the scores
 * are then what they were. Equations in docs/arithmetic.md.
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
    const e = score === -Infinity ? 0 : exp(fround(score - max), -87, 0);
    scores[i] = e;
    sum = fround(sum + e);
  }
  for (let i = 0; i < count; i++) scores[i] = scores[i]! / sum;
  return true;
}
