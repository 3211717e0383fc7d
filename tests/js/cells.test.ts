import { describe, expect, test } from 'vitest';
import type { LstmSpec, ModelSpec, RnnSpec } from '../../ts/spec/spec.ts';
import { expectClose } from '../facade/helpers.ts';
import { RANDOM_LAYERS } from '../tolerances.ts';
import { random } from '../random.ts';
import { cellLayer, expectSameSteps, makeState, pick, randomFloats } from './helpers.ts';
import { DRAWN, referenceLayer } from './reference.ts';

type Type = (LstmSpec | RnnSpec)['type'];

function randomCase(type: Type, seed: number) {
  const next = random(seed);
  const size = () => 1 + Math.floor(next() * 20);
  const direction = pick(next, ['forward', 'reverse', 'bidirectional'] as const);
  const [masked, given, custom] = [next() < 0.5, next() < 0.3, next() < 0.5];
  const count = (type === 'lstm' ? 2 : 1) * (direction === 'bidirectional' ? 2 : 1);
  const starts = Array.from({ length: count }, (_, i) => `start${i}`);
  const layer = cellLayer(next, {
    type,
    inputSize: size(),
    hiddenSize: size(),
    direction,
    inputs: ['x'],
    ...(direction === 'bidirectional' && { merge: pick(next, ['concat', 'sum', 'mul', 'ave'] as const) }),
    ...(direction === 'reverse' && { reversedOutput: next() < 0.5 }),
    ...(masked && { mask: 'm:mask', paddedOutput: pick(next, ['zero', 'hold'] as const) }),
    ...(given && { initialState: starts }),
    ...(custom && { activation: pick(next, DRAWN) }),
    ...(next() < 0.3 && { clip: 0.8 }),
    ...(type === 'lstm' && custom && { recurrentActivation: pick(next, ['hard_sigmoid', 'sigmoid', 'tanh'] as const) }),
    ...(type === 'lstm' && custom && next() < 0.5 && { outputActivation: pick(next, DRAWN) }),
    ...(type === 'lstm' && next() < 0.2 && { inputForget: true }),
  });
  const directions = direction === 'bidirectional' ? ['forward', 'reverse'] : [direction];
  const slots = type === 'lstm' ? ['State', 'Cell'] : ['State'];
  const ports = slots.flatMap((slot) => directions.map((d) => `${d}${slot}`));
  const { inputSize, hiddenSize } = layer;
  const spec: ModelSpec = {
    inputs: [
      { name: 'x', dtype: 'float32', size: inputSize },
      ...(masked ? [{ name: 'm0', dtype: 'float32' as const, size: 1 }] : []),
      ...(given
        ? starts.map((name) => ({ name, dtype: 'float32' as const, size: hiddenSize, kind: 'vector' as const }))
        : []),
    ],
    layers: [...(masked ? [{ name: 'm', type: 'masking' as const, inputs: ['m0'], maskValue: 0 }] : []), layer],
    outputs: ['sequence', 'last', ...ports].map((port) => ({ name: port, from: `layer:${port}` })),
  };
  const timeMajor = next() < 0.3;
  const lengths = Array.from({ length: 1 + Math.floor(next() * 5) }, () => Math.floor(next() * 12));
  if (timeMajor) lengths.fill(7);
  const rows = lengths.reduce((a, b) => a + b, 0);
  const x = randomFloats(next, rows * inputSize);
  const mask = new Float32Array(rows).map(() => (next() < 0.6 ? 1 : 0));
  const initial = starts.map(() => randomFloats(next, lengths.length * hiddenSize));
  return { layer, spec, masked, given, timeMajor, lengths, x, mask, initial };
}

