import { type Case, GATES } from './cases.ts';
import type { Task, Weights } from './engine.ts';

/**
 * Largest distance from the float64 reference that still counts as right. Float32 engines are within 1e-6 here; a wrong gate
 * order, bias or reset kind is off by 1e-2 and more.
 */
export const TOLERANCE = 2e-5;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** `out[r] = bias[r] + sum of matrix[r][k] * x[k]`, four rows at a time so that a processor has something to do. */
function multiply(matrix: Float64Array, bias: Float64Array, x: Float64Array, at: number, K: number, out: Float64Array) {
  let r = 0;
  for (; r + 4 <= out.length; r += 4) {
    let [a, b, c, d] = [bias[r]!, bias[r + 1]!, bias[r + 2]!, bias[r + 3]!];
    for (let k = 0, m = r * K; k < K; k++, m++) {
      const v = x[at + k]!;
      a += matrix[m]! * v;
      b += matrix[m + K]! * v;
      c += matrix[m + 2 * K]! * v;
      d += matrix[m + 3 * K]! * v;
    }
    [out[r], out[r + 1], out[r + 2], out[r + 3]] = [a, b, c, d];
  }
  for (; r < out.length; r++) {
    let sum = bias[r]!;
    for (let k = 0; k < K; k++) sum += matrix[r * K + k]! * x[at + k]!;
    out[r] = sum;
  }
}

/** Gives the new hidden values in `h`, and an LSTM's cell state in `c`, from the sums W x + b and R h of all gates. */
type Cell = (gx: Float64Array, gh: Float64Array, h: Float64Array, c: Float64Array, weights: Double) => void;

/** The equations that GruSpec, LstmSpec and RnnSpec give, in float64. */
const CELLS: Record<Case['cell'], Cell> = {
  /**
   *     z, r = sigmoid(W x + b + R h)
   *     n = tanh(Wn x + bn + r * (Rn h + rb))  or  tanh(Wn x + bn + Rn (r * h))
   *     h' = z * h + (1 - z) * n
   */
  gru(gx, gh, h, _, { recurrent, recurrentBias }) {
    const H = h.length;
    const n = new Float64Array(H);
    const r = (u: number) => sigmoid(gx[H + u]! + gh[H + u]!);
    if (recurrentBias) {
      for (let u = 0; u < H; u++) n[u] = gx[2 * H + u]! + r(u) * (gh[2 * H + u]! + recurrentBias[u]!);
    } else {
      const q = h.map((value, u) => r(u) * value);
      multiply(recurrent.subarray(2 * H * H), gx.subarray(2 * H), q, 0, H, n);
    }
    for (let u = 0; u < H; u++) {
      const z = sigmoid(gx[u]! + gh[u]!);
      h[u] = z * h[u]! + (1 - z) * Math.tanh(n[u]!);
    }
  },
  /**
   *     i, f, o = sigmoid(W x + b + R h);  g = tanh(Wg x + bg + Rg h)
   *     c' = f * c + i * g
   *     h' = o * tanh(c')
   */
  lstm(gx, gh, h, c) {
    const H = h.length;
    for (let u = 0; u < H; u++) {
      const sum = (gate: number) => gx[gate * H + u]! + gh[gate * H + u]!;
      c[u] = sigmoid(sum(1)) * c[u]! + sigmoid(sum(0)) * Math.tanh(sum(2));
      h[u] = sigmoid(sum(3)) * Math.tanh(c[u]!);
    }
  },
  /** h' = tanh(W x + b + R h) */
  rnn(gx, gh, h) {
    for (let u = 0; u < h.length; u++) h[u] = Math.tanh(gx[u]! + gh[u]!);
  },
};

/** One direction over one sequence, written into `out` at `offset + t * stride`. */
function direction(
  cell: Cell,
  weights: Double,
  steps: number,
  x: Float64Array,
  h: Float64Array,
  reverse: boolean,
  out: Float64Array,
  stride: number,
  offset: number,
) {
  const H = h.length;
  const sums = weights.bias.length;
  const I = weights.input.length / sums;
  const none = new Float64Array(sums);
  const [gx, gh, c] = [new Float64Array(sums), new Float64Array(sums), new Float64Array(H)];
  for (let s = 0; s < steps; s++) {
    const t = reverse ? steps - 1 - s : s;
    multiply(weights.input, weights.bias, x, t * I, I, gx);
    multiply(weights.recurrent, none, h, 0, H, gh);
    cell(gx, gh, h, c, weights);
    out.set(h, offset + t * stride);
  }
}

