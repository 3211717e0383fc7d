import { describe, expect, test } from 'vitest';
import type { LayerSpec, ModelSpec } from '../../ts/index.ts';
import { BACKENDS } from '../backends.ts';

/**
 * Products of denormals take an Intel processor up to 240 times as long as others, and neither wasm nor JavaScript flushes them: none comes
 * in by inputs, states or weights, and none is made of what is silent or far off. Told by what they would be times 1e30.
 */

const TINY = 1e-40;
const HUGE = 1e30;

const model = (size: number, ...layers: LayerSpec[]): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size }],
  layers,
});
const dense = (kernel: number[], outputSize: number): LayerSpec => ({
  type: 'dense',
  name: 'dense',
  inputSize: kernel.length / outputSize,
  outputSize,
  weights: { kernel: Float32Array.from(kernel) },
});
const reversed: LayerSpec = { type: 'reverse', name: 'reversed' };

describe.each(BACKENDS)('$name', ({ api }) => {
  const run = async (spec: ModelSpec, x: number[]) => {
    using made = await api.createModel(spec);
    return [...made.run(Float32Array.from(x)).output.data];
  };

  test('inputs', async () => {
    expect(await run(model(1, dense([HUGE], 1)), [TINY, -TINY, 2e-38])).toEqual([0, 0, expect.closeTo(2e-8, 14)]);
    // Behind layers that make no numbers of their own, of sizes that fill no vector.
    for (let steps = 1; steps < 10; steps++) {
      const x = Array.from({ length: steps }, (_, i) => (i === steps - 1 ? TINY : 1));
      expect((await run(model(1, reversed, dense([HUGE], 1)), x))[0]).toBe(0);
    }
  });

  test('ids are no numbers', async () => {
    using made = await api.createModel({
      inputs: [{ name: 'x', dtype: 'int32', size: 1 }],
      layers: [
        {
          type: 'embedding',
          name: 'table',
          vocabularySize: 3,
          outputSize: 1,
          weights: { embeddings: Float32Array.of(5, 6, 7) },
        },
      ],
    });
    expect([...made.run(Int32Array.of(2, 1, 0)).output.data]).toEqual([7, 6, 5]);
  });

  test('weights, which save still has', async () => {
    using made = await api.createModel(model(2, dense([TINY, 1, 1, TINY], 2)));
    expect([...made.run(Float32Array.of(HUGE, 2)).output.data]).toEqual([2, Math.fround(HUGE)]);
    const { layers } = (await api.loadModel(made.save())).spec;
    expect((layers[0] as { weights: { kernel: Float32Array } }).weights.kernel[0]).toBe(Math.fround(TINY));
  });

  test('zeros among weights keep their signs, beside a denormal or not', async () => {
    const constants = (...value: number[]): LayerSpec => ({
      ...{ type: 'merge', name: 'quotients', merge: 'div', inputs: ['x'], constantSize: value.length },
      weights: { constant: Float32Array.from(value) },
    });
    expect(await run(model(2, constants(-0, 1)), [1, 1])).toEqual([-Infinity, 1]);
    expect(await run(model(3, constants(-0, -TINY, 0)), [1, 1, 1])).toEqual([-Infinity, Infinity, Infinity]);
  });

  test.each(['i16', 'i8'] as const)('rows of nothing, of weights in %s', async (precision) => {
    const spec = model(2, dense([1, 0.5, -1, 0.25], 2));
    using plain = await api.createModel(spec);
    using made = await api.loadModel(plain.save(), { precision });
    // A silent row, one that is nearly silent, and one beside it that is not.
    const [a, b, c] = [
      [0, 0],
      [1e-35, 3e-36],
      [1, 0.5],
    ].map((x) => [...made.run(Float32Array.from(x)).output.data]);
    expect([a, b]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(c![0]).toBeCloseTo(1.25, 1);
  });

  test('softmax, of scores and of a row', async () => {
    const values = [HUGE, 1, 1];
    const scores: LayerSpec = { type: 'timeSoftmax', name: 'weights', inputs: ['x'] };
    const sum: LayerSpec = { type: 'weightedSum', name: 'sum', inputs: ['weights', 'x'] };
    expect(await run(model(1, scores, { type: 'step', name: 'first', index: 0 }), [-1e9, 0, 0])).toEqual([0]);
    expect((await run(model(1, scores, sum), [-1e9, 1, 1]))[0]).toBe(1);
    const row = await run(model(3, { type: 'activation', name: 'p', activation: 'softmax' }), [-1e9, 0, 0]);
    expect(row[0]).toBeGreaterThan(2 ** -126);
    expect(values[0]! * row[0]!).toBeLessThan(1e-4);
  });

  test('softplus far below zero is e^x still', async () => {
    const softplus: LayerSpec = { type: 'activation', name: 'y', activation: 'softplus' };
    for (const [x, y] of [
      [-17, 4.139937e-8],
      [-16, 1.1253516e-7],
      [-60, 8.75651e-27],
      [0, Math.LN2],
      [60, 60],
    ] as const) {
      expect((await run(model(1, softplus), [x]))[0]! / y).toBeCloseTo(1, 5);
    }
  });
});
