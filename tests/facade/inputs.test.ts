import { beforeAll, describe, expect, test } from 'vitest';
import { createModel, type GruErrorCode, type GruModel, type ModelSpec } from '../../ts/index.ts';
import { expectError, numbers, oneGru } from './helpers.ts';

/** Two sequences, a vector per sequence and ids: (steps, 2), (steps, 2), (3), (steps). */
const SPEC: ModelSpec = {
  inputs: [
    { name: 'a', dtype: 'float32', size: 2 },
    { name: 'b', dtype: 'float32', size: 2 },
    { name: 'v', dtype: 'float32', size: 3, kind: 'vector' },
    { name: 'ids', dtype: 'int32', size: 1 },
  ],
  layers: [
    { name: 'sum', type: 'merge', merge: 'sum', inputs: ['a', 'b'] },
    { name: 'vector', type: 'activation', activation: 'linear', inputs: ['v'] },
    {
      name: 'rows',
      type: 'embedding',
      vocabularySize: 4,
      outputSize: 1,
      inputs: ['ids'],
      weights: { embeddings: Float32Array.of(10, 20, 30, 40) },
    },
  ],
  outputs: ['sum', 'vector', 'rows'],
};
const floats = (...values: number[]) => Float32Array.from(values);
const tensor = (shape: number[], seed = 1) => ({
  data: numbers(
    shape.reduce((n, d) => n * d, 1),
    seed,
  ),
  shape,
});
const given = {
  a: tensor([2, 3, 2], 1),
  b: tensor([2, 3, 2], 2),
  v: tensor([2, 3], 3),
  ids: { data: Int32Array.of(0, 1, 2, 3, 2, 1), shape: [2, 3] },
};

describe('several inputs', () => {
  let model: GruModel;
  beforeAll(async () => {
    model = await createModel(SPEC, { backend: 'js' });
  });

  test('go where their names say', () => {
    const { outputs } = model.run(given);
    expect([...outputs['sum']!.data]).toEqual([...given.a.data.map((value, i) => value + given.b.data[i]!)]);
    expect(outputs['vector']).toEqual({ data: given.v.data, shape: [2, 3] });
    expect(outputs['rows']).toEqual({ data: floats(10, 20, 30, 40, 30, 20), shape: [2, 3, 1] });
  });

  test('of one sequence come without shapes', () => {
    const { outputs } = model.run({ a: numbers(4, 1), b: numbers(4, 2), v: numbers(3, 3), ids: [1, 2] });
    expect(outputs['vector']).toEqual({ data: numbers(3, 3), shape: [3] });
    expect(outputs['rows']).toEqual({ data: floats(20, 30), shape: [2, 1] });
  });

  test('sequences of several lengths fit where their lengths do', () => {
    const { outputs } = model.run({
      a: [numbers(2, 1), numbers(4, 2)],
      b: [numbers(2, 3), numbers(4, 4)],
      v: [numbers(3, 5), numbers(3, 6)],
      ids: [[3], [1, 2]],
    });
    expect(outputs['sum']!.shape).toEqual([2, 2, 2]);
    expect([...outputs['rows']!.data]).toEqual([40, 0, 20, 30]);
  });

  test.each<[string, Record<string, unknown>, string[], GruErrorCode?]>([
    ['one of another number of steps', { b: tensor([2, 4, 2]) }, ["'a' and 'b'", '3 and 4 steps']],
    ['one of another batch', { b: tensor([5, 3, 2]) }, ["'a' and 'b'", '2 and 5 sequences']],
    ['a vector of another batch', { v: tensor([4, 3]) }, ["'a' and 'v'", '2 and 4 sequences']],
    ['one without a batch', { b: tensor([3, 2]) }, ["'a' and 'b'", 'one has a batch dimension']],
    ['ids without a batch', { ids: [0, 1, 2] }, ["'a' and 'ids'", 'one has a batch dimension']],
    ['a sequence too short', { v: [numbers(3), numbers(2)] }, ["'v', sequence 1", 'expected 3 values', 'got 2']],
    ['rows cut', { a: [numbers(4), numbers(3)] }, ["'a', sequence 1", 'a multiple of 2 values (steps x 2)', 'got 3']],
    ['a flat array of a part of a row', { a: numbers(5) }, ["'a'", 'a multiple of 2 values (steps x 2)', 'got 5']],
    ['a flat vector too long', { v: numbers(6) }, ["'v'", 'expected 3 values', 'got 6']],
    ['a shape of other dimensions', { a: tensor([2, 3, 4]) }, ['[B, T, 2], or [T, 2] for one sequence', '[2, 3, 4]']],
    ['a vector of other dimensions', { v: tensor([2, 3, 1]) }, ['[B, 3], or [3] for one sequence', '[2, 3, 1]']],
    [
      'a shape that its data do not fill',
      { a: { ...given.a, shape: [2, 4, 2] } },
      ['takes a flat array of 16, data has 12'],
    ],
    ['a negative size', { a: { ...given.a, shape: [-2, -3, 2] } }, ['whole numbers, got [-2, -3, 2]']],
    ['a size that is none', { a: { ...given.a, shape: [2, 3, '2'] } }, ["whole numbers, got [2, 3, the string '2']"]],
    ['a broken size', { a: { ...given.a, shape: [2, 1.5, 4] } }, ['whole numbers, got [2, 1.5, 4]']],
    ['nine dimensions', { a: { data: numbers(1), shape: Array(9).fill(1) } }, ['one of 9 dimensions']],
    ['a name that it has not', { c: numbers(2) }, ["no input 'c'", "'a', 'b', 'v', 'ids'"], 'invalid_argument'],
    ['one left out', { b: undefined }, ["input 'b'"], 'dtype_mismatch'],
  ])('%s: refused by name', async (_, change, texts, code = 'shape_mismatch') => {
    await expectError(() => model.run({ ...given, ...change }), code, ...texts);
  });

  test('sequences whose lengths differ from one input to the other', async () => {
    const a = [numbers(2), numbers(4)];
    const v = [numbers(3), numbers(3)];
    const run = (b: unknown, ids: unknown) => () => model.run({ a, b, v, ids } as never);
    await expectError(run([numbers(4), numbers(4)], [[0], [1, 2]]), 'shape_mismatch', "'a' and 'b'", 'lengths');
    await expectError(run([numbers(4), numbers(2)], [[0], [1, 2]]), 'shape_mismatch', "'a' and 'b'", 'lengths');
    await expectError(run(a, [[0, 1], [1]]), 'shape_mismatch', "'a' and 'ids'", 'lengths');
  });

  test('no record, or one that lacks an input', async () => {
    await expectError(() => model.run(numbers(4)), 'invalid_argument', 'a, b, v, ids', 'Float32Array of length 4');
    const { a, b, v } = given;
    await expectError(() => model.run({ a, b, v }), 'invalid_argument', "input 'ids' is missing");
  });
});