interface Double {
  input: Float64Array;
  recurrent: Float64Array;
  bias: Float64Array;
  recurrentBias: Float64Array | undefined;
}

const double = ({ input, recurrent, bias, recurrentBias }: Weights): Double => ({
  input: Float64Array.from(input),
  recurrent: Float64Array.from(recurrent),
  bias: Float64Array.from(bias),
  recurrentBias: recurrentBias && Float64Array.from(recurrentBias),
});

/** Rows of a causal convolution over one sequence. */
function convolution(weights: Double, taps: number, steps: number, x: Float64Array, out: Float64Array) {
  const I = x.length / steps;
  const O = weights.bias.length;
  const padded = new Float64Array((taps - 1) * I + x.length);
  padded.set(x, (taps - 1) * I);
  for (let t = 0; t < steps; t++) {
    multiply(weights.input, weights.bias, padded, t * I, taps * I, out.subarray(t * O, (t + 1) * O));
  }
}

/** Each head of each step of one sequence: sum over j of softmax_j(x[t] x[j] / sqrt(size)) x[j]. */
function attention(heads: number, steps: number, x: Float64Array, out: Float64Array) {
  const I = x.length / steps;
  const size = I / heads;
  for (let head = 0; head < heads; head++) {
    const rows = Array.from({ length: steps }, (_, t) => x.subarray(t * I + head * size, t * I + (head + 1) * size));
    rows.forEach((query, t) => {
      const scores = rows.map((key) => key.reduce((sum, value, k) => sum + value * query[k]!, 0) / Math.sqrt(size));
      const most = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      const all = weights.reduce((sum, weight) => sum + weight, 0);
      for (let k = 0; k < size; k++) {
        out[t * I + head * size + k] = rows.reduce((sum, value, j) => sum + (weights[j]! / all) * value[k]!, 0);
      }
    });
  }
}

/** The right output in float64, (batch, steps, directions * hiddenSize); of a `dense` case the sums of all gates. */
export function reference(task: Task): Float64Array {
  const { taps, heads, steps, batch, hiddenSize } = task.case;
  if (taps === undefined && heads === undefined) return stacked(task);
  const out = new Float64Array(batch * steps * hiddenSize);
  for (let b = 0; b < batch; b++) {
    const x = Float64Array.from(task.x.subarray((b * task.x.length) / batch, ((b + 1) * task.x.length) / batch));
    const y = out.subarray((b * out.length) / batch, ((b + 1) * out.length) / batch);
    if (taps !== undefined) convolution(double(task.layers[0]![0]!), taps, steps, x, y);
    else attention(heads!, steps, x, y);
  }
  return out;
}

function stacked({ case: { kind, cell, hiddenSize: H, steps, batch }, layers, x, h0 }: Task): Float64Array {
  let value = Float64Array.from(x);
  for (const layer of layers) {
    const all = layer.map(double);
    const rowIn = value.length / batch / steps;
    const rowOut = kind === 'dense' ? GATES[cell] * H : all.length * H;
    const out = new Float64Array(batch * steps * rowOut);
    for (let b = 0; b < batch; b++) {
      const sequence = value.subarray(b * steps * rowIn, (b + 1) * steps * rowIn);
      const base = b * steps * rowOut;
      all.forEach((weights, d) => {
        if (kind === 'dense') {
          for (let t = 0; t < steps; t++) {
            multiply(
              weights.input,
              weights.bias,
              sequence,
              t * rowIn,
              rowIn,
              out.subarray(base + t * rowOut, base + (t + 1) * rowOut),
            );
          }
          return;
        }
        const h = h0 ? Float64Array.from(h0.subarray(b * H, (b + 1) * H)) : new Float64Array(H);
        direction(CELLS[cell], weights, steps, sequence, h, d === 1, out, rowOut, base + d * H);
      });
    }
    value = out;
  }
  return value;
}

/** Largest distance of an output from the reference; infinite where lengths differ or a value is not a number. */
export function errorOf(output: Float32Array, right: Float64Array): number {
  if (output.length !== right.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < right.length; i++) {
    const error = Math.abs(output[i]! - right[i]!);
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
  }
  return worst;
}
