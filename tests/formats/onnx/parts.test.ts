import { describe, expect, test } from 'vitest';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { createApi } from '../../../ts/api/create-api.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { onnxModel, tensor, type Attribute, type Info, type Node } from './build.ts';
import { runGraph } from './run.ts';
import { useAllKinds } from '../../../ts/layers/full.ts';

useAllKinds();

/** Parts of computed tensors, by indices and bounds that the file holds or that the graph computes of its shapes. */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const NUMBERS = [-(2 ** 40), 2 - 2 ** 31, 1 - 2 ** 31, -(10 ** 9), -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 10 ** 9 - 1, 10 ** 9, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 40]; // prettier-ignore
/** Constants by their numbers: `[1]` and the scalar `1`. */
const constants = NUMBERS.flatMap((n) => [tensor(`[${n}]`, [1], [n], 7), tensor(String(n), [], [n], 7)]);
/** The sizes that `x` has: T, B, and numbers made of them. */
const SIZES = [
  node('Shape', ['x'], 'shape'),
  node('Gather', ['shape', '0'], 'T'),
  node('Gather', ['shape', '1'], 'B'),
  ...[['Sub', 'T', '1'], ['Sub', 'T', '2'], ['Sub', 'B', '1'], ['Mul', 'T', '-1'], ['Mul', 'T', '2'], ['Add', 'T', '1'], ['Mul', 'T', 'B']]
    .map(([op, a, b]) => node(op!, [a!, b!], `${a!}${{ Sub: '-', Mul: '*', Add: '+' }[op!]!}${b!}`)),
  node('Sub', ['T*2', '1'], 'T*2-1'),
  node('Sub', ['T*B', '1'], 'T*B-1'),
  ...['T', 'T-1', 'T-2', 'B', 'T*2', 'T*2-1', 'T+1', 'T*-1'].map((name) => node('Unsqueeze', [name, '[0]'], `[${name}]`)),
]; // prettier-ignore

const FREE: Info[] = [{ name: 'x', shape: ['t', 'b', 3] }];
const BAKED: Info[] = [{ name: 'x', shape: [2, 1, 3] }];
/** Two steps of one sequence. */
const X = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 1, 3] };
const [FIRST, LAST] = [[1, 2, 3], [4, 5, 6]] as const; // prettier-ignore

/** y = relu(p), p being what the nodes make. */
const bytesOf = (nodes: Node[], inputs: Info[], opset: number) =>
  onnxModel({ opset, nodes: [...SIZES, ...nodes, node('Relu', ['p'], 'y')], inputs, outputs: ['y'], initializers: constants }); // prettier-ignore
const read = (nodes: Node[], inputs = FREE, opset = 17) => readOnnx(bytesOf(nodes, inputs, opset));
const api = createApi(() => Promise.resolve(jsBackend));
async function run(nodes: Node[], inputs = FREE, x = X): Promise<{ data: number[]; shape: number[] }> {
  using model = await api.loadModel(bytesOf(nodes, inputs, 17));
  const y = runOnnx(model, { x })['y']!;
  return { data: Array.from(y.data), shape: y.shape };
}
async function refused(nodes: Node[], message: RegExp, inputs = FREE): Promise<void> {
  await expect(read(nodes, inputs)).rejects.toMatchObject({
    name: 'GruError',
    message: expect.stringMatching(message) as string,
  });
}

const slice = (start: string, end: string, axis = 0, step = 1, from = 'x', to = 'p') =>
  node('Slice', [from, `[${start}]`, `[${end}]`, `[${axis}]`, `[${step}]`], to);
const gather = (index: string, axis = 0, from = 'x') => node('Gather', [from, index], 'p', { axis });

