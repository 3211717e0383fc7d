import { numbersOf, type WeightTensor } from '../ts/base/weights.ts';
import type { GruSpec } from '../ts/spec/spec.ts';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/**
 * A forward GRU in float64, naively: the equations of {@link GruSpec}.
 *
 * @param x rows of one sequence, (steps, inputSize)
 * @param h the hidden state, (hiddenSize); replaced step by step
 * @returns the state after each step
 */
export function referenceGru(
  { inputSize, hiddenSize, resetAfter, weights }: GruSpec,
  x: ArrayLike<number>,
  h: Float64Array,
): Float64Array[] {
  const { 'forward.bias': b, 'forward.recurrentBias': rb } = weights;
  const numbers = (tensor: WeightTensor | undefined) => tensor && numbersOf(tensor);
  const [W, R] = [numbers(weights['forward.input']), numbers(weights['forward.recurrent'])];
  const dot = (m: Float32Array | undefined, row: number, v: ArrayLike<number>, at: number, n: number) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += (m?.[row * n + k] ?? NaN) * (v[at + k] ?? NaN);
    return sum;
  };
  const states: Float64Array[] = [];
  for (let at = 0; at < x.length; at += inputSize) {
    const input = (gate: number, u: number) =>
      dot(W, gate * hiddenSize + u, x, at, inputSize) + (b?.[gate * hiddenSize + u] ?? 0);
    const hidden = (gate: number, u: number, v: Float64Array) => dot(R, gate * hiddenSize + u, v, 0, hiddenSize);
    const z = h.map((_, u) => sigmoid(input(0, u) + hidden(0, u, h)));
    const r = h.map((_, u) => sigmoid(input(1, u) + hidden(1, u, h)));
    const reset = h.map((v, u) => v * (r[u] ?? NaN));
    h = h.map((v, u) => {
      const n = Math.tanh(
        resetAfter
          ? input(2, u) + (r[u] ?? NaN) * (hidden(2, u, h) + (rb?.[u] ?? 0))
          : input(2, u) + hidden(2, u, reset),
      );
      return (z[u] ?? NaN) * v + (1 - (z[u] ?? NaN)) * n;
    });
    states.push(h);
  }
  return states;
}
