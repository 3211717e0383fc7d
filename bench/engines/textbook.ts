import { hasCells } from '../cases.ts';
import { type Engine, isWholeRun, type Task, type Weights } from '../engine.ts';

const GFLOP = 1e9;

/** A GRU in JavaScript the way people write it: the equations, one loop in another. */
export const textbook: Engine = {
  name: 'textbook',
  hosts: ['node', 'page'],
  takes: (c) => {
    if (!isWholeRun(c) || c.kind === 'cold' || c.cell !== 'gru' || !hasCells(c)) return false;
    const work = 12 * c.steps * c.batch * c.hiddenSize * c.hiddenSize;
    return work < 4 * GFLOP || 'one call takes many seconds';
  },
  load: () => Promise.resolve(),
  prepare({ case: { kind, hiddenSize: H, steps, batch }, layers, h0 }: Task) {
    const part = (data: Float32Array, i: number, n: number) =>
      data.subarray((i * data.length) / n, ((i + 1) * data.length) / n);
    const start = (b: number) => (h0 ? part(h0, b, batch) : new Float32Array(H));
    if (kind === 'step') {
      let h = start(0);
      return { layout: 'batch-major', run: (x) => (h = step(layers[0]![0]!, x, h)) };
    }
    return {
      layout: 'batch-major',
      run(x) {
        let value = x;
        for (const directions of layers) {
          const width = directions.length * H;
          const next = new Float32Array(batch * steps * width);
          directions.forEach((weights, d) => {
            for (let b = 0; b < batch; b++) {
              let h = start(b);
              for (let s = 0; s < steps; s++) {
                const row = b * steps + (d === 0 ? s : steps - 1 - s);
                h = step(weights, part(value, row, batch * steps), h);
                next.set(h, row * width + d * H);
              }
            }
          });
          value = next;
        }
        return value;
      },
    };
  },
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function dot(matrix: Float32Array, row: number, x: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i]! * x[i]!;
  return sum;
}

function step(
  { input: W, recurrent: R, bias, recurrentBias }: Weights,
  x: Float32Array,
  h: Float32Array,
): Float32Array {
  const H = h.length;
  const z = new Float32Array(H);
  const r = new Float32Array(H);
  for (let u = 0; u < H; u++) {
    z[u] = sigmoid(dot(W, u, x) + dot(R, u, h) + bias[u]!);
    r[u] = sigmoid(dot(W, H + u, x) + dot(R, H + u, h) + bias[H + u]!);
  }
  const reset = h.map((v, u) => r[u]! * v);
  return h.map((v, u) => {
    const c = 2 * H + u;
    const recurrent = recurrentBias ? r[u]! * (dot(R, c, h) + recurrentBias[u]!) : dot(R, c, reset);
    return z[u]! * v + (1 - z[u]!) * Math.tanh(dot(W, c, x) + bias[c]! + recurrent);
  });
}
