import { describe, expect, test } from 'vitest';
import type { GruSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { random } from '../random.ts';
import { expectSameSteps, gruWeights, makeState, pick, randomFloats } from './helpers.ts';
import { referenceLayer } from './reference.ts';

/** float32 against float64 over up to 12 steps of sums of up to 40 products with weights up to 1. */
const TOLERANCE = 2e-5;

function randomCase(seed: number) {
  const next = random(seed);
  const size = () => 1 + Math.floor(next() * 20);
  const shape = {
    inputSize: size(),
    hiddenSize: size(),
    resetAfter: next() < 0.5,
    direction: pick(next, ['forward', 'reverse', 'bidirectional'] as const),
  };
  const masked = next() < 0.5;
  const layer: GruSpec = {
    name: 'gru',
    type: 'gru',
    ...shape,
    inputs: ['x'],
    weights: gruWeights(next, shape),
    ...(shape.direction === 'bidirectional' && { merge: pick(next, ['concat', 'sum', 'mul', 'ave'] as const) }),
    ...(shape.direction === 'reverse' && { reversedOutput: next() < 0.5 }),
    ...(masked && { mask: 'm:mask', paddedOutput: pick(next, ['zero', 'hold'] as const) }),
    ...(next() < 0.3 && { clip: 0.8 }),
  };
  const ports = layer.direction === 'bidirectional' ? ['forwardState', 'reverseState'] : [`${layer.direction!}State`];
  const spec: ModelSpec = {
    inputs: [
      { name: 'x', dtype: 'float32', size: shape.inputSize },
      ...(masked ? [{ name: 'm0', dtype: 'float32' as const, size: 1 }] : []),
    ],
    layers: [...(masked ? [{ name: 'm', type: 'masking' as const, inputs: ['m0'], maskValue: 0 }] : []), layer],
    outputs: ['sequence', 'last', ...ports].map((port) => ({ name: port, from: `gru:${port}` })),
  };
  const timeMajor = next() < 0.3;
  const batch = 1 + Math.floor(next() * 5);
  const lengths = Array.from({ length: batch }, () => Math.floor(next() * 12));
  if (timeMajor) lengths.fill(7);
  const rows = lengths.reduce((a, b) => a + b, 0);
  return {
    next,
    layer,
    spec,
    masked,
    timeMajor,
    lengths,
    x: randomFloats(next, rows * shape.inputSize),
    mask: new Float32Array(rows).map(() => (next() < 0.6 ? 1 : 0)),
    hidden: ports.map(() => randomFloats(next, batch * shape.hiddenSize)),
  };
}

describe('gru against float64', () => {
  test.each(Array.from({ length: 300 }, (_, i) => i))('case %i', (seed) => {
    const { layer, spec, masked, timeMajor, lengths, x, mask, hidden } = randomCase(seed);
    const { inputSize: I, hiddenSize: H } = layer;
    const state = makeState(spec, lengths.length, lengths, timeMajor);
    state.inputFloats(0).set(x);
    if (masked) state.inputFloats(1).set(mask);
    hidden.forEach((h, i) => {
      state.writeHidden(i, h);
    });
    state.run();

    let start = 0;
    const size = state.output(1).length / lengths.length;
    lengths.forEach((length, b) => {
      const at = (t: number) => (timeMajor ? t * lengths.length + b : start + t);
      const steps = Array.from({ length }, (_, t) => at(t));
      const expected = referenceLayer(
        layer,
        steps.map((row) => [...x.subarray(row * I, (row + 1) * I)]),
        steps.map((row) => (masked ? mask[row]! : 1)),
        hidden.map((h) => [...h.subarray(b * H, (b + 1) * H)]),
      );
      const check = (got: Float32Array, want: number[]) => {
        expect(got.length).toBe(want.length);
        want.forEach((value, j) => {
          expect(Math.abs(got[j]! - value)).toBeLessThan(TOLERANCE);
        });
      };
      steps.forEach((row, t) => {
        check(state.output(0).subarray(row * size, (row + 1) * size), expected.rows[t]!);
      });
      check(state.output(1).subarray(b * size, (b + 1) * size), expected.last);
      expected.states.forEach((h, i) => {
        check(state.output(2 + i).subarray(b * H, (b + 1) * H), h);
        const read = new Float32Array(lengths.length * H);
        state.readHidden(i, read);
        expect(read).toEqual(state.output(2 + i));
      });
      start += length;
    });
  });
});

describe('the same bits', () => {
  const cases = [false, true].flatMap((resetAfter) =>
    [1, 7, 8, 9, 33].map((hiddenSize) => ({ resetAfter, hiddenSize })),
  );

  test.each(cases)('step by step, in a batch, beyond a block of rows: %o', ({ resetAfter, hiddenSize }) => {
    const next = random(hiddenSize);
    const shape = { inputSize: 5, hiddenSize, resetAfter };
    expectSameSteps(next, { name: 'gru', type: 'gru', ...shape, weights: gruWeights(next, shape) }, hiddenSize);
  });

  test('time-major', () => {
    const next = random(1);
    const shape = { inputSize: 3, hiddenSize: 6, resetAfter: true, direction: 'bidirectional' as const };
    const spec: ModelSpec = {
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [{ name: 'gru', type: 'gru', ...shape, weights: gruWeights(next, shape) }],
    };
    const [a, b] = [makeState(spec, 2, [4, 4]), makeState(spec, 2, [4, 4], true)];
    const x = randomFloats(next, 8 * 3);
    a.inputFloats(0).set(x);
    for (let r = 0; r < 8; r++)
      b.inputFloats(0).set(x.subarray(r * 3, r * 3 + 3), ((r % 4) * 2 + Math.floor(r / 4)) * 3);
    a.run();
    b.run();
    for (let r = 0; r < 8; r++) {
      const other = (r % 4) * 2 + Math.floor(r / 4);
      expect(b.output(0).subarray(other * 12, other * 12 + 12)).toEqual(a.output(0).subarray(r * 12, r * 12 + 12));
    }
  });

  test('initial states from the graph are what writeHidden gives', () => {
    const next = random(2);
    const shape = { inputSize: 3, hiddenSize: 4, resetAfter: false };
    const weights = gruWeights(next, shape);
    const x = randomFloats(next, 6 * 3);
    const h0 = randomFloats(next, 2 * 4);
    h0[0] = 1e-40;
    const plain = makeState(
      {
        inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
        layers: [{ name: 'gru', type: 'gru', ...shape, weights }],
      },
      2,
      [2, 4],
    );
    const given = makeState(
      {
        inputs: [
          { name: 'x', dtype: 'float32', size: 3 },
          { name: 'h0', dtype: 'float32', size: 4, kind: 'vector' },
        ],
        layers: [{ name: 'gru', type: 'gru', ...shape, weights, initialState: ['h0'] }],
      },
      2,
      [2, 4],
    );
    plain.inputFloats(0).set(x);
    plain.writeHidden(0, h0);
    given.inputFloats(0).set(x);
    given.inputFloats(1).set(h0);
    plain.run();
    for (let i = 0; i < 2; i++) given.run();
    expect(given.output(0)).toEqual(plain.output(0));
    const flushed = new Float32Array(8);
    plain.writeHidden(0, h0);
    plain.readHidden(0, flushed);
    expect(flushed[0]).toBe(0);
  });
});
