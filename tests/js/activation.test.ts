import { describe, expect, test } from 'vitest';
import { applyRows, exp, rowFunction } from '../../ts/backends/js/activation.ts';
import type { Activation } from '../../ts/spec/spec.ts';

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
];

const inputs = Float32Array.from({ length: 20001 }, (_, i) => (i - 10000) / 500);

describe('activations', () => {
  test.each(CASES)('%o', (activation, expected, tolerance) => {
    const values = inputs.slice();
    applyRows(rowFunction(activation), values, 1);
    const errors = values.map((y, i) => {
      const want = expected(inputs[i]!);
      return Math.abs(y - want) - Math.abs(want) * 2 ** -22;
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
