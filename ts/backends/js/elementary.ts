import { exp, LOG2E, MAGIC, POWERS, powerOf2, ROUND } from './exp.ts';

// Functions made of exp that several activations share; equations in docs/arithmetic.md.

const fround = Math.fround;
/** ln 2 in two parts, of which the first times a whole number of 15 bits is exact. */
const LN2_HIGH = fround(0.6933594);
const LN2_LOW = fround(-0.00021219444);
const MIN_NORMAL = 2 ** -126;
const MAX = fround(3.4028234663852886e38);
/** The bits of sqrt(1/2). */
const SQRT_HALF = 0x3f3504f3;
const LOWEST = fround(-86.9);
const HIGHEST = fround(88.73);

const number = new Float32Array(1);
const bits = new Int32Array(number.buffer);

/** e^x of all x: 0 below -86.9, infinite from 88.73. */
export function exponential(v: number): number {
  if (v < LOWEST) return 0;
  const x = HIGHEST < v ? HIGHEST : v;
  // Half of e^x has an exponent that fits, for all of them.
  const t = fround(fround(x * LOG2E) + (MAGIC - 1));
  const n = fround(t - (MAGIC - 1));
  const r = fround(fround(n * -LN2_LOW) + fround(fround(n * -LN2_HIGH) + x));
  const p = powerOf2(fround(r * LOG2E));
  return fround(fround(p + p) * POWERS[(t - ROUND) & 255]!);
}

/** log((1 + s) / (1 - s)), by its series, for |s| <= 1/3. */
function atanh2(s: number): number {
  const v = fround(s * s);
  let q = fround(fround(fround(2 / 11) * v) + fround(2 / 9));
  q = fround(fround(q * v) + fround(2 / 7));
  q = fround(fround(q * v) + fround(2 / 5));
  q = fround(fround(q * v) + fround(2 / 3));
  q = fround(fround(q * v) + 2);
  return fround(s * q);
}

/** What is less is its own log(1 + u), without denormals on the way. */
const LEAST = 2 ** -24;

/** log(1 + e^x) */
export function softplus(x: number): number {
  const u = exp(-Math.abs(x), -80, 0);
  return fround((x < 0 ? 0 : x) + (u < LEAST ? u : atanh2(fround(u / fround(2 + u)))));
}

/** log(x): NaN below 0, -infinity at 0. */
export function log(x: number): number {
  if (!(x <= MAX)) return x;
  if (x <= 0) return x < 0 ? NaN : -Infinity;
  const small = x < MIN_NORMAL;
  number[0] = small ? x * 8388608 : x;
  const exponent = (bits[0]! - SQRT_HALF) >> 23;
  bits[0] = bits[0]! - (exponent << 23);
  const m = number[0];
  const e = small ? exponent - 23 : exponent;
  const s = fround(fround(m - 1) / fround(m + 1));
  return fround(fround(e * LN2_HIGH) + fround(fround(e * LN2_LOW) + atanh2(s)));
}

const ERFC = [
  3.1440188e-5, -3.0880241e-4, 1.0324024e-3, 5.3693209e-4, -0.01958396, 0.102919616, 0.63659775, 1.1283803,
].map(fround);

/** 1 - erf(|x|), as e^-(|x| q(|x|)); 0 from 4. */
export function erfcAbs(x: number): number {
  const a = Math.abs(x);
  if (4 < a) return 0;
  let q = ERFC[0]!;
  for (let i = 1; i < ERFC.length; i++) q = fround(fround(q * a) + ERFC[i]!);
  return exp(-fround(a * q), -80, 0);
}

/** x^y. Of x below 0 for whole y alone; x^0 = 1. */
export function power(x: number, y: number): number {
  if (y === 0) return 1;
  const size = exponential(fround(y * log(Math.abs(x))));
  if (!(x < 0)) return size;
  if (!Number.isInteger(y)) return NaN;
  return y % 2 === 0 ? size : -size;
}

/** The nearest whole number, the even one of two. */
export function nearest(x: number): number {
  // Above 2^23 a float32 has no fraction; below, its sum with that has none. The sign is that of x, of a zero too.
  const a = Math.abs(x);
  if (!(a < 8388608)) return x;
  const whole = fround(a + 8388608) - 8388608;
  return x < 0 || Object.is(x, -0) ? -whole : whole;
}
