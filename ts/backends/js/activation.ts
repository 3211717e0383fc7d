import { SOFTMAX, resolveActivation } from '../../layers/activations.ts';
import type { Activation } from '../../spec/spec.ts';

// exp and the functions made of it; equations in docs/arithmetic.md.

const fround = Math.fround;
const LOG2E = fround(1.44269504);
/** 1.5 * 2^23: adding it rounds to a whole number, taking it away again gives that number. */
const ROUND = 12582912;
const MAGIC = ROUND + 127;
const C5 = fround(0.001327647129073739);
const C4 = fround(0.009675540961325169);
const C3 = fround(0.05550713092088699);
const C2 = fround(0.24022120237350464);
const C1 = fround(0.6931469440460205);
const C0 = fround(1.0000001192092896);
const MIN_NORMAL = 2 ** -126;

/** `POWERS[n]` has the exponent bits n: 2^(n - 127). */
const POWERS = new Float32Array(Int32Array.from({ length: 256 }, (_, n) => n << 23).buffer);

/** e^x, x clamped to [lo, hi]. */
export function exp(v: number, lo: number, hi: number): number {
  let x = hi < v ? hi : v;
  x = x < lo ? lo : x;
  const y = fround(x * LOG2E);
  const t = fround(y + MAGIC);
  const f = fround(y + (MAGIC - t));
  let p = fround(fround(f * C5) + C4);
  p = fround(fround(p * f) + C3);
  p = fround(fround(p * f) + C2);
  p = fround(fround(p * f) + C1);
  p = fround(fround(p * f) + C0);
  return fround(p * POWERS[(t - ROUND) & 255]!);
}

/**
 * e^x of `values[from .. to - 1]` in place. The gates take their exponentials row by row: three of them in one loop exceed
 * what V8 inlines into it, each call then allocates its result, and the chain r, n, h' of an element fills the reorder
 * buffer (Node 20, AMD EPYC, all gates of a unit: 92 ns against 39).
 */
export function expRange(values: Float32Array, from: number, to: number, lo: number, hi: number): void {
  for (let i = from; i < to; i++) values[i] = exp(values[i]!, lo, hi);
}

/** 1 / (1 + e^-x) */
export function sigmoid(x: number): number {
  return fround(1 / fround(1 + exp(-x, -40, 40)));
}

/** (e^2x - 1) / (e^2x + 1) */
export function tanh(x: number): number {
  const b = exp(fround(x + x), -20, 20);
  return fround(fround(b - 1) / fround(b + 1));
}

/** 0 where |x| is below the smallest normal number. */
export function flush(x: number): number {
  return x < MIN_NORMAL && x > -MIN_NORMAL ? 0 : x;
}

/** log(1 + u) for 0 <= u <= 1, by the series of atanh. */
function log1p(u: number): number {
  const s = fround(u / fround(2 + u));
  const v = fround(s * s);
  let q = fround(fround(fround(2 / 11) * v) + fround(2 / 9));
  q = fround(fround(q * v) + fround(2 / 7));
  q = fround(fround(q * v) + fround(2 / 5));
  q = fround(fround(q * v) + fround(2 / 3));
  q = fround(fround(q * v) + 2);
  return fround(s * q);
}

/** An activation ready to run over `values[from .. to - 1]`. */
export interface RowFunction {
  readonly code: number;
  readonly alpha: number;
  readonly beta: number;
  readonly apply: Loop;
}

/** Own loops, not one with a callback: that call would not be inlined, and each of its results would be allocated. */
type Loop = (values: Float32Array, from: number, to: number, f: RowFunction) => void;

/** By the numbers of ts/layers/activations.ts. */
const LOOPS: readonly Loop[] = [
  function linear() {
    // x
  },
  function sigmoidLoop(v, from, to) {
    for (let i = from; i < to; i++) v[i] = sigmoid(v[i]!);
  },
  function tanhLoop(v, from, to) {
    for (let i = from; i < to; i++) v[i] = tanh(v[i]!);
  },
  function relu(v, from, to) {
    for (let i = from; i < to; i++) if (v[i]! < 0) v[i] = 0;
  },
  function hardSigmoid(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) {
      let x = fround(fround(v[i]! * alpha) + beta);
      x = 1 < x ? 1 : x;
      v[i] = x < 0 ? 0 : x;
    }
  },
  function softsign(v, from, to) {
    for (let i = from; i < to; i++) v[i] = v[i]! / fround(1 + Math.abs(v[i]!));
  },
  function softplus(v, from, to) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      v[i] = (x < 0 ? 0 : x) + log1p(exp(-Math.abs(x), -87, 0));
    }
  },
  function elu(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) if (v[i]! < 0) v[i] = alpha * fround(exp(v[i]!, -87, 0) - 1);
  },
  function leakyRelu(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) if (v[i]! < 0) v[i] = alpha * v[i]!;
  },
  function thresholdedRelu(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) if (v[i]! <= alpha) v[i] = 0;
  },
  function scaledTanh(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) v[i] = alpha * tanh(fround(beta * v[i]!));
  },
  function affine(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) v[i] = fround(v[i]! * alpha) + beta;
  },
  function softmax(v, from, to) {
    let max = v[from]!;
    for (let i = from + 1; i < to; i++) max = max < v[i]! ? v[i]! : max;
    for (let i = from; i < to; i++) v[i] = exp(fround(v[i]! - max), -87, 0);
    let sum = 0;
    for (let i = from; i < to; i++) sum = fround(sum + v[i]!);
    for (let i = from; i < to; i++) v[i] = v[i]! / sum;
  },
];

/** The function that a spec names, with its parameters rounded to float32. */
export function rowFunction(activation: Activation | 'softmax'): RowFunction {
  const { code, alpha, beta } = resolveActivation(activation);
  return { code, alpha: fround(alpha), beta: fround(beta), apply: LOOPS[code]! };
}

/** Applies the function to rows of `size` values. */
export function applyRows(f: RowFunction, values: Float32Array, size: number): void {
  if (f.code !== SOFTMAX) f.apply(values, 0, values.length, f);
  else for (let at = 0; at < values.length; at += size) f.apply(values, at, at + size, f);
}
