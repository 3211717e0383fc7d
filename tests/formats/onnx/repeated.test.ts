import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import type { TensorLike } from '../../../ts/base/tensor.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Info, type Node } from './build.ts';

/** What tf2onnx makes of Keras's RepeatVector, Reshape, UpSampling1D and LayerNormalization: features that are steps, sums and moments that the graph computes. */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const ints = (name: string, ...values: number[]) => tensor(name, [values.length], values, 7);
const V: Info[] = [{ name: 'x', shape: ['b', 6] }];
const api = createApi(() => Promise.resolve(jsBackend));

const bytesOf = (nodes: Node[], constants: ReturnType<typeof tensor>[], inputs = V) =>
  onnxModel({ opset: 17, nodes, inputs, outputs: ['y'], initializers: constants });

async function run(nodes: Node[], constants: ReturnType<typeof tensor>[], x: TensorLike, inputs = V): Promise<unknown> {
  using model = await api.loadModel(bytesOf(nodes, constants, inputs));
  const { data, shape } = runOnnx(model, { x })['y']!;
  return { data: Array.from(data), shape };
}
const ofVector = (nodes: Node[], ...constants: ReturnType<typeof tensor>[]) =>
  run(nodes, constants, { data: Float32Array.of(1, 2, 4, 8, 16, 32), shape: [1, 6] });
const turned = (from: string, to: string) => node('Transpose', [from], to, { perm: [0, 2, 1] });
const pairs = (from: string, to: string) => node('MaxPool', [from], to, { kernel_shape: [2] });

describe('features that are steps', () => {
  test('a vector cut into steps, by its last axis and by the one before', async () => {
    const cut = [node('Reshape', ['x', 'shape'], 'cut'), turned('cut', 'turned'), pairs('turned', 'y')];
    expect(await ofVector(cut, ints('shape', 0, 3, 2))).toEqual({ data: [4, 16, 8, 32], shape: [1, 2, 2] });
    const last = [node('Reshape', ['x', 'shape'], 'cut'), pairs('cut', 'y')];
    expect(await ofVector(last, ints('shape', 0, 2, 3))).toEqual({ data: [2, 4, 16, 32], shape: [1, 2, 2] });
  });

  test('a vector at each of a fixed number of steps; two of as many lie on one axis', async () => {
    const repeat = (from: string, to: string) => [
      node('Unsqueeze', [from, 'one'], `${to} 1`),
      node('Tile', [`${to} 1`, 'times'], `${to} 2`),
      turned(`${to} 2`, to),
    ];
    const one = [node('Relu', ['x'], 'r'), ...repeat('r', 'a'), pairs('a', 'y')];
    const twice = [1, 2, 4, 8, 16, 32].flatMap((n) => [n, n]);
    const constants = [ints('one', 1), ints('times', 1, 3, 1)];
    expect(await ofVector(one, ...constants)).toEqual({ data: twice, shape: [1, 6, 2] });
    const two = [...repeat('x', 'a'), node('Neg', ['x'], 'n'), ...repeat('n', 'b'), pairs('a', 'c'), pairs('b', 'd'), node('Sub', ['c', 'd'], 'y')]; // prettier-ignore
    expect(await ofVector(two, ...constants)).toEqual({ data: twice.map((n) => 2 * n), shape: [1, 6, 2] });
  });

  test('each step several times, by a tile and a reshape', async () => {
    const nodes = [
      node('Unsqueeze', ['x', 'two'], 'a'),
      node('Tile', ['a', 'times'], 'b'),
      node('Reshape', ['b', 'shape'], 'c'),
      turned('c', 'd'),
      node('AveragePool', ['d'], 'y', { kernel_shape: [1] }),
    ];
    const constants = [ints('two', 2), ints('times', 1, 1, 2, 1), ints('shape', 0, -1, 2)];
    const x = { data: Float32Array.of(1, 2, 4, 8), shape: [1, 2, 2] };
    const given = await run(nodes, constants, x, [{ name: 'x', shape: ['b', 't', 2] }]);
    expect(given).toEqual({ data: [1, 1, 4, 4, 2, 2, 8, 8], shape: [1, 2, 4] });
  });

  test('features are tiled in their order; a batch is not', async () => {
    const tile = [node('Tile', ['x', 'times'], 'a'), node('Relu', ['a'], 'y')];
    const data = [1, 2, 4, 8, 16, 32, 1, 2, 4, 8, 16, 32];
    expect(await ofVector(tile, ints('times', 1, 2))).toEqual({ data, shape: [1, 12] });
    expect(await refusalOf(readOnnx(bytesOf(tile, [ints('times', 2, 1)])))).toMatch(/repeats .*supported: features/);
    expect(await refusalOf(readOnnx(bytesOf(tile, [ints('times', 2)])))).toMatch(/do not fit/);
    expect(await refusalOf(readOnnx(bytesOf(tile, [ints('times', 1, 2 ** 40)])))).toMatch(/more than \d+ parts/);
  });

  test('ids of free axes, averaged and repeated', async () => {
    const nodes = [
      node('Gather', ['table', 'x'], 'e'),
      node('ReduceMean', ['e'], 'm', { axes: [1], keepdims: 0 }),
      node('Unsqueeze', ['m', 'one'], 'u'),
      node('Tile', ['u', 'times'], 'y'),
    ];
    const constants = [tensor('table', [3, 1], [1, 3, 8]), ints('one', 1), ints('times', 1, 2, 1)];
    const x = { data: Int32Array.of(1, 2), shape: [1, 2] };
    const given = await run(nodes, constants, x, [{ name: 'x', shape: ['u1', 'u2'], dtype: 7 }]);
    expect(given).toEqual({ data: [5.5, 5.5], shape: [1, 2, 1] });
  });
});

