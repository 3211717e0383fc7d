import { createGru, createLstm, createRnn, type GruModel } from 'gru-wasm';

/** The cells of the page, each of one unit that reads one value a step: every weight and every gate is one number. */
export const CELLS = {
  textbook: { title: 'GRU, textbook', gates: ['z', 'r', 'c'] },
  after: { title: 'GRU, reset after', gates: ['z', 'r', 'c'] },
  lstm: { title: 'LSTM', gates: ['i', 'f', 'g', 'o'] },
  rnn: { title: 'Simple RNN', gates: ['h'] },
} as const;
export type CellName = keyof typeof CELLS;

/**
 * What stands inside the sigmoid or tanh of one gate: `w x + u h + b`. The candidate of a GRU has a bias of the state too, `s`: with the reset
 * gate after the matmul it is scaled by r, `w x + r (u h + s) + b`; before it, `w x + u (r h) + s + b`.
 */
export interface Gate {
  w: number;
  u: number;
  b: number;
  s?: number;
}
export type Gates = Record<string, Gate>;

export interface Trace {
  /** Each gate, the hidden state `h` and an LSTM's `cell`, at each step. */
  values: Record<string, Float64Array>;
  /** How much of a small change of the state before a step arrives in the state after it: dh'/dh, and an LSTM's dc'/dc, by step. */
  slopes: Float64Array;
}

/** The model of a cell: what the page shows is what gru-wasm computes. */
function build(cell: CellName, gates: Gates): Promise<GruModel> {
  const row = (pick: (gate: Gate) => number) => Float32Array.from(CELLS[cell].gates, (name) => pick(gates[name]!));
  const weights = { kernel: row(({ w }) => w), recurrentKernel: row(({ u }) => u), bias: row(({ b }) => b) };
  const size = { inputSize: 1, hiddenSize: 1 };
  if (cell === 'lstm') return createLstm(size, weights);
  if (cell === 'rnn') return createRnn(size, weights);
  // Keras's bias with the reset gate after the matmul is (2, 3): of the input, and of the state.
  const s = gates['c']!.s ?? 0;
  const bias =
    cell === 'after' ? Float32Array.from([...weights.bias, 0, 0, s]) : weights.bias.with(2, weights.bias[2]! + s);
  return createGru({ ...size, resetAfter: cell === 'after' }, { ...weights, bias });
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The gates at the states that the engine gave, by the equations of the page. */
export function gatesAt(cell: CellName, gates: Gates, x: ArrayLike<number>, hidden: ArrayLike<number>): Trace {
  const steps = x.length;
  const names = [...CELLS[cell].gates.filter((name) => name !== 'h'), ...(cell === 'lstm' ? ['cell'] : []), 'h'];
  const values = Object.fromEntries(names.map((name) => [name, new Float64Array(steps)]));
  const slopes = new Float64Array(steps);
  const inside = (name: string, t: number, h: number) => gates[name]!.w * x[t]! + gates[name]!.u * h + gates[name]!.b;
  let before = 0;
  let cellBefore = 0;
  for (let t = 0; t < steps; t++) {
    const h = before;
    const after = hidden[t]!;
    if (cell === 'rnn') {
      slopes[t] = (1 - after * after) * gates['h']!.u;
    } else if (cell === 'lstm') {
      const [i, f, o] = ['i', 'f', 'o'].map((name) => sigmoid(inside(name, t, h))) as [number, number, number];
      const g = Math.tanh(inside('g', t, h));
      const c = f * cellBefore + i * g;
      Object.entries({ i, f, g, o, cell: c }).forEach(([name, value]) => (values[name]![t] = value));
      slopes[t] = f;
      cellBefore = c;
    } else {
      const z = sigmoid(inside('z', t, h));
      const r = sigmoid(inside('r', t, h));
      const { w, u, b, s = 0 } = gates['c']!;
      const state = cell === 'after' ? r * (u * h + s) : u * (r * h) + s;
      const c = Math.tanh(w * x[t]! + state + b);
      Object.entries({ z, r, c }).forEach(([name, value]) => (values[name]![t] = value));
      const dz = z * (1 - z) * gates['z']!.u;
      const dr = r * (1 - r) * gates['r']!.u;
      const dState = cell === 'after' ? r * u + (u * h + s) * dr : u * (r + h * dr);
      slopes[t] = z + (h - c) * dz + (1 - z) * (1 - c * c) * dState;
    }
    values['h']![t] = after;
    before = after;
  }
  return { values, slopes };
}

/** Runs a sequence through a cell on the engine, from a state of zero, and gives its gates. */
export async function trace(cell: CellName, gates: Gates, x: ArrayLike<number>): Promise<Trace & { backend: string }> {
  const model = await build(cell, gates);
  try {
    const { output } = model.run({ data: Float32Array.from(x), shape: [x.length, 1] });
    return { ...gatesAt(cell, gates, x, output.data), backend: model.backend };
  } finally {
    model.dispose();
  }
}

/** The products of the slopes from each step to the last: how much of a change at step t is left at the end. */
export function remains(slopes: ArrayLike<number>): Float64Array {
  const left = new Float64Array(slopes.length + 1).fill(1);
  for (let t = slopes.length - 1; t >= 0; t--) left[t] = left[t + 1]! * slopes[t]!;
  return left;
}
