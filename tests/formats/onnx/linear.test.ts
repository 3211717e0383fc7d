import { expect, test, vi } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { SpecBuilder } from '../../../ts/formats/onnx/builder.ts';
import { boundOf, Budget } from '../../../ts/formats/onnx/limits.ts';
import { columnTaker, takeColumns } from '../../../ts/formats/onnx/value.ts';
import { looks } from '../looks.ts';
import { onnxModel, tensor, type Model, type Node } from './build.ts';

const info = (name: string) => ({ name, shape: ['t', 'b', 4] });
const relu = (from: string, to: string, name = ''): Node => ({ op: 'Relu', inputs: [from], outputs: [to], name });
const count = (n: number, name: string) => Array.from({ length: n }, (_, i) => `${name}${i}`);

/** How a file grows: n of one thing. */
const FILES: Record<string, (n: number) => Model> = {
  'cells upon each other, of one step': (n) => ({
    nodes: count(n, 'h').flatMap((h, i): Node[] => [
      { op: 'MatMul', inputs: [i === 0 ? 'x' : `h${i - 1}n`, 'W'], outputs: [`u${i}`] },
      { op: 'MatMul', inputs: [h, 'W'], outputs: [`w${i}`] },
      { op: 'Add', inputs: [`u${i}`, `w${i}`], outputs: [`s${i}`] },
      { op: 'Tanh', inputs: [`s${i}`], outputs: [`${h}n`] },
    ]),
    inputs: ['x', ...count(n, 'h')].map((name) => ({ name, shape: ['b', 1] })),
    outputs: count(n, 'h').map((h) => `${h}n`),
    initializers: [tensor('W', [1, 1], [0.5])],
  }),
  'layers of one name': (n) => ({
    nodes: count(n, 'h').map((to, i) => relu(i === 0 ? 'x' : `h${i - 1}`, to, 'a')),
    inputs: [info('x')],
    outputs: [`h${n - 1}`],
  }),
  outputs: (n) => ({
    nodes: count(n, 'y').map((to) => relu('x', to)),
    inputs: [info('x')],
    outputs: count(n, 'y'),
  }),
  inputs: (n) => ({
    nodes: count(n, 'x').map((from, i) => relu(from, `y${i}`)),
    inputs: count(n, 'x').map(info),
    outputs: count(n, 'y'),
  }),
  'inputs that nothing reads': (n) => ({ nodes: [relu('x0', 'y')], inputs: count(n, 'x').map(info), outputs: ['y'] }),
};

test.each(Object.entries(FILES))('twice as many %s take at most 2.5 times the looks', async (_, make) => {
  const read = (n: number) => {
    const bytes = onnxModel(make(n));
    return () => readOnnx(bytes);
  };
  const [once, twice] = [await looks(read(400)), await looks(read(800))];
  expect(once).toBeGreaterThan(400);
  expect(twice / once).toBeLessThan(2.5);
});

/** A graph of one GRU node whose initial_h is the last of n nodes over a constant of n zeros, and n weights given. */
const nodesOverOneConstant = (n: number) =>
  onnxModel({
    nodes: [
      ...count(n, 'e').map((to): Node => ({ op: 'Expand', inputs: ['zeros', 'x'], outputs: [to] })),
      { op: 'Concat', inputs: count(n, 'e'), outputs: ['h0'], attributes: { axis: 0 } },
      { op: 'GRU', name: 'g', inputs: ['x', 'W', 'R', '', '', 'h0'], outputs: ['y'], attributes: { hidden_size: 1 } },
    ],
    inputs: [info('x'), ...count(n, 'u').map(info)],
    outputs: ['y'],
    initializers: [
      tensor('zeros', [n], new Float32Array(n)),
      tensor('W', [1, 3, 4], new Float32Array(12)),
      tensor('R', [1, 3, 1], new Float32Array(3)),
    ],
  });

test('twice as many nodes over a constant, and inputs given, take at most 2.5 times the looks', async () => {
  const read = (n: number) => {
    const bytes = nodesOverOneConstant(n);
    const given = { data: new Float32Array(4), shape: [1, 1, 4] };
    const initializers = Object.fromEntries(count(n, 'u').map((name) => [name, given]));
    return () => readOnnx(bytes, { options: { onnx: { node: 'g', initializers } } });
  };
  const [once, twice] = [await looks(read(400)), await looks(read(800))];
  expect(once).toBeGreaterThan(400);
  expect(twice / once).toBeLessThan(2.5);
});

test('layers of one name are numbered', () => {
  const builder = new SpecBuilder(new Budget(boundOf(0)));
  expect(['a', 'a', 'a_2', 'a', 'a:0', ''].map((name) => builder.name(name))).toEqual([
    'a',
    'a_1',
    'a_2',
    'a_3',
    'a_4',
    'layer',
  ]);
});