describe('what the graph computes in the place of constants', () => {
  const eye = tensor(
    'eye',
    [6, 6],
    Array.from({ length: 36 }, (_, i) => Number(i % 7 === 0)),
  );

  test('Gemm adds computed values, beta times', async () => {
    const nodes = [
      node('MatMul', ['x', 'eye'], 'c'),
      node('Gemm', ['x', 'eye', 'c'], 'y', { alpha: { float: 2 }, beta: { float: 3 } }),
    ];
    expect(await ofVector(nodes, eye)).toEqual({ data: [5, 10, 20, 40, 80, 160], shape: [1, 6] });
  });

  const moments = [
    node('Reshape', ['x', 'rows'], 'r'),
    node('ReduceMean', ['r'], 'm', { axes: [0, 2, 3], keepdims: 1 }),
    node('Sub', ['r', 'm'], 'd'),
    node('ReduceSumSquare', ['d'], 's', { axes: [0, 2, 3], keepdims: 0 }),
    node('Div', ['s', 'six'], 'v'),
    node('Squeeze', ['m', 'others'], 'n'),
    node('BatchNormalization', ['r', 'gamma', 'beta', 'n', 'v'], 'b', { epsilon: { float: 1 } }),
    node('Reshape', ['b', 'flat'], 'y'),
  ];
  const constants = [ints('rows', 1, -1, 6, 1), ints('flat', -1, 6), ints('others', 0, 2, 3), tensor('six', [], [6])];

  test('BatchNormalization by the moments of each row is a layer normalization', async () => {
    const ones = (name: string, value: number) => tensor(name, [2], [value, value]);
    const x = { data: Float32Array.of(1, 2, 4, 8, 16, 32, 0, 0, 0, 0, 0, 6), shape: [2, 6] };
    const given = (await run(moments, [...constants, ones('gamma', 2), ones('beta', 1)], x)) as { data: number[] };
    const wanted = [0, 6].flatMap((from) => {
      const row = Array.from(x.data.subarray(from, from + 6));
      const mean = row.reduce((sum, n) => sum + n) / 6;
      const variance = row.reduce((sum, n) => sum + (n - mean) ** 2, 0) / 6;
      return row.map((n) => (2 * (n - mean)) / Math.sqrt(variance + 1) + 1);
    });
    given.data.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 5);
    });
    const other = tensor('gamma', [2], [1, 2]);
    expect(await refusalOf(readOnnx(bytesOf(moments, [...constants, other, ones('beta', 1)])))).toMatch(
      /a parameter that is not one number for all/,
    );
  });
});