describe('the dimensions of a row', () => {
  const modelOf = (row: number[], size: number, own?: number[]) =>
    createModel({ inputs: [{ name: 'x', dtype: 'float32', size, row }], layers: [{ name: 'y', type: 'slice', start: 0, size }], ...(own ? { outputs: [{ name: 'y', from: 'y', row: own }] } : {}) }, { backend: 'js' }); // prettier-ignore

  test('none: one number a step', async () => {
    using model = await modelOf([], 1);
    expect(model.inputs[0]!.shape).toEqual(['batch', 'steps']);
    expect(model.run(tensor([2, 3])).output.shape).toEqual([2, 3, 1]);
    expect(model.run(tensor([3])).output.shape).toEqual([3, 1]);
    await expectError(() => model.run(tensor([2, 3, 1])), 'shape_mismatch', '[B, T], or [T] for one sequence');
  });

  test('several', async () => {
    using model = await modelOf([2, 3], 6);
    expect(model.inputs[0]!.shape).toEqual(['batch', 'steps', 2, 3]);
    const { output } = model.run(tensor([4, 5, 2, 3]));
    expect(output.shape).toEqual([4, 5, 6]);
    expect(output.data).toEqual(tensor([4, 5, 2, 3]).data);
    await expectError(() => model.run(tensor([4, 5, 6])), 'shape_mismatch', '[B, T, 2, 3]');
  });

  test('of an output', async () => {
    using one = await modelOf([1], 1, []);
    expect(one.outputs[0]!.shape).toEqual(['batch', 'steps']);
    expect(one.run(tensor([2, 3, 1])).output.shape).toEqual([2, 3]);
    expect(one.run([Float32Array.of(1, 2), Float32Array.of(3)], { padding: 'none' }).output.shape).toEqual([3]);
    using more = await modelOf([6], 6, [3, 2]);
    expect(more.run(tensor([4, 5, 6])).output.shape).toEqual([4, 5, 3, 2]);
    await expectError(() => modelOf([6], 6, [5]), 'invalid_spec', "output 'y': row must");
  });

  test.each([[[2, 2]], [[0]], [[1.5, 4]], ['6'], [[-2, -3]]])('%j of 6: refused', async (row) => {
    await expectError(() => modelOf(row as number[], 6), 'invalid_spec', "input 'x': row must");
  });
});

describe('one input', () => {
  test.each<[string, object, string[]]>([
    ["'none' for a padded array", { padding: 'none' }, ["padding 'none' is for"]],
    ['lengths and a mask', { lengths: [1, 1], mask: new Uint8Array(4) }, ['give one of']],
    ['timeMajor that is no boolean', { timeMajor: 1 }, ['timeMajor must be true or false']],
  ])('%s: refused', async (_, options, texts) => {
    using model = await createModel(oneGru(2, 3), { backend: 'js' });
    await expectError(() => model.run(tensor([2, 2, 2]), options), 'invalid_argument', ...texts);
  });

  test('what is for padded arrays is refused for an array of sequences', async () => {
    using model = await createModel(oneGru(2, 3), { backend: 'js' });
    const sequences = [numbers(2), numbers(4)];
    await expectError(() => model.run(sequences, { timeMajor: true }), 'invalid_argument', 'timeMajor is for padded');
    await expectError(() => model.run(sequences, { lengths: [1, 2] }), 'invalid_argument', 'give one of');
    await expectError(() => model.run(sequences, { mask: new Uint8Array(4) }), 'invalid_argument', 'give one of');
  });

  test.each([0, -1, 1.5, NaN, '2', 2n])('%s streams are refused', async (count) => {
    using model = await createModel(oneGru(2, 3), { backend: 'js' });
    await expectError(() => model.createStreams(count as number), 'invalid_argument', 'whole number from 1');
    await expectError(() => model.createStream({ batch: count as number }), 'invalid_argument', 'whole number from 1');
  });
});
