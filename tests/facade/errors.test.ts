import { describe, expect, test } from 'vitest';
import { GruError } from '../../ts/base/errors.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, numbers, oneGru, tensor, textModel, twoInputs } from './helpers.ts';

describe.each(BACKENDS)('$name', ({ api }) => {
  test('features of the wrong shape or kind', async () => {
    using model = await api.createModel(oneGru(64, 2));
    const good = tensor([2, 10, 64]);
    const expected = model.run(good);
    const run = (input: unknown, options?: object) => () => model.run(input as never, options);
    await expectError(
      run({ data: numbers(640), shape: [2, 10, 32] }),
      'shape_mismatch',
      "'x'",
      '[B, T, 64]',
      '[2, 10, 32]',
    );
    await expectError(run(tensor([10, 2, 32]), { timeMajor: true }), 'shape_mismatch', '[T, B, 64]');
    await expectError(run({ data: numbers(64), shape: [64] }), 'shape_mismatch', "'x'", '[T, 64]', '[64]');
    await expectError(run({ data: numbers(64), shape: [1, 1, 1, 64] }), 'shape_mismatch', '[1, 1, 1, 64]');
    await expectError(
      run({ data: numbers(63), shape: [1, 1, 64] }),
      'shape_mismatch',
      "'x'",
      'a flat array of 64',
      '63',
    );
    await expectError(run({ data: numbers(64), shape: [1, -1, -64] }), 'shape_mismatch', 'whole numbers', '-1');
    await expectError(run({ data: numbers(64), shape: [1, NaN, 64] }), 'shape_mismatch', 'NaN');
    await expectError(run({ data: numbers(64), shape: '1,64' }), 'shape_mismatch', 'shape');
    await expectError(run(numbers(65)), 'shape_mismatch', "'x'", 'a multiple of 64', '65');
    await expectError(run(new Float64Array(65)), 'shape_mismatch', "'x'", 'a multiple of 64', '65');
    await expectError(run(['1', ...numbers(63)]), 'dtype_mismatch', "'x'", "the string '1' at 0");
    await expectError(run([1, 2]), 'shape_mismatch', "'x'", 'a multiple of 64', '2');
    await expectError(run('hello'), 'dtype_mismatch', "'hello'");
    await expectError(run(undefined), 'dtype_mismatch', 'undefined');
    await expectError(run(null), 'dtype_mismatch', 'null');
    await expectError(run({}), 'invalid_argument', "'x'", 'missing');
    await expectError(run({ x: good, y: good }), 'invalid_argument', "'y'", "'x'");
    await expectError(run({ x: null }), 'dtype_mismatch', "'x'", 'null');
    await expectError(run(good, { timemajor: true }), 'invalid_argument', 'timemajor');
    await expectError(run(good, null as never), 'invalid_argument', 'null');
    expect(model.run(good)).toEqual(expected);
  });

  test('ids that are none', async () => {
    using model = await api.createModel(textModel());
    const expected = model.run([1, 2, 3]);
    const run = (input: unknown) => () => model.run(input as never);
    await expectError(run([1, 11]), 'id_out_of_range', "'ids'", '[1]', '0 to 10', 'got 11');
    await expectError(run({ data: [1, 2, 3, 4, -1, 6], shape: [2, 3] }), 'id_out_of_range', '[1, 1]', '-1');
    await expectError(run(Float32Array.of(1, NaN)), 'id_out_of_range', '[1]', 'NaN');
    await expectError(run([1.5]), 'id_out_of_range', '1.5');
    await expectError(run([Infinity]), 'id_out_of_range', 'Infinity');
    await expectError(run(['1']), 'id_out_of_range', "'1'");
    await expectError(run([[1], 2]), 'id_out_of_range', 'Array');
    await expectError(run([,]), 'id_out_of_range', 'undefined'); // eslint-disable-line no-sparse-arrays
    await expectError(run({ data: [1, 2], shape: [1, 1, 2] }), 'shape_mismatch', '[B, T]', '[1, 1, 2]');
    expect(model.run([1, 2, 3])).toEqual(expected);
  });

  test('several inputs that do not fit each other', async () => {
    using model = await api.createModel(twoInputs());
    const good = { frames: tensor([2, 4, 3]), more: tensor([2, 4, 2]), speaker: tensor([2, 4]) };
    const run = (input: object) => () => model.run(input as never);
    await expectError(run(good.frames), 'invalid_argument', 'frames, more, speaker');
    await expectError(
      run({ ...good, more: tensor([2, 5, 2]) }),
      'shape_mismatch',
      "'frames'",
      "'more'",
      '4 and 5 steps',
    );
    await expectError(run({ ...good, speaker: tensor([3, 4]) }), 'shape_mismatch', "'speaker'", '2 and 3 sequences');
    await expectError(run({ ...good, speaker: numbers(4) }), 'shape_mismatch', "'speaker'", 'batch dimension');
    expect(model.run(good).output.shape).toEqual([2, 4, 6]);
  });

  test('initial states', async () => {
    using model = await api.createModel(textModel());
    const run = (initialStates: unknown) => () => model.run([1, 2], { initialStates } as never);
    await expectError(run(numbers(4)), 'invalid_argument', 'several recurrent layers');
    await expectError(run({ third: numbers(4) }), 'invalid_argument', "'third'", "'first', 'second'");
    await expectError(run({ first: numbers(5) }), 'shape_mismatch', "'first'", '4 values', '5');
    await expectError(run({ first: tensor([1, 1, 4]) }), 'shape_mismatch', "'first'", '[1, 4]', '[1, 1, 4]');
    await expectError(run({ first: [1, '2', 3, 4] }), 'dtype_mismatch', "'first'", "the string '2' at 1");
    await expectError(run({ first: null }), 'dtype_mismatch', "'first'", 'null');
    expect(model.run([1, 2], { initialStates: {} })).toEqual(model.run([1, 2]));
  });

  test('a run too large for memory, and the next one', async () => {
    using model = await api.createModel(oneGru(1, 4096));
    const x = tensor([1, 2, 1]);
    const expected = model.run(x);
    await expectError(() => model.run({ data: new Float32Array(2 ** 21), shape: [1, 2 ** 21, 1] }), 'out_of_memory');
    expect(model.run(x)).toEqual(expected);
  });
});

