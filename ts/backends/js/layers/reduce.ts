import type { ReduceSpec } from '../../../spec/spec.ts';
import { type Build, rowsOf, stateless } from './layer.ts';

const { fround, sqrt } = Math;

/** All steps of each sequence as one row; zeros for a sequence without steps. */
export const reduce: Build<ReduceSpec> = (spec, [input]) => {
  const size = input!.size;
  const { from, fold, finish } = OPS[spec.reduce](spec.correction ?? 1);
  return stateless(0, ({ layout, inputs: [x, mask], outputs: [y] }) => {
    if (!x || !y) return;
    for (let b = 0; b < layout.batch; b++) {
      const rows = layout.lengths[b] === 0 ? [] : rowsOf(layout, b).filter((row) => mask?.[row] !== 0);
      for (let j = 0; j < size; j++) {
        const column = (row: number) => x[row * size + j]!;
        let sum = from;
        for (const row of rows) sum = fround(fold(sum, column(row)));
        y[b * size + j] = layout.lengths[b] === 0 ? 0 : finish(sum, rows, column);
      }
    }
  });
};

interface Op {
  from: number;
  /** Rounded after it. */
  fold: (sum: number, x: number) => number;
  finish: (sum: number, rows: readonly number[], column: (row: number) => number) => number;
}

const as = (sum: number) => sum;
const add = (sum: number, x: number) => sum + x;

const OPS: Record<ReduceSpec['reduce'], (correction: 0 | 1) => Op> = {
  sum: () => ({ from: 0, fold: add, finish: as }),
  mean: () => ({ from: 0, fold: add, finish: (sum, { length }) => sum / length }),
  max: () => ({ from: -Infinity, fold: (m, x) => (x > m || x !== x ? x : m), finish: as }),
  min: () => ({ from: Infinity, fold: (m, x) => (x < m || x !== x ? x : m), finish: as }),
  l2: () => ({ from: 0, fold: (sum, x) => sum + fround(x * x), finish: sqrt }),
  std: (correction) => ({
    from: 0,
    fold: add,
    finish: (sum, rows, column) => {
      const mean = fround(sum / rows.length);
      let squares = 0;
      for (const row of rows) {
        const distance = fround(column(row) - mean);
        squares = fround(squares + fround(distance * distance));
      }
      return sqrt(fround(squares / (rows.length - correction)));
    },
  }),
};
