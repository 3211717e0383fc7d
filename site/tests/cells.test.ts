import { expect, test } from 'vitest';
import { CELLS, type CellName, type Gates, gatesAt, remains, trace } from '../lib/cells.ts';

const X = Array.from({ length: 30 }, (_, t) => Math.sin(t / 3));
const GATES: Record<CellName, Gates> = {
  textbook: { z: { w: 0.4, u: -0.3, b: 0.5 }, r: { w: -1, u: 0.7, b: 0.2 }, c: { w: 1.5, u: 0.8, b: -0.1, s: 0.6 } },
  after: { z: { w: 0.4, u: -0.3, b: 0.5 }, r: { w: -1, u: 0.7, b: 0.2 }, c: { w: 1.5, u: 0.8, b: -0.1, s: 0.6 } },
  lstm: {
    i: { w: 1, u: 0.3, b: 0 },
    f: { w: -0.4, u: 0.2, b: 1 },
    g: { w: 1.2, u: -0.5, b: 0.1 },
    o: { w: 0.3, u: 0.4, b: 0.5 },
  },
  rnn: { h: { w: 0.9, u: 0.7, b: 0.1 } },
};

/** The state that the gates of the page say comes next. */
function next(cell: CellName, values: Record<string, Float64Array>, t: number): number {
  const at = (name: string) => values[name]![t]!;
  const before = t === 0 ? 0 : values['h']![t - 1]!;
  if (cell === 'lstm') return at('o') * Math.tanh(at('cell'));
  if (cell === 'rnn') return Math.tanh(0.9 * X[t]! + 0.7 * before + 0.1);
  return at('z') * before + (1 - at('z')) * at('c');
}

test.each(Object.keys(CELLS) as CellName[])(
  '%s: the gates shown are those of what the engine computed',
  async (cell) => {
    const { values } = await trace(cell, GATES[cell], X);
    for (let t = 0; t < X.length; t++) expect(values['h']![t]).toBeCloseTo(next(cell, values, t), 5);
  },
);

test('the two forms of GRU differ where the state has a bias', async () => {
  const [before, after] = await Promise.all([trace('textbook', GATES.textbook, X), trace('after', GATES.after, X)]);
  expect(Math.abs(before.values['h']![10]! - after.values['h']![10]!)).toBeGreaterThan(0.01);
});

/** One step in float64 from a state, by the page's own equations: its slope is what `slopes` must be. */
test.each(['textbook', 'after', 'rnn'] as const)(
  '%s: a slope is the change of a step by the state before it',
  (cell) => {
    const gates = GATES[cell];
    const step = (h: number, x: number): number => {
      const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));
      const inside = (name: string) => gates[name]!.w * x + gates[name]!.u * h + gates[name]!.b;
      if (cell === 'rnn') return Math.tanh(inside('h'));
      const [z, r] = [sigmoid(inside('z')), sigmoid(inside('r'))];
      const { w, u, b, s = 0 } = gates['c']!;
      const c = Math.tanh(w * x + (cell === 'after' ? r * (u * h + s) : u * r * h + s) + b);
      return z * h + (1 - z) * c;
    };
    const hidden: number[] = [];
    X.forEach((x, t) => hidden.push(step(hidden[t - 1] ?? 0, x)));
    const { slopes } = gatesAt(cell, gates, X, hidden);
    X.forEach((x, t) => {
      const h = hidden[t - 1] ?? 0;
      const measured = (step(h + 1e-5, x) - step(h - 1e-5, x)) / 2e-5;
      expect(slopes[t]).toBeCloseTo(measured, 6);
    });
  },
);

test('what remains is the product of the slopes', () => {
  expect([...remains([0.5, 0.5, 2])]).toEqual([0.5, 1, 2, 1]);
});
