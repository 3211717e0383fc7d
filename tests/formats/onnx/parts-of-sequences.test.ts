import { describe, expect, test } from 'vitest';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { createApi } from '../../../ts/api/create-api.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';

/** Recurrent nodes whose sequences are parts of a run's, and what is computed along one of several axes of features. */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const ints = (name: string, ...values: number[]) => tensor(name, [values.length], values, 7);
const numbers = (length: number, seed = 1) => Float32Array.from({ length }, (_, i) => Math.sin(seed + 2.7 * i));
const [STEPS, INNER, SIZE, HIDDEN] = [4, 3, 2, 2];
const X = { data: numbers(2 * STEPS * INNER * SIZE), shape: [2, STEPS, INNER, SIZE] };

const CELLS = { GRU: 3, LSTM: 4, RNN: 1 } as const;
type Op = keyof typeof CELLS;
const weightsOf = (op: Op, directions: number) => [
  tensor('W', [directions, CELLS[op] * HIDDEN, SIZE], numbers(directions * CELLS[op] * HIDDEN * SIZE, 5)),
  tensor('R', [directions, CELLS[op] * HIDDEN, HIDDEN], numbers(directions * CELLS[op] * HIDDEN * HIDDEN, 9)),
];
const cell = (op: Op, direction: string, inputs: string[] = ['W', 'R']): Node => ({
  ...node(op, ['turned', ...inputs], '', { hidden_size: HIDDEN, direction }),
  outputs: ['Y', 'Y_h'],
});

const api = createApi(() => Promise.resolve(jsBackend));
const run = async (bytes: Uint8Array, x: { data: Float32Array; shape: number[] }) => {
  using model = await api.loadModel(bytes);
  return runOnnx(model, { x });
};
const directionsOf = (direction: string) => (direction === 'bidirectional' ? 2 : 1);

/** The same node on sequences that are given as such, (sequences, steps, features): all of each sequence, and what it ends in. */
async function alone(op: Op, direction: string, x: { data: Float32Array; shape: [number, number, number] }) {
  const result = await run(
    onnxModel({
      nodes: [node('Transpose', ['x'], 'turned', { perm: [1, 0, 2] }), cell(op, direction)],
      inputs: [{ name: 'x', shape: ['b', 't', SIZE] }],
      outputs: ['Y', 'Y_h'],
      initializers: weightsOf(op, directionsOf(direction)),
    }),
    x,
  );
  const [count] = x.shape;
  const of = ({ data }: { data: ArrayLike<number> }) =>
    Array.from(
      { length: count },
      (_, n) =>
      Array.from({ length: data.length / count }, (_v, i) => data[Math.floor(i / HIDDEN) * count * HIDDEN + n * HIDDEN + (i % HIDDEN)]!), // prettier-ignore
    ).flat();
  return { all: of(result['Y']!), end: of(result['Y_h']!) };
}

/** (batch, steps, inner, size) as sequences of `inner` steps each (`of: 'steps'`), or of the steps of each inner place. */
const bytes = (
  op: Op,
  direction: string,
  of: 'steps' | 'places',
  more: { inner?: number; inputs?: string[]; weights?: Uint8Array[] } = {},
) =>
  // prettier-ignore
  onnxModel({
    nodes: [
      node('Shape', ['x'], 'shape'),
      node('Slice', ['shape', '[0]', '[1]'], 'B'),
      node('Slice', ['shape', '[1]', '[2]'], 'T'),
      node('Transpose', ['x'], 'ordered', { perm: of === 'steps' ? [0, 1, 2, 3] : [0, 2, 1, 3] }),
      node('Concat', ['[-1]', of === 'steps' ? 'inner' : 'T', 'size'], 'joined', { axis: 0 }),
      node('Reshape', ['ordered', 'joined'], 'sequences'),
      node('Transpose', ['sequences'], 'turned', { perm: [1, 0, 2] }),
      cell(op, direction, more.inputs),
      node('Transpose', ['Y'], 'back', { perm: [2, 0, 1, 3] }),
      node('Concat', of === 'steps' ? ['B', 'T', '[-1]'] : ['B', 'inner', 'T', '[-1]'], 'apart', { axis: 0 }),
      node('Reshape', ['back', 'apart'], 'all'),
      node('Transpose', ['Y_h'], 'last', { perm: [1, 0, 2] }),
      node('Concat', ['B', of === 'steps' ? 'T' : 'inner', '[-1]'], 'of last', { axis: 0 }),
      node('Reshape', ['last', 'of last'], 'end'),
    ],
    inputs: [{ name: 'x', shape: ['b', 't', more.inner ?? INNER, SIZE] }],
    outputs: ['all', 'end'],
    initializers: [ints('[-1]', -1), ints('[0]', 0), ints('[1]', 1), ints('[2]', 2), ints('inner', more.inner ?? INNER), ints('size', SIZE), ...weightsOf(op, directionsOf(direction)), ...(more.weights ?? [])], // prettier-ignore
  });

