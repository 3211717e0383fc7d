import { isOfRows, resolveActivation } from '../../layers/activations.ts';
import type { RowActivation } from '../../spec/spec.ts';
import { erfcAbs, exponential, log, nearest, softplus } from './elementary.ts';
import { exp, sigmoid, tanh } from './exp.ts';

// Loops over values; equations in docs/arithmetic.md.

const fround = Math.fround;
const SQRT_HALF = fround(Math.SQRT1_2);
/** 2 sqrt(2 / pi), and that times 0.044715. */
const GELU_LINEAR = fround(1.5957691);
const GELU_CUBE = fround(0.071354814);

/** An activation ready to run over `values[from .. to - 1]`. */
export interface RowFunction {
  readonly code: number;
  readonly alpha: number;
  readonly beta: number;
  readonly apply: Loop;
}

/** Own loops, not one with a callback: that call would not be inlined, and each of its results would be allocated. */
type Loop = (values: Float32Array, from: number, to: number, f: RowFunction) => void;

/** The greatest of a row. */
function greatest(v: Float32Array, from: number, to: number): number {
  let max = v[from]!;
  for (let i = from + 1; i < to; i++) max = max < v[i]! ? v[i]! : max;
  return max;
}

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
  function softplusLoop(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) v[i] = softplus(fround(v[i]! * alpha)) / alpha;
  },
  function elu(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) if (v[i]! < 0) v[i] = alpha * fround(exp(v[i]!, -80, 0) - 1);
  },
  function leakyRelu(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) if (v[i]! <= beta) v[i] = alpha * fround(v[i]! - beta);
  },
  function thresholdedRelu(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) if (v[i]! <= alpha) v[i] = beta;
  },
  function scaledTanh(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) v[i] = alpha * tanh(fround(beta * v[i]!));
  },
  function affine(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) v[i] = fround(v[i]! * alpha) + beta;
  },
  function softmax(v, from, to) {
    const max = greatest(v, from, to);
    for (let i = from; i < to; i++) v[i] = exp(fround(v[i]! - max), -80, 0);
    let sum = 0;
    for (let i = from; i < to; i++) sum = fround(sum + v[i]!);
    for (let i = from; i < to; i++) v[i] = v[i]! / sum;
  },
  function logSoftmax(v, from, to) {
    const max = greatest(v, from, to);
    for (let i = from; i < to; i++) v[i] = v[i]! - max;
    let sum = 0;
    for (let i = from; i < to; i++) sum = fround(sum + exp(v[i]!, -80, 0));
    const rest = log(sum);
    for (let i = from; i < to; i++) v[i] = v[i]! - rest;
  },
  function swish(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) v[i] = v[i]! / fround(1 + exponential(-fround(alpha * v[i]!)));
  },
  function gelu(v, from, to) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      const tail = erfcAbs(fround(x * SQRT_HALF));
      v[i] = fround(0.5 * x) * (x < 0 ? tail : fround(2 - tail));
    }
  },
  function geluTanh(v, from, to) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      const cubic = fround(fround(fround(x * x) * GELU_CUBE) + GELU_LINEAR);
      v[i] = x / fround(1 + exponential(-fround(x * cubic)));
    }
  },
  function selu(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      v[i] = beta * (x < 0 ? fround(alpha * fround(exp(x, -80, 0) - 1)) : x);
    }
  },
  function celu(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) {
      if (v[i]! < 0) v[i] = alpha * fround(exp(fround(v[i]! / alpha), -80, 0) - 1);
    }
  },
  function mish(v, from, to) {
    for (let i = from; i < to; i++) {
      const w = exponential(40 < v[i]! ? 40 : v[i]!);
      const n = fround(w * fround(w + 2));
      v[i] = v[i]! * fround(n / fround(n + 2));
    }
  },
  function hardSwish(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) {
      let gate = fround(fround(v[i]! * alpha) + beta);
      gate = 1 < gate ? 1 : gate;
      v[i] = v[i]! * (gate < 0 ? 0 : gate);
    }
  },
  function clip(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) {
      const x = beta < v[i]! ? beta : v[i]!;
      v[i] = x < alpha ? alpha : x;
    }
  },
  function shrink(v, from, to, { alpha, beta }) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      v[i] = Math.abs(x) <= alpha ? 0 : x < 0 ? x + beta : x - beta;
    }
  },
  function tanhShrink(v, from, to) {
    for (let i = from; i < to; i++) v[i] = v[i]! - tanh(v[i]!);
  },
  function logSigmoid(v, from, to) {
    for (let i = from; i < to; i++) v[i] = -softplus(-v[i]!);
  },
  function expLoop(v, from, to) {
    for (let i = from; i < to; i++) v[i] = exponential(v[i]!);
  },
  function logLoop(v, from, to) {
    for (let i = from; i < to; i++) v[i] = log(v[i]!);
  },
  function erf(v, from, to) {
    for (let i = from; i < to; i++) {
      const y = fround(1 - erfcAbs(v[i]!));
      v[i] = v[i]! < 0 ? -y : y;
    }
  },
  function sqrt(v, from, to) {
    for (let i = from; i < to; i++) v[i] = Math.sqrt(v[i]!);
  },
  function square(v, from, to) {
    for (let i = from; i < to; i++) v[i] = v[i]! * v[i]!;
  },
  function abs(v, from, to) {
    for (let i = from; i < to; i++) v[i] = Math.abs(v[i]!);
  },
  function reciprocal(v, from, to) {
    for (let i = from; i < to; i++) v[i] = 1 / v[i]!;
  },
  function sign(v, from, to) {
    for (let i = from; i < to; i++) v[i] = Math.sign(v[i]!);
  },
  function round(v, from, to) {
    for (let i = from; i < to; i++) v[i] = nearest(v[i]!);
  },
  function floor(v, from, to) {
    for (let i = from; i < to; i++) v[i] = Math.floor(v[i]!);
  },
  function ceil(v, from, to) {
    for (let i = from; i < to; i++) v[i] = Math.ceil(v[i]!);
  },
  function squareplus(v, from, to, { alpha }) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      v[i] = 0.5 * fround(x + fround(Math.sqrt(fround(fround(x * x) + alpha))));
    }
  },
  function sparsePlus(v, from, to) {
    for (let i = from; i < to; i++) {
      const x = v[i]!;
      const half = fround(0.5 * fround(x + 1));
      v[i] = x <= -1 ? 0 : x < 1 ? half * half : x;
    }
  },
];

/** The function that a spec names, with its parameters rounded to float32. */
export function rowFunction(activation: RowActivation): RowFunction {
  const { code, alpha, beta } = resolveActivation(activation);
  return { code, alpha: fround(alpha), beta: fround(beta), apply: LOOPS[code]! };
}

/** Applies the function to rows of `size` values. */
export function applyRows(f: RowFunction, values: Float32Array, size: number): void {
  if (!isOfRows(f.code)) f.apply(values, 0, values.length, f);
  else for (let at = 0; at < values.length; at += size) f.apply(values, at, at + size, f);
}