const perm = (count_: number) =>
  Array.from({ length: count_ }, (_, i): Node => ({
    op: 'Transpose',
    inputs: [i === 0 ? 'c' : `c${i}`],
    outputs: [`c${i + 1}`],
    attributes: { perm: [2, 0, 1] },
  }));

test('columns that are taken apart are budgeted: many transposes of many columns are refused', async () => {
  const cols = Array.from({ length: 2048 }, () => ['x', 'y']).flat();
  const file = (n: number) =>
    onnxModel({
      nodes: [{ op: 'Concat', inputs: cols, outputs: ['c'], attributes: { axis: 2 } }, ...perm(n), relu(`c${n}`, 'z')],
      inputs: ['x', 'y'].map((name) => ({ name, shape: ['t', 'b', 16] })),
      outputs: ['z'],
    });
  await expect(readOnnx(file(60))).rejects.toMatchObject({ code: 'unsupported', message: /more constants than/ });
});

test('a sum of many inputs, each with its list of inputs, is refused before the lists fill the memory', async () => {
  const n = 4000;
  const nodes = count(n, 's').map((to, i) => ({
    op: 'Add',
    inputs: [i === 0 ? 'x0' : `s${i - 1}`, `x${i}`],
    outputs: [to],
  }));
  const file = onnxModel({ nodes, inputs: count(n, 'x').map(info), outputs: [`s${n - 1}`] });
  await expect(readOnnx(file)).rejects.toMatchObject({ code: 'unsupported', message: /more constants than/ });
});

test('what a refused graph computes is bounded for all the ways in which it is read', async () => {
  const bounds = [0, 2_900_000, 1].map((value, i) => tensor(['s', 'e', 'd'][i]!, [], [value], 7));
  const file = onnxModel({
    nodes: [
      { op: 'Range', inputs: ['s', 'e', 'd'], outputs: ['r'] },
      { op: 'Add', inputs: ['x', 'r'], outputs: ['y'] },
    ],
    initializers: bounds,
    inputs: [info('x')],
    outputs: ['y'],
  });
  const from = vi.spyOn(Array, 'from');
  try {
    await expect(readOnnx(file)).rejects.toMatchObject({ code: 'unsupported' });
    const made = from.mock.calls.filter(([list]) => (list as ArrayLike<unknown>).length === 2_900_000);
    expect(made.length).toBeGreaterThan(0);
    expect(made.length).toBeLessThanOrEqual(4);
  } finally {
    from.mockRestore();
  }
});

test('parts of columns', () => {
  const columns = [
    { ref: 'a', start: 0, length: 3 },
    { ref: 'b', start: 5, length: 1 },
    { ref: 'c', start: 2, length: 4 },
  ];
  const all = columns.flatMap(({ ref, start, length }) => Array.from({ length }, (_, i) => `${ref}${start + i}`));
  const take = columnTaker(columns);
  for (let start = 0; start <= 8; start++) {
    for (let length = 0; start + length <= 8; length++) {
      const parts = take(start, length);
      expect(takeColumns(columns, start, length)).toEqual(parts);
      const names = parts.flatMap((part) =>
        Array.from({ length: part.length }, (_, i) => `${part.ref}${part.start + i}`),
      );
      expect(names).toEqual(all.slice(start, start + length));
    }
  }
});

test('steps that are flattened behind more features than are cut one by one are a layer each way', async () => {
  const [steps, hidden] = [70, 64];
  const zeros = (name: string, ...dims: number[]) => tensor(name, dims, Array<number>(dims.reduce((n, d) => n * d, 1)).fill(0)); // prettier-ignore
  const flattened = (behind: Node[]): Model => ({
    nodes: [
      { op: 'Transpose', inputs: ['x'], outputs: ['s'], attributes: { perm: [1, 0, 2] } },
      { op: 'RNN', inputs: ['s', 'W', 'R'], outputs: ['Y'], attributes: { hidden_size: hidden } },
      { op: 'Squeeze', inputs: ['Y', 'one'], outputs: ['h'] },
      { op: 'Transpose', inputs: ['h'], outputs: ['channels'], attributes: { perm: [1, 2, 0] } },
      { op: 'Flatten', inputs: ['channels'], outputs: ['flat'] },
      ...behind,
    ],
    inputs: [{ name: 'x', shape: ['b', steps, 2] }],
    outputs: ['y'],
    initializers: [zeros('W', 1, hidden, 2), zeros('R', 1, hidden, hidden), zeros('K', steps * hidden, 1), tensor('one', [1], [1], 7)], // prettier-ignore
  });
  const { spec } = await readOnnx(onnxModel(flattened([{ op: 'Gemm', inputs: ['flat', 'K'], outputs: ['y'] }])));
  expect(spec.layers.map(({ type }) => type)).toEqual(['rnn', 'flatten', 'dense']);
  await expect(readOnnx(onnxModel(flattened([relu('flat', 'y')])))).rejects.toThrow(/cut into more than 4096 parts/);
});