describe('steps by index', () => {
  test.each<[string, readonly number[], Info[]]>([
    ['0', FIRST, FREE],
    ['-1', LAST, FREE],
    ['T-1', LAST, FREE],
    ['1', LAST, BAKED],
    ['-2', FIRST, BAKED],
    ['T-1', LAST, BAKED],
    ['T*-1', FIRST, FREE],
    ['1', LAST, FREE],
    ['-2', FIRST, FREE],
    ['T-2', FIRST, FREE],
  ])('%s', async (index, wanted, inputs) => {
    expect(await run([gather(index)], inputs)).toEqual({ data: wanted, shape: [1, 3] });
  });

  test('of a sequence that has not so many are no numbers', async () => {
    const three = { data: Float32Array.from({ length: 9 }, (_, i) => i), shape: [3, 1, 3] };
    for (const [index, wanted] of [['2', [6, 7, 8]], ['-3', [0, 1, 2]]] as const) {
      expect((await run([gather(index)], FREE, three)).data).toEqual(wanted);
      expect((await run([gather(index)])).data).toEqual([NaN, NaN, NaN]);
    }
  }); // prettier-ignore

  test.each(['T*2-1', 'T*B-1', 'B-1', 'T', 'T+1'])('refused: %s', async (index) => {
    await refused([gather(index)], /Gather.*picks .* of the time axis/);
  });

  test('refused: a sequence by index', async () => {
    await refused([gather('0', 1)], /of the batch axis/);
  });
});

