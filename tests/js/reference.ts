import { numbersOf } from '../../ts/base/weights.ts';
import { ACTIVATIONS, resolveActivation } from '../../ts/layers/activations.ts';
import type { Activation, GruSpec, LstmSpec, RnnSpec } from '../../ts/spec/spec.ts';

// The textbook's recurrent layers in float64, written without a look at the backends.

type RecurrentSpec = GruSpec | LstmSpec | RnnSpec;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

type Direction = 'forward' | 'reverse';

/** Values of each slot, hidden first. */
type State = number[][];

/** The activations that the random cases draw. */
export const DRAWN = ['linear', 'sigmoid', 'tanh', 'relu', 'hard_sigmoid', 'softsign', 'elu', 'scaled_tanh'] as const;

function apply(activation: Activation, x: number): number {
  const { code, alpha, beta } = resolveActivation(activation);
  const functions: Record<(typeof DRAWN)[number], () => number> = {
    linear: () => x,
    sigmoid: () => sigmoid(x),
    tanh: () => Math.tanh(x),
    relu: () => Math.max(x, 0),
    hard_sigmoid: () => Math.min(1, Math.max(0, alpha * x + beta)),
    softsign: () => x / (1 + Math.abs(x)),
    elu: () => (x < 0 ? alpha * (Math.exp(x) - 1) : x),
    scaled_tanh: () => alpha * Math.tanh(beta * x),
  };
  return functions[DRAWN.find((name) => ACTIVATIONS[name].code === code)!]();
}

function dot(matrix: Float32Array, row: number, v: number[]): number {
  return v.reduce((s, value, k) => s + matrix[row * v.length + k]! * value, 0);
}

/** W x + b + R h of a row of weights. */
function sum({ weights }: LstmSpec | RnnSpec, d: Direction, row: number, x: number[], h: number[]): number {
  const bias = weights[`${d}.bias`]?.[row] ?? 0;
  return dot(numbersOf(weights[`${d}.input`]!), row, x) + bias + dot(numbersOf(weights[`${d}.recurrent`]!), row, h);
}

function lstmCell(spec: LstmSpec, d: Direction, x: number[], [h, c]: State): State {
  const { hiddenSize: H, activation = 'tanh', recurrentActivation = 'sigmoid', clip = Infinity } = spec;
  const gate = (f: Activation, index: number, peephole: number | undefined, cell: number[]) =>
    h!.map((_, j) => {
      const p = peephole === undefined ? 0 : (spec.weights[`${d}.peepholes`]?.[peephole * H + j] ?? 0);
      const s = sum(spec, d, index * H + j, x, h!) + p * cell[j]!;
      return apply(f, Math.max(-clip, Math.min(clip, s)));
    });
  const i = gate(recurrentActivation, 0, 0, c!);
  const f = spec.inputForget ? i.map((v) => 1 - v) : gate(recurrentActivation, 1, 1, c!);
  const g = gate(activation, 2, undefined, c!);
  const next = c!.map((v, j) => f[j]! * v + i[j]! * g[j]!);
  const o = gate(recurrentActivation, 3, 2, next);
  return [next.map((v, j) => o[j]! * apply(spec.outputActivation ?? activation, v)), next];
}

function rnnCell(spec: RnnSpec, d: Direction, x: number[], [h]: State): State {
  const { activation = 'tanh', clip = Infinity } = spec;
  return [h!.map((_, j) => apply(activation, Math.max(-clip, Math.min(clip, sum(spec, d, j, x, h!)))))];
}

function step(spec: RecurrentSpec, d: Direction, x: number[], state: State): State {
  if (spec.type === 'lstm') return lstmCell(spec, d, x, state);
  if (spec.type === 'rnn') return rnnCell(spec, d, x, state);
  return [gruCell(spec, d, x, state[0]!)];
}

function gruCell(spec: GruSpec, d: Direction, x: number[], h: number[]): number[] {
  const { hiddenSize: H, weights, resetAfter, clip = Infinity } = spec;
  const bound = (v: number) => Math.max(-clip, Math.min(clip, v));
  const input = (row: number) => dot(numbersOf(weights[`${d}.input`]!), row, x) + (weights[`${d}.bias`]?.[row] ?? 0);
  const recurrent = (row: number, v: number[]) => dot(numbersOf(weights[`${d}.recurrent`]!), row, v);
  const z = h.map((_, j) => sigmoid(bound(input(j) + recurrent(j, h))));
  const r = h.map((_, j) => sigmoid(bound(input(H + j) + recurrent(H + j, h))));
  const reset = h.map((value, j) => r[j]! * value);
  return h.map((value, j) => {
    const row = 2 * H + j;
    const n = resetAfter
      ? input(row) + r[j]! * (recurrent(row, h) + (weights[`${d}.recurrentBias`]?.[j] ?? 0))
      : input(row) + recurrent(row, reset);
    return z[j]! * value + (1 - z[j]!) * Math.tanh(bound(n));
  });
}

function oneDirection(
  spec: RecurrentSpec,
  d: Direction,
  x: number[][],
  mask: number[],
  initial: State,
): { state: State; rows: number[][] } {
  const rows: number[][] = x.map(() => []);
  let state = initial;
  let out = initial[0]!.map(() => 0);
  for (let s = 0; s < x.length; s++) {
    const t = d === 'forward' ? s : x.length - 1 - s;
    if (mask[t] === 0) {
      if (spec.paddedOutput === 'zero') out = out.map(() => 0);
    } else {
      state = step(spec, d, x[t]!, state);
      out = state[0]!;
    }
    rows[spec.reversedOutput ? s : t] = out;
  }
  return { state, rows };
}

function join(spec: RecurrentSpec, a: number[], b: number[] | undefined): number[] {
  if (!b) return a;
  const merge = spec.merge ?? 'concat';
  if (merge === 'concat') return [...a, ...b];
  return a.map((v, j) => (merge === 'mul' ? v * b[j]! : merge === 'sum' ? v + b[j]! : (v + b[j]!) / 2));
}

/** Rows of one sequence, its merged last states, and the final states; these and `initial` by slot, then direction. */
export function referenceLayer(
  spec: RecurrentSpec,
  x: number[][],
  mask: number[],
  initial: number[][],
): { rows: number[][]; last: number[]; states: number[][] } {
  const direction = spec.direction ?? 'forward';
  const names = direction === 'bidirectional' ? (['forward', 'reverse'] as const) : ([direction] as const);
  const runs = names.map((d, i) =>
    oneDirection(
      spec,
      d,
      x,
      mask,
      initial.filter((_, s) => s % names.length === i),
    ),
  );
  const [first, second] = runs;
  return {
    rows: first!.rows.map((row, t) => join(spec, row, second?.rows[t])),
    last: join(spec, first!.state[0]!, second?.state[0]),
    states: first!.state.flatMap((_, slot) => runs.map(({ state }) => state[slot]!)),
  };
}
