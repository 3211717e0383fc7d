import { describe, expect, test } from 'vitest';
import { JS_LAYERS } from '../../ts/backends/js/layers/full.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { LAYERS, useAllKinds } from '../../ts/layers/full.ts';
import type { GruErrorCode } from '../../ts/base/errors.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { failure } from '../facade/helpers.ts';
import { random } from '../random.ts';
import { gruWeights, makeState, randomFloats } from './helpers.ts';

useAllKinds();

const tokens: ModelSpec = {
  inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
  layers: [
    {
      name: 'table',
      type: 'embedding',
      vocabularySize: 3,
      outputSize: 2,
      maskZero: true,
      weights: { embeddings: new Float32Array([0, 1, 2, 3, 4, 5]) },
    },
  ],
  outputs: ['table', { name: 'mask', from: 'table:mask' }],
};

const codeOf = (action: () => unknown) => failure(action).code;

test('the registry has the kinds of the spec', () => {
  expect(Object.keys(JS_LAYERS)).toEqual(Object.keys(LAYERS));
});

describe('embedding', () => {
  test('rows and mask', () => {
    const state = makeState(tokens, 1, [3]);
    state.inputIds(0).set([2, 0, 1]);
    state.run();
    expect([...state.output(0)]).toEqual([4, 5, 0, 1, 2, 3]);
    expect([...state.output(1)]).toEqual([1, 0, 1]);
  });

  test.each([-1, 3, 2 ** 31 - 1, -(2 ** 31)])('id %i is refused', (id) => {
    const state = makeState(tokens, 1, [2]);
    state.inputIds(0).set([0, id]);
    expect(
      codeOf(() => {
        state.run();
      }),
    ).toBe('id_out_of_range');
  });
});

test('masking', () => {
  const state = makeState(
    {
      inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
      layers: [{ name: 'm', type: 'masking', maskValue: 0.1 }],
      outputs: ['m', { name: 'mask', from: 'm:mask' }],
    },
    1,
    [3],
  );
  state.inputFloats(0).set([0.1, 0.1, 0.1, 0, NaN, 0.1]);
  state.run();
  expect([...state.output(1)]).toEqual([0, 1, 1]);
  expect(state.output(0)).toEqual(state.inputFloats(0));
});

test.each(['concat', 'sum', 'mul', 'ave'] as const)('merge %s', (merge) => {
  const inputs = ['a', 'b', 'c'].map((name) => ({ name, dtype: 'float32' as const, size: 2, kind: 'vector' as const }));
  const state = makeState({ inputs, layers: [{ name: 'm', type: 'merge', merge, inputs: ['a', 'b', 'c'] }] }, 2);
  const values = inputs.map((_, i) => randomFloats(random(i), 4));
  values.forEach((v, i) => {
    state.inputFloats(i).set(v);
  });
  state.run();
  const [a, b, c] = values as [Float32Array, Float32Array, Float32Array];
  const f = Math.fround;
  const sum = a.map((v, i) => f(v + b[i]!) + c[i]!);
  const expected = {
    concat: new Float32Array([0, 1].flatMap((r) => values.flatMap((v) => [...v.subarray(2 * r, 2 * r + 2)]))),
    sum,
    mul: a.map((v, i) => f(v * b[i]!) * c[i]!),
    ave: sum.map((v) => v * f(1 / 3)),
  };
  expect(state.output(0)).toEqual(expected[merge]);
});

test.each([1, 7, 8, 9, 17])('dense of %i outputs, rows beyond a block; activation layer', (outputSize) => {
  const next = random(outputSize);
  const kernel = randomFloats(next, outputSize * 3);
  const bias = randomFloats(next, outputSize);
  const state = makeState(
    {
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [
        { name: 'd', type: 'dense', inputSize: 3, outputSize, weights: { kernel, bias } },
        { name: 'a', type: 'activation', activation: 'relu' },
      ],
    },
    2,
    [200, 195],
  );
  const x = randomFloats(next, 395 * 3);
  state.inputFloats(0).set(x);
  state.run();
  const f = Math.fround;
  const expected = new Float32Array(395 * outputSize).map((_, i) => {
    const [row, j] = [Math.floor(i / outputSize), i % outputSize];
    let s = bias[j]!;
    for (let k = 0; k < 3; k++) s = f(s + f(kernel[j * 3 + k]! * x[row * 3 + k]!));
    return Math.max(s, 0);
  });
  expect(state.output(0)).toEqual(expected);
});

describe('life of a state', () => {
  const shape = { inputSize: 2, hiddenSize: 3, resetAfter: true };
  const spec: ModelSpec = {
    inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
    layers: [{ name: 'gru', type: 'gru', ...shape, weights: gruWeights(random(3), shape) }],
  };

  test('after free', () => {
    const model = jsBackend.compile(resolveGraph(spec));
    expect(model.bytes).toBeGreaterThan(0);
    const state = model.createState(1);
    model.free();
    model.free();
    expect(codeOf(() => model.createState(1))).toBe('disposed');
    state.setLengths([{ lengths: [2] }]);
    state.run();
    state.free();
    state.free();
    const h = new Float32Array(3);
    for (const method of [
      () => state.inputFloats(0),
      () => state.inputIds(0),
      () => state.output(0),
      () => {
        state.run();
      },
      () => {
        state.reset();
      },
      () => {
        state.readHidden(0, h);
      },
      () => {
        state.writeHidden(0, h);
      },
      () => {
        state.setLengths([{ lengths: [1] }]);
      },
    ]) {
      expect(codeOf(method)).toBe('disposed');
    }
  });

  test('a refused layout leaves the former one', () => {
    const state = makeState(spec, 2, [2, 1]);
    state.inputFloats(0).fill(0.5);
    state.run();
    const before = state.output(0).slice();
    const refused: [ArrayLike<number>, boolean, GruErrorCode][] = [
      [[2 ** 31, 2 ** 40], false, 'out_of_memory'],
      [[2 ** 30, 2 ** 30 - 1], false, 'out_of_memory'],
      [[1], false, 'shape_mismatch'],
      [[1, 2], true, 'shape_mismatch'],
      [[-1, 2], false, 'invalid_argument'],
    ];
    for (const [lengths, timeMajor, code] of refused) {
      expect(
        codeOf(() => {
          state.setLengths([{ lengths, timeMajor }]);
        }),
      ).toBe(code);
    }
    expect(state.output(0)).toEqual(before);
    state.reset();
    state.run();
    expect(state.output(0)).toEqual(before);
  });

  test('hidden values stay when the lengths change; no steps give the current state', () => {
    const state = makeState({ ...spec, outputs: ['gru:last'] }, 1, [2]);
    state.writeHidden(0, new Float32Array([0.1, 0.2, 0.3]));
    state.setLengths([{ lengths: [0] }]);
    state.run();
    expect(state.output(0)).toEqual(new Float32Array([0.1, 0.2, 0.3]));
    state.reset();
    state.run();
    expect([...state.output(0)]).toEqual([0, 0, 0]);
  });
});