describe.each<Op>(['GRU', 'LSTM', 'RNN'])('%s', (op) => {
  test.each(['forward', 'reverse', 'bidirectional'])('%s, over the steps of each step', async (direction) => {
    const { all, end } = await run(bytes(op, direction, 'steps'), X);
    const wanted = await alone(op, direction, { data: X.data, shape: [2 * STEPS, INNER, SIZE] });
    expect(Array.from(all!.data)).toEqual(wanted.all);
    expect(Array.from(end!.data)).toEqual(wanted.end);
  });

  test.each(['forward', 'reverse', 'bidirectional'])('%s, over the steps of each place', async (direction) => {
    const { all, end } = await run(bytes(op, direction, 'places'), X);
    const turned = Float32Array.from(X.data, (_, i) => {
      const [c, t, p, b] = [i % SIZE, Math.floor(i / SIZE) % STEPS, Math.floor(i / SIZE / STEPS) % INNER, Math.floor(i / SIZE / STEPS / INNER)]; // prettier-ignore
      return X.data[((b * STEPS + t) * INNER + p) * SIZE + c]!;
    });
    const wanted = await alone(op, direction, { data: turned, shape: [2 * INNER, STEPS, SIZE] });
    expect(Array.from(all!.data)).toEqual(wanted.all);
    expect(Array.from(end!.data)).toEqual(wanted.end);
  });
});

test('a stored initial state is that of each part', async () => {
  const h0 = tensor('h0', [1, 1, HIDDEN], [0.5, -0.25]);
  const given = { inputs: ['W', 'R', '', '', 'h0'], weights: [h0] };
  const { end } = await run(bytes('GRU', 'forward', 'steps', given), X);
  const { end: plain } = await run(bytes('GRU', 'forward', 'steps'), X);
  expect(Array.from(end!.data)).not.toEqual(Array.from(plain!.data));
  const { all } = await run(bytes('GRU', 'forward', 'places', given), X);
  expect(all!.data[0]).toBe(end!.data[0]! + all!.data[0]! - end!.data[0]!);
});

test('more places than are read one by one are refused', async () => {
  expect(await refusalOf(readOnnx(bytes('GRU', 'forward', 'places', { inner: 65 })))).toMatch(/reads 65 sequences of each; supported: 64/); // prettier-ignore
});

describe('along one of several axes of features', () => {
  /** Of (batch, steps, 2, 3) that an operator with a matrix made. */
  const of = (op: string, axis: number, attributes: Record<string, Attribute> = {}) =>
    run(
      onnxModel({
        opset: 17,
        nodes: [
          node('MatMul', ['x', 'W'], 'm'),
          node('Concat', ['front', 'parts'], 'target', { axis: 0 }),
          node('Reshape', ['m', 'target'], 'four'),
          node(op, ['four'], 'p', op.startsWith('Reduce') ? { axes: [axis], keepdims: 1, ...attributes } : { axis, ...attributes }), // prettier-ignore
          node('Identity', ['p'], 'y'),
        ],
        inputs: [{ name: 'x', shape: ['b', 't', 6] }],
        outputs: ['y'],
        initializers: [tensor('W', [6, 6], Float32Array.from({ length: 36 }, (_, i) => Number(i % 7 === 0))), ints('front', 0, 0), ints('parts', 2, 3)], // prettier-ignore
      }),
      { data: numbers(12), shape: [1, 2, 6] },
    );
  const x = numbers(12);
  const rows = (axis: number) =>
    axis === 3 ? [0, 3, 6, 9].map((i) => [i, i + 1, i + 2]) : [0, 1, 2, 6, 7, 8].map((i) => [i, i + 3]);

  test.each<[string, number, (row: number[]) => number[]]>([
    ['Softmax', 3, (row) => row.map((v) => Math.exp(v) / row.reduce((sum, u) => sum + Math.exp(u), 0))],
    ['Softmax', 2, (row) => row.map((v) => Math.exp(v) / row.reduce((sum, u) => sum + Math.exp(u), 0))],
    ['LogSoftmax', 3, (row) => row.map((v) => v - Math.log(row.reduce((sum, u) => sum + Math.exp(u), 0)))],
    ['ReduceL2', 3, (row) => [Math.hypot(...row)]],
    ['ReduceL2', 2, (row) => [Math.hypot(...row)]],
    ['ReduceProd', 3, (row) => [row.reduce((product, v) => product * v, 1)]],
  ])('%s of axis %i', async (op, axis, f) => {
    const { y } = await of(op, axis);
    const made = rows(axis).map((places) => ({ places, values: f(places.map((i) => x[i]!)) }));
    if (op.startsWith('Reduce')) {
      expect(Array.from(y!.data)).toEqual(made.map(({ values }) => expect.closeTo(values[0]!, 5) as number));
      return;
    }
    for (const { places, values } of made)
      places.forEach((at, i) => {
        expect(y!.data[at]).toBeCloseTo(values[i]!, 6);
      });
  });
});