describe('steps by a range', () => {
  test.each<[string, string, readonly number[], Info[]]>([
    ['0', '1', FIRST, FREE],
    ['-1', '2147483647', LAST, FREE],
    ['T-1', 'T', LAST, FREE],
    ['-1', 'T', LAST, FREE],
    ['T-1', '1099511627776', LAST, FREE],
    ['1', '2', LAST, BAKED],
    ['-1', '2', LAST, BAKED],
    ['0', '-1', FIRST, BAKED],
    ['-2', '1', FIRST, BAKED],
  ])('%s to %s', async (start, end, wanted, inputs) => {
    expect(await run([slice(start, end)], inputs)).toEqual({ data: wanted, shape: [1, 1, 3] });
  });

  test.each([
    ['0', 'T'],
    ['0', '2'],
    ['0', '1000000000'],
    ['0', '2147483647'],
    ['0', '1099511627776'],
  ])('%s to %s: all', async (start, end) => {
    expect(await run([slice(start, end)])).toEqual({ data: [...FIRST, ...LAST], shape: [2, 1, 3] });
  });

  const five = { data: Float32Array.from({ length: 5 }, (_, i) => i), shape: [5, 1, 1] };
  const ofFive = async (start: string, end: string, steps: number | string) =>
    (await run([slice(start, end)], [{ name: 'x', shape: [steps, 'b', 1] }], five)).data;
  test('by their numbers', async () => {
    expect(await ofFive('1', '3', 't')).toEqual([1, 2]);
    expect(await ofFive('3', '4', 't')).toEqual([3]);
    expect(await ofFive('1', '3', 5)).toEqual([1, 2]);
    expect(await ofFive('-4', '3', 5)).toEqual([1, 2]);
    expect(await ofFive('2', '999999999', 5)).toEqual([2, 3, 4]);
    expect((await run([slice('1', '4')], FREE)).data).toEqual(Array(9).fill(NaN));
    await expect(run([slice('0', '3')], [{ name: 'x', shape: [5, 'b', 3] }])).rejects.toThrow(
      /expected shape \[5, batch/,
    );
  });

  test.each<[string, string, number, Info[]]>([
    ['-1', '1', 1, FREE],
    ['-1', '999999999', 1, FREE],
    ['0', '999999999', 1, FREE],
    ['0', 'B', 1, FREE],
    ['0', '1', 2, FREE],
    ['-1', 'T', 2, FREE],
    ['0', '-2147483647', -1, FREE],
    ['-2', '-2147483647', -1, FREE],
    ['-1', 'T', -1, FREE],
    ['-1', '-2147483647', -2, FREE],
  ])('refused: %s to %s by %s', async (start, end, step, inputs) => {
    await refused([slice(start, end, 0, step)], /Slice.*of the time axis/, inputs);
  });

  test('refused: sequences', async () => {
    await refused([slice('0', '1', 1)], /Slice.*of the batch axis/);
  });
});

describe('steps turned round', () => {
  test.each([
    ['-1', '-2147483647'],
    ['2147483647', '-1099511627776'],
    ['1099511627776', '-1099511627776'],
  ])('%s to %s', async (start, end) => {
    const turn = slice(start, end, 0, -1, 'x', 'r');
    expect((await run([turn, gather('0', 0, 'r')])).data).toEqual(LAST);
    expect((await run([turn, gather('-1', 0, 'r')])).data).toEqual(FIRST);
    expect((await run([turn, slice('0', '1', 0, 1, 'r')])).data).toEqual(LAST);
    const again = slice(start, end, 0, -1, 'r', 's');
    expect((await run([turn, again, gather('0', 0, 's')])).data).toEqual(FIRST);
    expect(await run([turn, again, node('Identity', ['s'], 'p')])).toEqual({ data: [...FIRST, ...LAST], shape: [2, 1, 3] }); // prettier-ignore
  });

  test('are put beside steps that are not', async () => {
    const turn = slice('-1', '-2147483647', 0, -1, 'x', 'r');
    const beside = [turn, node('Concat', ['x', 'r'], 'q', { axis: 2 })];
    expect((await run([...beside, gather('0', 0, 'q')])).data).toEqual([...FIRST, ...LAST]);
    expect((await run([...beside, gather('-1', 0, 'q')])).data).toEqual([...LAST, ...FIRST]);
    const sum = [turn, node('Add', ['x', 'r'], 'q'), gather('0', 0, 'q')];
    expect((await run(sum)).data).toEqual(FIRST.map((x, i) => x + LAST[i]!));
    const both = [turn, node('Concat', ['r', 'r'], 'r2', { axis: 2 }), gather('0', 0, 'r2')];
    expect((await run(both)).data).toEqual([...LAST, ...LAST]);
  });
});

describe('features', () => {
  const list = (name: string, ...values: number[]) => tensor(name, [values.length], values, 7);
  const pick = async (indices: Uint8Array, x: { data: Float32Array; shape: number[] }, axis: number) => {
    const bytes = onnxModel({ nodes: [gather('i', axis), node('Relu', ['p'], 'y')], inputs: [{ name: 'x', shape: ['t', 'b', ...x.shape.slice(2)] }], outputs: ['y'], initializers: [indices] }); // prettier-ignore
    const { y } = runGraph(jsBackend, await readOnnx(bytes), { x });
    return { data: Array.from(y!.data), shape: y!.shape };
  };

  test('by index, from either end, one of which loses its axis', async () => {
    expect(await pick(list('i', -3, 2), X, 2)).toEqual({ data: [1, 3, 4, 6], shape: [2, 1, 2] });
    expect(await pick(tensor('i', [], [1], 7), X, 2)).toEqual({ data: [2, 5], shape: [2, 1] });
    const square = { data: Float32Array.from({ length: 6 }, (_, i) => i), shape: [1, 1, 2, 3] };
    expect(await pick(list('i', 1, 0), square, 2)).toEqual({ data: [3, 4, 5, 0, 1, 2], shape: [1, 1, 2, 3] });
    expect(await pick(tensor('i', [], [-1], 7), square, 3)).toEqual({ data: [2, 5], shape: [1, 1, 2] });
    const single = { data: Float32Array.of(7), shape: [1, 1, 1] };
    expect(await pick(list('i', 0, 0), single, 2)).toEqual({ data: [7, 7], shape: [1, 1, 2] });
  });

  test.each([
    ['past the end', list('i', 3), /index 3 is outside/],
    ['before the start', list('i', -4), /index -4 is outside/],
    ['in a matrix', tensor('i', [1, 2], [0, 1], 7), /indices have 2 dimensions/],
  ])('by index are refused: %s', async (_, indices, message) => {
    await expect(pick(indices, X, 2)).rejects.toThrow(message);
  });

  test.each<[number, number, number, number[]]>([
    [0, 2, 1, [1, 2, 4, 5]],
    [-2, 4, 1, [2, 3, 5, 6]],
    [0, 4, 2, [1, 3, 4, 6]],
    [2, -4, -1, [3, 2, 1, 6, 5, 4]],
    [4, 0, -1, [3, 2, 6, 5]],
    [-1, -3, -1, [3, 2, 6, 5]],
    [2, 0, -2, [3, 6]],
    [-5, 1, 1, [1, 4]],
  ])('%s to %s by %s', async (start, end, step, wanted) => {
    const { data } = await run([slice(String(start), String(end), 2, step)]);
    expect(data).toEqual(wanted);
  });

  test('of an empty range are refused', async () => {
    await refused([slice('2', '1', 2)], /leaves nothing of axis 2/);
    await refused([slice('1', '2', 2, -1)], /leaves nothing of axis 2/);
    await refused([slice('0', 'T', 2, 2)], /a range up to time of an axis of 3/);
  });

  test.each([
    ['Slice', ['x', '[0]']],
    ['Slice', ['x', '[0]', '[1]', '[0]', '[0]']],
    ['Slice', ['x', '[0]', '[1]', '[0]', '[T]']],
    ['Slice', ['x', '[0]', '[1]', '[3]']],
    ['Slice', ['x', 'shape', '[1]']],
    ['Slice', ['x', '[0]', 'shape']],
    ['Slice', ['x', '[0]', '[1]', 'shape']],
    ['Slice', ['x', '[0]', '[1]', '[0]', 'shape']],
  ])('%s of %j is refused', async (op, inputs) => {
    await refused([node(op, inputs, 'p')], /Slice/);
  });
});

describe('rows of a table', () => {
  const ids: Info[] = [{ name: 'ids', shape: ['b', 't'], dtype: 7 }];
  const table = (shape: number[], data: number[]) => tensor('table', shape, data);
  const look = (nodes: Node[], initializers: Uint8Array[], inputs = ids) =>
    readOnnx(onnxModel({ nodes, inputs, outputs: ['y'], initializers: [...initializers, ...constants] }));
  const lookup = (axis = 0, name = 'look'): Node => ({ ...node('Gather', ['table', 'ids'], 'y', { axis }), name });

  test('by id', async () => {
    const model = await look([lookup()], [table([3, 2], [0, 1, 2, 3, 4, 5])]);
    expect(model.spec.layers[0]).toMatchObject({ name: 'look', type: 'embedding', vocabularySize: 3, outputSize: 2 });
    const { y } = runGraph(jsBackend, model, { ids: { data: Int32Array.of(2, 0), shape: [1, 2] } });
    expect(y).toEqual({ data: Float32Array.of(4, 5, 0, 1), shape: [1, 2, 2] });
    expect(model.report.tensors).toMatchObject([{ source: 'table', target: 'look/embeddings' }]);
    const unnamed = await look([lookup(0, '')], [table([3, 2], [0, 1, 2, 3, 4, 5])]);
    expect(unnamed.spec.layers[0]!.name).toBe('y');
  });

  test.each<[string, number, number[], Info[], RegExp]>([
    ['along the columns', 1, [3, 2], ids, /picks from a table \[3, 2\] along axis 1/],
    ['of a list', 0, [6], ids, /picks from a table \[6\] along axis 0/],
    ['by floats', 0, [3, 2], [{ name: 'ids', shape: ['b', 't'] }], /takes ids|cannot be read/],
  ])('refused: %s', async (_, axis, shape, inputs, message) => {
    await expect(look([lookup(axis)], [table(shape, [0, 1, 2, 3, 4, 5])], inputs)).rejects.toThrow(message);
  });

  test('refused: by ids from a computed value', async () => {
    await expect(look([node('Gather', ['x', 'ids'], 'y')], [], [...ids, ...FREE])).rejects.toThrow(/from a computed value/); // prettier-ignore
  });
});

describe('side by side', () => {
  const join = (inputs: string[], axis: number, nodes: Node[] = [], shape: number[] = [3]) =>
    readOnnx(onnxModel({ nodes: [...nodes, node('Concat', inputs, 'p', { axis }), node('Relu', ['p'], 'y')], inputs: [{ name: 'x', shape: ['t', 'b', ...shape] }], outputs: ['y'], initializers: [...constants, tensor('c', [1, 1, 3], [1, 2, 3])] })); // prettier-ignore

  test('along axes of features, each before those behind it', async () => {
    const x = { data: Float32Array.of(1, 2, 3, 4), shape: [1, 1, 2, 2] };
    const double = node('Add', ['x', 'x'], 'double');
    for (const [axis, data] of [[2, [1, 2, 3, 4, 2, 4, 6, 8]], [3, [1, 2, 2, 4, 3, 4, 6, 8]]] as const) {
      const { y } = runGraph(jsBackend, await join(['x', 'double'], axis, [double], [2, 2]), { x });
      expect(Array.from(y!.data)).toEqual(data);
    }
  }); // prettier-ignore

  test.each<[string, string[], number, RegExp]>([
    ['of steps', ['x', 'x'], 0, /along axis 0; supported: features/],
    ['of sequences', ['x', 'x'], 1, /along axis 1; supported: features/],
    ['of a constant', ['x', 'c'], 2, /a constant beside a computed value/],
    ['of other dimensions', ['x', '[0]'], 2, /differing numbers of dimensions/],
  ])('refused: %s', async (_, inputs, axis, message) => {
    await expect(join(inputs, axis)).rejects.toThrow(message);
  });

  test('of one is that one', async () => {
    const { y } = runGraph(jsBackend, await join(['x'], 0), { x: X });
    expect(y).toEqual(X);
  });

  test('in at most 4096 rows', async () => {
    await expect(join(['x', 'x'], 3, [], [4097, 1])).rejects.toThrow(/interleaves 4097 parts/);
    await expect(join(['x', 'x'], 3, [], [4096, 1])).rejects.toThrow(/cut into more than 4096 parts/);
    await expect(join(['x', 'x'], 3, [], [2048, 1])).resolves.toBeDefined();
  });
});

describe('comparisons of sizes', () => {
  /** y = x + 1 where it holds, x + 2 where not. */
  const holds = async (op: string, a: string, b: string, inputs = FREE) => {
    const nodes = [node(op, [a, b], 'c'), node('Where', ['c', '1', '2'], 'w'), node('Cast', ['w'], 'f', { to: 1 }), node('Add', ['x', 'f'], 'p')]; // prettier-ignore
    const { y } = runGraph(jsBackend, await read(nodes, inputs), { x: X });
    return y!.data[0] === 2;
  };
  test.each<[string, string, string, boolean, Info[]?]>([
    ['Less', '0', 'T', true],
    ['Less', '-1', 'T', true],
    ['Less', 'T', '0', false],
    ['Less', '-1', 'T+1', true],
    ['Less', 'T+1', '-1', false],
    ['Greater', 'T', '0', true],
    ['Greater', '0', 'T', false],
    ['Less', 'T', '3', true, BAKED],
    ['Less', 'T', '2', false, BAKED],
    ['Less', '1', 'T', true, BAKED],
    ['Less', 'B', 'T', true, BAKED],
    ['Equal', 'T', '2', true, BAKED],
    ['Equal', 'T', '-1', false],
    ['Equal', 'T', 'T', true],
  ])('%s %s %s: %s', async (op, a, b, wanted, inputs) => {
    expect(await holds(op, a, b, inputs)).toBe(wanted);
  });

  test.each([
    ['Less', '1', 'T'],
    ['Less', 'T', '1'],
    ['Less', '0', 'T-1'],
    ['Less', 'T-1', '0'],
    ['Less', '0', 'T*-1'],
    ['Less', 'T*-1', '0'],
    ['Less', 'B', 'T'],
    ['Equal', 'T', 'B'],
    ['Equal', 'T', '2'],
  ])('refused: %s %s %s', async (op, a, b) => {
    await expect(holds(op, a, b)).rejects.toThrow(new RegExp(op));
  });
});