describe('masks by comparison', () => {
  const bits = (op: string, inputs: string[], ...more: Node[]) => [node(op, inputs, 'e'), ...more, node('Cast', ['e'], 'y', { to: 1 })]; // prettier-ignore
  const four = tensor('four', [], [4]);
  const table = (rows: number) => tensor('table', [rows, 1], Array<number>(rows).fill(1));
  const IDS: Info[] = [{ name: 'x', shape: ['b', 't'], dtype: 7 }];
  const added = [node('Gather', ['table', 'x'], 'g'), node('Squeeze', ['g', 'two'], 's')];
  const compared = [node('Equal', ['x', 'one'], 'e'), node('Not', ['e'], 'n'), node('Cast', ['n'], 'c', { to: 1 })];
  const constants = [tensor('one', [], [1], 7), ints('two', 2), table(3)];

  test('where values are a number, and whether any of a row is not', async () => {
    expect(await ofVector(bits('Equal', ['x', 'four']), four)).toEqual({ data: [0, 0, 1, 0, 0, 0], shape: [1, 6] });
    const any = [
      ...compared
        .slice(0, 2)
        .map((one) => ({ ...one, inputs: one.inputs.map((name) => (name === 'one' ? 'four' : name)) })),
      node('Cast', ['n'], 'c', { to: 1 }),
      node('ReduceSum', ['c', 'axes'], 's', { keepdims: 1 }),
      node('Greater', ['s', 'zero'], 'g'),
      node('Cast', ['g'], 'y', { to: 1 }),
    ];
    const more = [four, tensor('zero', [], [0]), ints('axes', 1)];
    const x = { data: Float32Array.of(4, 4, 4, 4, 4, 4, 4, 4, 5, 4, 4, 3), shape: [2, 6] };
    expect(await run(any, more, x)).toEqual({ data: [0, 1], shape: [2, 1] });
  });

  test('ids, before and after an embedding reads them', async () => {
    const x = { data: Int32Array.of(0, 1, 2, 1), shape: [1, 4] };
    const wanted = { data: [2, 1, 2, 1], shape: [1, 4] };
    for (const nodes of [
      [...compared, ...added],
      [...added, ...compared],
    ])
      expect(await run([...nodes, node('Add', ['c', 's'], 'y')], constants, x, IDS)).toEqual(wanted);
    expect(await run([...compared, node('Relu', ['c'], 'y')], constants, x, IDS)).toEqual({
      data: [1, 0, 1, 0],
      shape: [1, 4],
    });
  });

  test('two computed values', async () => {
    const nodes = (op: string) => [node('Neg', ['x'], 'n'), node('Relu', ['x'], 'r'), ...bits(op, ['r', 'x'])];
    const x = { data: Float32Array.of(1, -2, 4, 0, 16, -32), shape: [1, 6] };
    for (const [op, data] of [
      ['Equal', [1, 0, 1, 1, 1, 0]],
      ['Greater', [0, 1, 0, 0, 0, 1]],
      ['Less', [0, 0, 0, 0, 0, 0]],
      ['GreaterOrEqual', [1, 1, 1, 1, 1, 1]],
      ['LessOrEqual', [1, 0, 1, 1, 1, 0]],
    ] as const)
      expect(await run(nodes(op), [], x), op).toEqual({ data, shape: [1, 6] });
  });
});