test('specs of any form whatever give a GruError', () => {
  const values = [
    undefined,
    null,
    0,
    -1,
    1.5,
    NaN,
    '',
    'x',
    'gru',
    [],
    {},
    [null],
    [[]],
    { name: 'x' },
    true,
    new Float32Array(3),
  ];
  const sets = [textModel(), twoInputs(), oneGru(2, 3, { direction: 'bidirectional', merge: 'sum', clip: 1 })];
  const places = (node: object): [Record<string, unknown>, string][] =>
    Object.entries(node).flatMap(([key, value]) => [
      [node as Record<string, unknown>, key] as [Record<string, unknown>, string],
      ...(typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) ? places(value as object) : []),
    ]);
  let refused = 0;
  const attempt = (spec: unknown) => {
    try {
      resolveGraph(spec as ModelSpec);
    } catch (error) {
      refused++;
      if (!(error instanceof GruError)) throw error;
    }
  };
  for (const value of values) attempt(value);
  for (const set of sets) {
    for (const extra of ['initialState', 'mask', 'activation', 'weights', 'inputs', 'outputs', 'kind', 'odd']) {
      for (const target of [set, set.inputs[0]!, ...set.layers] as unknown as Record<string, unknown>[]) {
        for (const value of values) {
          const had = Object.hasOwn(target, extra);
          const before = target[extra];
          target[extra] = value;
          attempt(set);
          if (had) target[extra] = before;
          else delete target[extra]; // eslint-disable-line @typescript-eslint/no-dynamic-delete
        }
      }
    }
    for (const [owner, key] of places(set)) {
      const before = owner[key];
      for (const value of values) {
        owner[key] = value;
        attempt(set);
      }
      owner[key] = before;
    }
    resolveGraph(set);
  }
  expect(refused).toBeGreaterThan(1000);
});
