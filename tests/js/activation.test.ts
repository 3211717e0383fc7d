import { describe, expect, test } from 'vitest';
import { applyRows, rowFunction } from '../../ts/backends/js/activation.ts';
import { exp } from '../../ts/backends/js/exp.ts';
import { ACTIVATIONS } from '../../ts/layers/activations.ts';
import type { Activation } from '../../ts/spec/spec.ts';

/** erf by its series, whose terms have one sign. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const elu = (x: number) => (x < 0 ? Math.expm1(x) : x);
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Largest error beyond one part in 2^23 of the value: absolute, for values near 0 come from a difference of such near 1. */
const CASES: [Activation, (x: number) => number, number][] = [
  ['linear', (x) => x, 0],
  ['sigmoid', (x) => 1 / (1 + Math.exp(-x)), 3e-7],
  ['tanh', Math.tanh, 4e-7],
  ['relu', (x) => Math.max(x, 0), 0],
  ['hard_sigmoid', (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)), 2e-7],
  ['softsign', (x) => x / (1 + Math.abs(x)), 2e-7],
  ['softplus', softplus, 1e-6],
  ['elu', (x) => (x < 0 ? Math.exp(x) - 1 : x), 4e-7],
  [{ name: 'elu', alpha: 0.3 }, (x) => (x < 0 ? 0.3 * (Math.exp(x) - 1) : x), 2e-7],
  ['leaky_relu', (x) => (x < 0 ? 0.01 * x : x), 1e-7],
  ['thresholded_relu', (x) => (x > 1 ? x : 0), 0],
  [{ name: 'scaled_tanh', alpha: 1.7, beta: 0.6 }, (x) => 1.7 * Math.tanh(0.6 * x), 1e-6],
  [{ name: 'affine', alpha: 2.5, beta: -0.25 }, (x) => 2.5 * x - 0.25, 1e-5],
  [{ name: 'softplus', alpha: 2.5 }, (x) => softplus(2.5 * x) / 2.5, 4e-7],
  [{ name: 'leaky_relu', alpha: 0.3, beta: 1.5 }, (x) => (x > 1.5 ? x : 0.3 * (x - 1.5)), 2e-7],
  [{ name: 'thresholded_relu', alpha: 0.5, beta: -2 }, (x) => (x > 0.5 ? x : -2), 0],
  ['swish', (x) => x / (1 + Math.exp(-x)), 2e-7],
  [{ name: 'swish', alpha: 1.702 }, (x) => x / (1 + Math.exp(-1.702 * x)), 2e-7],
  ['gelu', (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)), 4e-7],
  ['gelu_tanh', (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))), 2e-7],
  ['selu', (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * elu(x) : x), 6e-7],
  [{ name: 'selu', alpha: 0.5, beta: 3 }, (x) => 3 * (x < 0 ? 0.5 * elu(x) : x), 6e-7],
  [{ name: 'celu', alpha: 2 }, (x) => (x < 0 ? 2 * elu(x / 2) : x), 6e-7],
  ['mish', (x) => x * Math.tanh(softplus(x)), 2e-7],
  ['hard_swish', (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5)), 4e-7],
  [{ name: 'hard_swish', alpha: 0.2, beta: 0.3 }, (x) => x * Math.min(1, Math.max(0, 0.2 * x + 0.3)), 4e-7],
  [{ name: 'clip', alpha: -0.5, beta: 6 }, (x) => Math.min(6, Math.max(-0.5, x)), 0],
  [{ name: 'clip', beta: 2 }, (x) => Math.min(2, x), 0],
  [{ name: 'clip', alpha: 2 }, (x) => Math.max(2, x), 0],
  [{ name: 'shrink', alpha: 1, beta: 0.25 }, (x) => (x < -1 ? x + 0.25 : x > 1 ? x - 0.25 : 0), 0],
  ['tanh_shrink', (x) => x - Math.tanh(x), 4e-7],
  ['log_sigmoid', (x) => -softplus(-x), 4e-7],
  // Of e^20, 4.9e8; the relative error is below.
  ['exp', Math.exp, 0.05],
  ['log', Math.log, 1e-7],
  ['erf', erf, 3e-7],
  ['sqrt', Math.sqrt, 0],
  ['square', (x) => x * x, 0],
  ['abs', Math.abs, 0],
  ['reciprocal', (x) => 1 / x, 0],
  ['sign', Math.sign, 0],
  ['round', (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)), 0],
  ['floor', Math.floor, 0],
  ['ceil', Math.ceil, 0],
  [{ name: 'squareplus', alpha: 2 }, (x) => (x + Math.sqrt(x * x + 2)) / 2, 1e-6],
  ['sparse_plus', (x) => (x <= -1 ? 0 : x < 1 ? (x + 1) ** 2 / 4 : x), 2e-7],
];