test('a convolution of as many positions as there were, in each step', async () => {
  const { y } = await run(
    onnxModel({
      nodes: [
        node('Shape', ['x'], 'shape'),
        node('Slice', ['shape', '[0]', '[2]'], 'front'),
        node('Reshape', ['x', 'each'], 'rows'),
        node('Conv', ['rows', 'K'], 'convolved', { kernel_shape: [3], pads: [1, 1] }),
        node('Concat', ['front', '[3]'], 'back', { axis: 0 }),
        node('Reshape', ['convolved', 'back'], 'y'),
      ],
      inputs: [{ name: 'x', shape: ['b', 't', 3] }],
      outputs: ['y'],
      initializers: [ints('[0]', 0), ints('[2]', 2), ints('[3]', 3), ints('each', -1, 1, 3), tensor('K', [1, 1, 3], [1, 10, 100])], // prettier-ignore
    }),
    { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [1, 2, 3] },
  );
  expect(Array.from(y!.data)).toEqual([210, 321, 32, 540, 654, 65]);
});

test('Sin and Cos of what is computed', async () => {
  const x = numbers(6);
  for (const [op, f] of [
    ['Sin', Math.sin],
    ['Cos', Math.cos],
  ] as const) {
    const nodes = [node(op, ['x'], 'y')];
    const { y } = await run(onnxModel({ nodes, inputs: [{ name: 'x', shape: ['b', 't', 2] }], outputs: ['y'] }), { data: x, shape: [1, 3, 2] }); // prettier-ignore
    expect(Array.from(y!.data)).toEqual(Array.from(x, (value) => expect.closeTo(f(value), 6) as number));
  }
});

describe('a constant that has a row for each step', () => {
  /** 1 to 3 of three steps, beside (batch, 3 steps, 2 features). */
  const of = (op: string, shape: number[], isFirst: boolean, steps: number | string = 3) =>
    onnxModel({
      nodes: [
        node('Transpose', ['x'], 'turned', { perm: [1, 0, 2] }),
        { ...node('RNN', ['turned', 'I', 'O'], 'Y'), attributes: { hidden_size: 2 } },
        node('Squeeze', ['Y', '[1]'], 'rows'),
        node('Transpose', ['rows'], 'h', { perm: [1, 0, 2] }),
        node(op, isFirst ? ['P', 'h'] : ['h', 'P'], 'y'),
      ],
      inputs: [{ name: 'x', shape: ['b', steps, 2] }],
      outputs: ['y'],
      initializers: [ints('[1]', 1), tensor('I', [1, 2, 2], [1, 0, 0, 1]), tensor('O', [1, 2, 2], [0, 0, 0, 0]), tensor('P', shape, Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i + 1))], // prettier-ignore
    });
  const x = { data: numbers(12), shape: [2, 3, 2] };

  test.each<[string, number[], boolean, (h: number, t: number, j: number) => number]>([
    ['Add', [1, 3, 2], false, (h, t, j) => h + 2 * t + j + 1],
    ['Add', [3, 2], false, (h, t, j) => h + 2 * t + j + 1],
    ['Mul', [3, 1], true, (h, t) => h * (t + 1)],
    ['Sub', [1, 3, 1], true, (h, t) => t + 1 - h],
    ['Div', [3, 1], false, (h, t) => h / (t + 1)],
  ])('%s of %j, first: %s', async (op, shape, isFirst, f) => {
    const { y } = await run(of(op, shape, isFirst), x);
    const wanted = Array.from(x.data, (v, i) => f(Math.tanh(v), Math.floor(i / 2) % 3, i % 2));
    expect(Array.from(y!.data)).toEqual(wanted.map((value) => expect.closeTo(value, 5) as number));
  });

  test('which a run of more steps is not', async () => {
    using model = await api.loadModel(of('Add', [3, 2], false));
    expect(() => model.run({ data: numbers(8), shape: [1, 4, 2] })).toThrow(
      expect.objectContaining({ code: 'id_out_of_range' }),
    );
  });

  test('of steps that the file leaves open is refused', async () => {
    expect(await refusalOf(readOnnx(of('Add', [3, 2], false, 't')))).toMatch(/differs from step to step/);
  });
});