describe.each(['lstm', 'rnn'] as const)('%s against float64', (type) => {
  test.each(Array.from({ length: 200 }, (_, i) => i))('case %i', (seed) => {
    const { layer, spec, masked, given, timeMajor, lengths, x, mask, initial } = randomCase(type, seed);
    const { inputSize: I, hiddenSize: H } = layer;
    const state = makeState(spec, lengths.length, lengths, timeMajor);
    state.inputFloats(0).set(x);
    if (masked) state.inputFloats(1).set(mask);
    initial.forEach((values, i) => {
      if (given) state.inputFloats((masked ? 2 : 1) + i).set(values);
      else state.writeHidden(i, values);
    });
    state.run();

    let start = 0;
    const size = state.output(1).length / lengths.length;
    lengths.forEach((length, b) => {
      const steps = Array.from({ length }, (_, t) => (timeMajor ? t * lengths.length + b : start + t));
      const expected = referenceLayer(
        layer,
        steps.map((row) => [...x.subarray(row * I, (row + 1) * I)]),
        steps.map((row) => (masked ? mask[row]! : 1)),
        initial.map((values) => [...values.subarray(b * H, (b + 1) * H)]),
      );
      steps.forEach((row, t) => {
        expectClose(
          state.output(0).subarray(row * size, (row + 1) * size),
          expected.rows[t]!,
          RANDOM_LAYERS,
          `row ${t}`,
        );
      });
      expectClose(state.output(1).subarray(b * size, (b + 1) * size), expected.last, RANDOM_LAYERS, 'last');
      expected.states.forEach((values, i) => {
        expectClose(state.output(2 + i).subarray(b * H, (b + 1) * H), values, RANDOM_LAYERS, `state ${i}`);
        const read = new Float32Array(lengths.length * H);
        state.readHidden(i, read);
        expect(read).toEqual(state.output(2 + i));
      });
      start += length;
    });
  });
});

describe.each(['lstm', 'rnn'] as const)('%s: the same bits', (type) => {
  const inputs: ModelSpec['inputs'] = [{ name: 'x', dtype: 'float32', size: 5 }];

  test.each([1, 7, 8, 9, 33])('step by step, in a batch, beyond a block of rows: %i units', (hiddenSize) => {
    const next = random(hiddenSize);
    expectSameSteps(next, cellLayer(next, { type, inputSize: 5, hiddenSize }), hiddenSize);
  });

  test('a NaN stays in its sequence, and small states are zero', () => {
    const next = random(5);
    const spec: ModelSpec = { inputs, layers: [cellLayer(next, { type, inputSize: 5, hiddenSize: 3 })] };
    const state = makeState(spec, 2, [2, 2]);
    state.inputFloats(0).set(randomFloats(next, 20));
    state.run();
    const before = state.output(0).slice(6);
    state.reset();
    state.inputFloats(0)[0] = NaN;
    state.run();
    expect(state.output(0).subarray(0, 6).every(Number.isNaN)).toBe(true);
    expect(state.output(0).subarray(6)).toEqual(before);
    const values = new Float32Array(6);
    for (let i = 0; i < (type === 'lstm' ? 2 : 1); i++) {
      state.writeHidden(i, new Float32Array(6).fill(-1e-40));
      state.readHidden(i, values);
      expect([...values]).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });
});

test.each([0, 1])('a masked first step after state %i of an lstm is set has nothing to repeat', (slot) => {
  const next = random(6);
  const layer = cellLayer(next, { type: 'lstm', inputSize: 2, hiddenSize: 3, inputs: ['x'], mask: 'm:mask' });
  const state = makeState(
    {
      inputs: [
        { name: 'x', dtype: 'float32', size: 2 },
        { name: 'm0', dtype: 'float32', size: 1 },
      ],
      layers: [{ name: 'm', type: 'masking', inputs: ['m0'], maskValue: 0 }, layer],
    },
    1,
    [1],
  );
  state.inputFloats(0).set([1, 2]);
  const steps = [1, 0].map((mask) => {
    state.inputFloats(1).fill(mask);
    state.run();
    return state.output(0).slice();
  });
  expect(steps[1]).toEqual(steps[0]);
  const held = new Float32Array(1);
  state.readHidden(2, held);
  expect(held[0]).toBe(1);
  state.writeHidden(slot, new Float32Array(3).fill(0.5));
  state.writeHidden(2, new Float32Array(1));
  state.run();
  expect([...state.output(0)]).toEqual([0, 0, 0]);
});
