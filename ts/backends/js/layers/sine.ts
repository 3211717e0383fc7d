import type { SineSpec } from '../../../spec/spec.ts';
import { nearest } from '../elementary.ts';
import { type Build, stateless } from './layer.ts';

const fround = Math.fround;
/** 1 / pi, and pi in parts of 9 bits, but for the last: n + 1/2 times each is exact for n of 14. */
const INVERSE = fround(1 / Math.PI);
const PI = [3.140625, 0.0009670257568359375, 6.277114152908325e-7, fround(1.2154201256553421e-10)] as const;
const [C9, C7, C5, C3] = [2.608316e-6, -0.0001981069, 0.008333079, -0.1666666].map(fround) as [number, number, number, number]; // prettier-ignore

/** sin(r), r = x - n pi, or for the cosine x - (n + 1/2) pi; less for odd n, which the cosine turns round. */
function sineOf(x: number, shift: number): number {
  const n = nearest(fround(fround(x * INVERSE) - shift));
  const m = fround(n + shift);
  let r = x;
  for (const part of PI) r = fround(fround(m * -part) + r);
  const s = fround(r * r);
  let p = fround(fround(C9 * s) + C7);
  p = fround(fround(p * s) + C5);
  p = fround(fround(p * s) + C3);
  const y = fround(fround(p * fround(s * r)) + r);
  const half = fround(0.5 * n);
  const isEven = fround(half - nearest(half)) === 0;
  const signed = isEven === shift > 0 ? -y : y;
  return signed > 1 ? 1 : signed < -1 ? -1 : signed;
}

/** sin x, or cos x, of each number. */
export const sine: Build<SineSpec> = ({ cosine = false }) =>
  stateless(0, ({ inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    for (let i = 0; i < x.length; i++) y[i] = sineOf(x[i]!, cosine ? 0.5 : 0);
  });