const inputs = Float32Array.from({ length: 20001 }, (_, i) => (i - 10000) / 500);

describe('activations', () => {
  test.each(CASES)('%o', (activation, expected, tolerance) => {
    const values = inputs.slice();
    applyRows(rowFunction(activation), values, 1);
    const errors = values.map((y, i) => {
      const want = expected(inputs[i]!);
      return y === want || (Number.isNaN(y) && Number.isNaN(want))
        ? -1
        : Math.abs(y - want) - Math.abs(want) * 2 ** -22;
    });
    expect(errors.reduce((a, b) => Math.max(a, b), -1)).toBeLessThanOrEqual(tolerance);
  });

  test.each(CASES)('%o: a NaN stays one; infinities give the limit', (activation, expected) => {
    const values = new Float32Array([NaN, Infinity, -Infinity]);
    applyRows(rowFunction(activation), values, 1);
    expect(values[0]).toBeNaN();
    for (const [i, x] of [Infinity, -Infinity].entries()) {
      const limit = expected(x);
      if (Number.isFinite(limit)) expect(values[i + 1]).toBeCloseTo(limit, 6);
      else if (!Number.isNaN(limit)) expect(values[i + 1]).toBe(limit);
    }
  });

  test('every function is among them', () => {
    const names = new Set(CASES.map(([activation]) => (typeof activation === 'string' ? activation : activation.name)));
    expect([...names].sort()).toEqual(Object.keys(ACTIVATIONS).sort());
  });

  test('exp and log over all of float32', () => {
    const worst = (name: 'exp' | 'log', of: (x: number) => number, xs: number[]) => {
      const values = Float32Array.from(xs);
      const given = values.slice();
      applyRows(rowFunction(name), values, 1);
      return values.reduce((most, y, i) => {
        const want = of(given[i]!);
        return Math.max(most, Math.abs(y - want) / Math.max(Math.abs(want), 1e-30));
      }, 0);
    };
    const range = Array.from({ length: 100001 }, (_, i) => (i - 50000) / 575);
    expect(
      worst(
        'exp',
        Math.exp,
        range.filter((x) => x > -69 && x < 88.72),
      ),
    ).toBeLessThan(3e-7);
    const powers = Array.from({ length: 100001 }, (_, i) => 2 ** ((i - 50000) / 400));
    expect(
      worst(
        'log',
        Math.log,
        powers.filter((x) => Math.abs(Math.log(x)) > 0.05),
      ),
    ).toBeLessThan(3e-7);
    const ends = new Float32Array([88.8, -87.5, 0, -0, 1]);
    applyRows(rowFunction('exp'), ends.subarray(0, 2), 1);
    applyRows(rowFunction('log'), ends.subarray(2), 1);
    expect([...ends]).toEqual([Infinity, 0, -Infinity, -Infinity, 0]);
  });

  test.each([
    [1, 4],
    [20, 18],
  ])('exp up to %d is within %d ulp', (range, limit) => {
    let worst = 0;
    for (let i = -100000; i <= 100000; i++) {
      const x = Math.fround((i / 100000) * range);
      const want = Math.exp(x);
      const ulp = 2 ** (Math.floor(Math.log2(want)) - 23);
      worst = Math.max(worst, Math.abs(exp(x, -87, 88) - want) / ulp);
    }
    expect(worst).toBeLessThanOrEqual(limit);
  });

  test('log_softmax', () => {
    const rows = new Float32Array([1, 2, 3, -200, 0, 200]);
    applyRows(rowFunction('log_softmax'), rows, 3);
    const log = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
    [1 - log, 2 - log, 3 - log, -400, -200, 0].forEach((want, i) => {
      expect(rows[i]).toBeCloseTo(want, 6);
    });
  });

  test('softmax', () => {
    const rows = new Float32Array([1, 2, 3, -200, 0, 200]);
    applyRows(rowFunction('softmax'), rows, 3);
    const sum = Math.exp(1) + Math.exp(2) + Math.exp(3);
    [1, 2, 3].forEach((x, i) => {
      expect(rows[i]).toBeCloseTo(Math.exp(x) / sum, 6);
    });
    expect([...rows.subarray(3)].map((p) => Math.round(p))).toEqual([0, 0, 1]);
  });
});
