import { describe, expect, test } from 'vitest';
import { loadModel } from '../../ts/api/js.ts';
import type { PytorchOptions } from '../../ts/formats/pytorch.ts';
import type { PytorchLayer } from '../../ts/formats/pytorch/forms/index.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { expectError } from '../facade/helpers.ts';

/** What lines without a module of their own compute: x is (steps, 2), and 'a' a linear layer that gives it as it is. */

const of = (shape: number[], ...data: number[]) => ({ dtype: 'F32' as const, shape, data: Float32Array.from(data) });
const TENSORS = {
  'a.weight': of([2, 2], 1, 0, 0, 1),
  q: of([1, 2, 1], 2, -1),
  one: of([], 10),
  w: of([2, 3], 1, 2, 3, 4, 5, 6),
  v: of([2], 1, 2),
  pe: of([1, 4, 2], 1, 2, 3, 4, 5, 6, 7, 8),
  'pos.weight': of([4, 2], 1, 2, 3, 4, 5, 6, 7, 8),
};
const X = Float32Array.of(1, 2, 3, 4, 5, 7);

const load = (layers: PytorchLayer[], more: PytorchOptions = {}) => {
  const used = JSON.stringify(layers);
  const tensors = Object.fromEntries(
    Object.entries(TENSORS).filter(([name]) => name === 'a.weight' || used.includes(`"${name.split('.')[0]!}"`)),
  );
  return loadModel(writeSafetensors(tensors), { pytorch: { layers: [{ linear: 'a' }, ...layers], ...more } });
};
const run = async (...layers: PytorchLayer[]) => {
  const model = await load(layers);
  const { data, shape } = model.run({ data: X, shape: [1, 3, 2] }).output;
  return { data: [...data], shape };
};

describe('numbers and tensors beside values', () => {
  test.each<[PytorchLayer, number[]]>([
    [{ mul: ['a', 2] }, [2, 4, 6, 8, 10, 14]],
    [{ sub: ['a', 1] }, [0, 1, 2, 3, 4, 6]],
    [{ sub: [1, 'a'] }, [0, -1, -2, -3, -4, -6]],
    [{ div: [420, 'a'] }, [420, 210, 140, 105, 84, 60]],
    [{ sum: ['a', 'a', 0.5] }, [2.5, 4.5, 6.5, 8.5, 10.5, 14.5]],
    [{ pow: ['a', 2] }, [1, 4, 9, 16, 25, 49]],
    [{ pow: ['a', -1] }, [1, 0.5, 1 / 3, 0.25, 0.2, 1 / 7].map(Math.fround)],
    [{ max: ['a', 3] }, [3, 3, 3, 4, 5, 7]],
    [{ min: ['a', 3] }, [1, 2, 3, 3, 3, 3]],
    [{ mul: ['a', 'q'] }, [2, -2, 6, -4, 10, -7]],
    [{ sub: ['q', 'a'] }, [1, -3, -1, -5, -3, -8]],
    [{ sum: ['a', 'one'] }, [11, 12, 13, 14, 15, 17]],
  ])('%j', async (line, expected) => {
    expect(await run(line)).toEqual({ data: expected, shape: [1, 3, 2] });
  });

  test('are put beside a row', async () => {
    expect(await run({ concat: ['a', 'one'] })).toEqual({ data: [1, 2, 10, 3, 4, 10, 5, 7, 10], shape: [1, 3, 3] });
  });

  test('a line or an input of the name comes before the tensor', async () => {
    const line = await load([{ mul: ['a', 3], name: 'q' }, { sum: ['a', 'q'] }], { ignore: ['q'] });
    expect([...line.run(X).output.data]).toEqual([4, 8, 12, 16, 20, 28]);
    const model = await loadModel(writeSafetensors({ q: TENSORS.q }), {
      pytorch: { layers: [{ sum: ['q', 1] }], inputs: [{ name: 'q', size: 2 }], ignore: ['q'] },
    });
    expect([...model.run(X).output.data]).toEqual([2, 3, 4, 5, 6, 8]);
  });

  test('how a tensor is taken is told, where it could be another', async () => {
    const { report } = await load([{ mul: ['a', 'q'] }]);
    expect(report?.conventions).toContainEqual("mul 'mul': tensor 'q' [1, 2, 1] taken as one number for each feature");
    expect(report?.tensors.map(({ source }) => source)).toContain('q');
  });

  test.each<[PytorchLayer, ...string[]]>([
    [{ sum: [1, 2] }, 'one number or tensor'],
    [{ sum: [] }, 'not empty'],
    [{ sum: ['a', 1, 'a'] }, 'the first or the last'],
    [{ sum: [1, 'a', 'q'] }, 'lines of two'],
    [{ mul: ['a', 'pe'] }, "tensor 'pe' has shape [1, 4, 2]", 'one for each feature'],
    [{ sum: ['a', 'pe'] }, "{ positions: 'pe' }"],
    [{ sum: ['a', NaN] }, 'names and numbers'],
    [{ sum: ['a', null as unknown as string] }, 'names and numbers'],
    [{ sum: ['a', 1], from: 'a' }, "no 'from'"],
    [{ pow: ['a', 2, 3] }, 'two names or numbers'],
    [{ sum: 'steps' as 'time' }, 'time or 1 or features', 'names and numbers'],
  ])('%j is refused', async (line, ...texts) => {
    const { code, message } = (await load([line]).catch((error: unknown) => error)) as {
      code: string;
      message: string;
    };
    expect(code).toMatch(/^(invalid_argument|invalid_spec|unsupported)$/);
    for (const text of texts) expect(message).toContain(text);
  });
});

