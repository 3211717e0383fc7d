import type { GruSpec, LayerSpec, LstmSpec, RecurrentBase } from '../../../../spec/spec.ts';
import { flush } from '../../../../base/denormals.ts';
import { type MatrixRows, partOfRows } from '../../integers.ts';
import { multiply, packMatrix } from '../../matmul.ts';
import { clipThenApply, gateFunctions, orZeros, type Weights, weightsOf } from './cell.ts';

const fround = Math.fround;

/** A layer with states from step to step. */
export type RecurrentSpec = Extract<LayerSpec, RecurrentBase>;

/** One step of a cell: what went in and came out. */
export interface CellStep {
  x: Float32Array;
  /** Hidden state before it; of an lstm the cell state before and after it. */
  hidden: Float32Array;
  cell?: Float32Array;
  newCell?: Float32Array;
}

/** The gates of one direction. */
export interface Gates {
  readonly names: readonly string[];
  /** Those of a step, hiddenSize values each, by name. */
  at(step: CellStep): Record<string, Float32Array>;
}

/** Of every type of cell. */
const GATES: {
  [T in RecurrentSpec['type']]: (spec: Extract<RecurrentSpec, { type: T }>, weights: Weights) => Gates;
} = {
  gru: gruGates,
  lstm: lstmGates,
  // The only value of a simple RNN is the hidden state.
  rnn: () => ({ names: [], at: () => ({}) }),
};

/**
 * Gates by the operations of the cells (gru.ts, lstm.ts) in their order, written out: the cells compute sigmoid and tanh together with what
 * uses them, by one division, and hold no gate that could be read off.
 */
export function gatesOf(spec: RecurrentSpec, direction: 'forward' | 'reverse'): Gates {
  const make: (spec: never, weights: Weights) => Gates = GATES[spec.type];
  return make(spec as never, weightsOf(spec, direction));
}

const FIRST = new Int32Array(1);

/** init + matrix x, for one row. */
function linear(
  matrix: MatrixRows,
  columns: number,
  depth: number,
  init: Float32Array,
): (x: Float32Array) => Float32Array {
  const packed = packMatrix(matrix, columns, depth);
  return (x) => {
    const out = new Float32Array(columns);
    multiply(packed, x, 0, FIRST, 0, 1, init, 0, 0, out, 0, columns);
    return out;
  };
}

function gruGates(spec: GruSpec, weights: Weights): Gates {
  const { inputSize, hiddenSize: size, resetAfter } = spec;
  const f = gateFunctions(spec.recurrentActivation, spec.activation, spec.clip);
  const project = linear(weights.matrix('input'), 3 * size, inputSize, orZeros(weights.vector('bias'), 3 * size));
  const recurrent = weights.matrix('recurrent');
  const [gates, candidate] = [
    partOfRows(recurrent, 0, 2 * size, size),
    partOfRows(recurrent, 2 * size, 3 * size, size),
  ];
  const ofHidden = linear(candidate, size, size, orZeros(weights.vector('recurrentBias'), size));
  const zeros = new Float32Array(2 * size);
  return {
    names: ['z', 'r', 'candidate'],
    at({ x, hidden }) {
      const projected = project(x);
      const sums = linear(gates, 2 * size, size, resetAfter ? zeros : projected)(hidden);
      if (resetAfter) for (let j = 0; j < sums.length; j++) sums[j] = sums[j]! + projected[j]!;
      clipThenApply(f.recurrent, f.clip, sums, 0, sums.length);
      const [z, r] = [sums.slice(0, size), sums.slice(size)];
      let n: Float32Array;
      if (resetAfter) n = ofHidden(hidden).map((sum, j) => fround(r[j]! * sum) + projected[2 * size + j]!);
      else
        n = linear(
          candidate,
          size,
          size,
          projected.subarray(2 * size),
        )(r.map((gate, j) => flush(fround(gate * hidden[j]!))));
      clipThenApply(f.candidate, f.clip, n, 0, size);
      return { z, r, candidate: n };
    },
  };
}

function lstmGates(spec: LstmSpec, weights: Weights): Gates {
  const { inputSize, hiddenSize: size, inputForget = false } = spec;
  const f = gateFunctions(spec.recurrentActivation, spec.activation, spec.clip);
  const project = linear(weights.matrix('input'), 4 * size, inputSize, orZeros(weights.vector('bias'), 4 * size));
  const recurrent = weights.matrix('recurrent');
  const peepholes = weights.vector('peepholes');
  const looked = (sums: Float32Array, cell: Float32Array, at: number) =>
    peepholes ? sums.map((sum, j) => fround(peepholes[at * size + j]! * cell[j]!) + sum) : sums;
  return {
    names: ['i', 'f', 'g', 'o'],
    at({ x, hidden, cell, newCell }) {
      const sums = linear(recurrent, 4 * size, size, project(x))(hidden);
      const part = (at: number) => sums.slice(at * size, (at + 1) * size);
      const gate = (values: Float32Array, by = f.recurrent) => {
        clipThenApply(by, f.clip, values, 0, size);
        return values;
      };
      const i = gate(looked(part(0), cell!, 0));
      const forget = inputForget ? i.map((value) => 1 - value) : gate(looked(part(1), cell!, 1));
      return { i, f: forget, g: gate(part(2), f.candidate), o: gate(looked(part(3), newCell!, 2)) };
    },
  };
}