test('sums over steps and over features', async () => {
  expect(await run({ sum: 'time' })).toEqual({ data: [9, 13], shape: [1, 2] });
  expect(await run({ sum: 1 })).toEqual({ data: [9, 13], shape: [1, 2] });
  expect(await run({ sum: 'features' })).toEqual({ data: [3, 7, 12], shape: [1, 3, 1] });
  expect((await run({ sum: -1 })).data).toEqual([3, 7, 12]);
});

test('the greatest of each row: argmax', async () => {
  const { data } = await run({ mul: ['a', 'q'] }, { argmax: 'features' });
  expect(data).toEqual([0, 0, 0]);
  expect((await run({ argmax: -1 })).data).toEqual([1, 1, 1]);
  await expectError(() => load([{ argmax: 'time' as 'features' }]), 'invalid_argument', 'argmax must be features');
});

test('a parameter that x is multiplied by: matmul', async () => {
  expect(await run({ matmul: 'w' })).toEqual({ data: [9, 12, 15, 19, 26, 33, 33, 45, 57], shape: [1, 3, 3] });
  expect(await run({ mul: ['a', 1] }, { matmul: 'v', from: 'a' })).toEqual({ data: [5, 11, 19], shape: [1, 3, 1] });
  await expectError(() => load([{ matmul: 'pe' }]), 'unsupported', "'pe' has shape [1, 4, 2]", '[in, out]');
  await expectError(() => load([{ matmul: 'none' }]), 'invalid_argument', "no tensor 'none'");
});

test('steps turned around, each sequence by its length', async () => {
  expect((await run({ flip: 'time' })).data).toEqual([5, 7, 3, 4, 1, 2]);
  const model = await load([{ flip: 1 }]);
  const { output } = model.run([X.subarray(0, 2), X]);
  expect([...output.data.subarray(0, 2), ...output.data.subarray(6)]).toEqual([1, 2, 5, 7, 3, 4, 1, 2]);
});

test.each([
  [0, [1, 2]],
  [1, [3, 4]],
  [2, [5, 7]],
  [3, [0, 0]],
  [-1, [5, 7]],
  [-2, [3, 4]],
  [-3, [1, 2]],
  [-4, [0, 0]],
])('step %i', async (step, expected) => {
  expect(await run({ step })).toEqual({ data: expected, shape: [1, 2] });
});

test('a step before the last one, on a stream', async () => {
  const model = await load([{ step: -2 }]);
  const stream = model.createStream();
  expect([...stream.run(X)].slice(-2)).toEqual([3, 4]);
  await expectError(() => load([{ step: 0.5 }]), 'invalid_argument', 'step', '0 for the first');
});

test('attention of query, keys and values', async () => {
  const dot = (more: object) => load([{ attention: ['a', 'a', 'a'], ...more }]);
  expect((await dot({ size: 2 })).spec.layers.at(-1)).toMatchObject({ inputSize: 2, scale: 1 / Math.sqrt(2) });
  await expectError(() => dot({}), 'invalid_argument', 'needs size');
  await expectError(() => dot({ size: 3 }), 'invalid_spec', 'inputSize is 3');
  const two = { attention: ['a', 'a'], size: 2 } as PytorchLayer;
  await expectError(() => load([two]), 'invalid_argument', 'size is for query, keys and values');
});

describe('positions', () => {
  test.each(['pe', 'pos'])('rows of %s are added, step by step', async (positions) => {
    expect((await run({ positions })).data).toEqual([2, 4, 6, 8, 10, 13]);
  });

  test('of each sequence, on a stream from its start on', async () => {
    const model = await load([{ positions: 'pos' }]);
    const ragged = model.run([X.subarray(2), X.subarray(0, 2)]).output.data;
    expect([...ragged].slice(0, 6)).toEqual([4, 6, 8, 11, 2, 4]);
    const stream = model.createStream();
    expect([...stream.run(X.subarray(0, 2)), ...stream.run(X.subarray(2))]).toEqual([2, 4, 6, 8, 10, 13]);
    stream.reset();
    expect([...stream.run(X.subarray(0, 2))]).toEqual([2, 4]);
  });

  test('more steps than rows are refused, and so are tables of another form', async () => {
    const model = await load([{ positions: 'pe' }]);
    await expectError(() => model.run(new Float32Array(10)), 'id_out_of_range', 'positions');
    await expectError(() => load([{ positions: 'one' }]), 'unsupported', '[steps, features]');
    await expectError(() => load([{ positions: 'nothing' }]), 'invalid_argument', "'nothing.weight'");
  });
});

test('inputs are of float32 where they do not say', async () => {
  const model = await load([{ sum: ['a', 'x'] }], { inputs: [{ name: 'x', size: 2 }] });
  expect(model.inputs).toMatchObject([{ name: 'x', dtype: 'float32' }]);
});
