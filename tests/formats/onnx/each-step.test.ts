import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Graph, type Info, type Node } from './build.ts';

/** What tf2onnx makes of Keras 3: ids that are counted from the end, layers that are written out for each step, loops over the steps of pooled values. */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const int = (value: number) => tensor(`${value}`, [], [value], 7);
const ints = (value: number) => tensor(`[${value}]`, [1], [value], 7);
const api = createApi(() => Promise.resolve(jsBackend));

describe('ids that count from the end of a table', () => {
  const bytes = (nodes: Node[], rows = 3) =>
    onnxModel({
      nodes: [...nodes, node('Gather', ['E', 'ids'], 'y')],
      inputs: [{ name: 'x', shape: ['b', 't'], dtype: 7 }],
      outputs: ['y'],
      initializers: [tensor('E', [3, 2], [1, 2, 3, 4, 5, 6]), int(0), int(1), int(3), int(4), tensor('0.0', [], [0]), tensor('rows', [], [rows], 7)], // prettier-ignore
    });
  const shifted = node('Add', ['x', 'rows'], 'shifted');
  const less = node('Less', ['x', '0'], 'below');
  const where = node('Where', ['below', 'shifted', 'x'], 'ids');
  const factors = (below: Node[]) => [
    shifted,
    ...below,
    node('Not', ['below'], 'above'),
    node('Cast', ['above'], 'p', { to: 6 }),
    node('Cast', ['below'], 'q', { to: 6 }),
    node('Mul', ['x', 'p'], 'a'),
    node('Mul', ['q', 'shifted'], 'b'),
    node('Add', ['b', 'a'], 'ids'),
  ];

  test.each<[string, Node[]]>([
    ['Where', [shifted, less, where]],
    ['Where of those from 0 on', [shifted, node('GreaterOrEqual', ['x', '0'], 'above'), node('Where', ['above', 'x', 'shifted'], 'ids')]], // prettier-ignore
    ['Greater', [shifted, node('Greater', ['0', 'x'], 'below'), where]],
    ['factors', factors([node('Cast', ['x'], 'f', { to: 1 }), node('Less', ['f', '0.0'], 'below')])],
  ])('by %s', async (_, nodes) => {
    using model = await api.loadModel(bytes(nodes));
    const run = (ids: number[]) =>
      Array.from(runOnnx(model, { x: { data: Int32Array.from(ids), shape: [1, ids.length] } })['y']!.data);
    expect(run([2, 0, 1])).toEqual([5, 6, 1, 2, 3, 4]);
    expect(() => run([2, -1])).toThrow(/-1/);
  });

  /** Ids, and the rows of the table that they are; undefined: none. */
  type Rows = [id: number, row: number | undefined][];
  test.each<[string, Rows, Node[], number?]>([
    [
      'another bound',
      [
        [2, 2],
        [1, 1],
        [0, undefined],
      ],
      [shifted, node('Less', ['x', '1'], 'below'), where],
    ],
    [
      'more rows than the table has',
      [
        [2, 2],
        [-2, 2],
        [-1, undefined],
      ],
      [shifted, less, where],
      4,
    ],
    [
      'the other way round',
      [
        [0, undefined],
        [-1, undefined],
      ],
      [shifted, less, node('Where', ['below', 'x', 'shifted'], 'ids')],
    ],
    [
      'ids that are cast to truth values',
      [
        [2, 2],
        [-1, undefined],
      ],
      [
        shifted,
        node('Cast', ['x'], 'f', { to: 9 }),
        node('Cast', ['f'], 'g', { to: 6 }),
        node('Less', ['g', '0'], 'below'),
        where,
      ],
    ],
    [
      'another product',
      [
        [2, 0],
        [-1, 1],
      ],
      factors([less]).map((one) => (one.name === 'a' ? node('Mul', ['x', 'q'], 'a') : one)),
    ],
  ])('%s is computed', async (_, rows, nodes, size) => {
    // prettier-ignore
    using model = await api.loadModel(bytes(nodes, size));
    const run = (id: number) =>
      Array.from(runOnnx(model, { x: { data: Int32Array.of(id), shape: [1, 1] } })['y']!.data);
    for (const [id, row] of rows) {
      if (row === undefined) expect(() => run(id)).toThrow(expect.objectContaining({ code: 'id_out_of_range' }));
      else expect(run(id)).toEqual([2 * row + 1, 2 * row + 2]);
    }
  });
});

describe('layers that are written out for each step', () => {
  const steps = (count: number, how: 'Slice' | 'Gather') =>
    Array.from({ length: count }, (_, t) =>
      how === 'Gather'
        ? [node('Gather', ['turned', `${t}`], `x${t}`)]
        : [
            node('Slice', ['turned', `[${t}]`, `[${t + 1}]`, '[0]'], `s${t}`),
            node('Squeeze', [`s${t}`, '[0]'], `x${t}`),
          ],
    ).flat();
  const dense = (t: number, weights = 'W') => [
    node('MatMul', [`x${t}`, weights], `m${t}`),
    node('Add', [`m${t}`, 'v'], `a${t}`),
    node('Softmax', [`a${t}`], `y${t}`, { axis: -1 }),
  ];
  interface Written {
    each?: (t: number) => Node[];
    order?: number[];
    how?: 'Slice' | 'Gather';
    axis?: number;
    shape?: Info['shape'];
    squeezed?: boolean;
  }
  /** Of tanh(x), by a recurrent node without recurrence: that these are steps, it says. */
  const bytes = ({ each = dense, order = [0, 1, 2], how, axis = 0, shape = ['b', 3, 2], squeezed = true }: Written) =>
    onnxModel({
      nodes: [
        node('Transpose', ['x'], 'steps', { perm: [1, 0, 2] }),
        { ...node('RNN', ['steps', 'I', 'R'], 'Y'), attributes: { hidden_size: 2 } },
        squeezed ? node('Squeeze', ['Y', '[1]'], 'turned') : node('Identity', ['Y'], 'turned'),
        ...steps(3, how ?? 'Slice'),
        ...[0, 1, 2].flatMap((t) => each(t)),
        ...[0, 1, 2].map((t) => node('Unsqueeze', [`y${t}`, `[${axis}]`], `u${t}`)),
        node('Concat', order.map((t) => `u${t}`), 'all', { axis }), // prettier-ignore
        squeezed ? node('Identity', ['all'], 'flat') : node('Squeeze', ['all', '[1]'], 'flat'),
        node('Transpose', ['flat'], 'y', { perm: axis === 0 ? [1, 0, 2] : [0, 1, 2] }),
      ],
      inputs: [{ name: 'x', shape }],
      outputs: ['y'],
      initializers: [...[0, 1, 2].map(int), ...[0, 1, 2, 3].map(ints), tensor('I', [1, 2, 2], [1, 0, 0, 1]), tensor('R', [1, 2, 2], [0, 0, 0, 0]), tensor('W', [2, 2], [1, 2, 3, 4]), tensor('W1', [2, 2], [1, 2, 3, 5]), tensor('v', [2], [0.5, -0.5]), tensor('one', [1, 1], [1])], // prettier-ignore
    });
  const gemm = (t: number) => [
    node('Gemm', [`x${t}`, 'W', 'v'], `a${t}`),
    node('Softmax', [`a${t}`], `y${t}`, { axis: 1 }),
  ];
  const x = { data: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)), shape: [2, 3, 2] };
  const wanted = Array.from({ length: 6 }, (_, row) => {
    const [p, q] = [Math.tanh(x.data[2 * row]!), Math.tanh(x.data[2 * row + 1]!)];
    const [a, b] = [Math.exp(p + 3 * q + 0.5), Math.exp(2 * p + 4 * q - 0.5)];
    return [a / (a + b), b / (a + b)];
  }).flat();

  test.each<[string, Written]>([
    ['slices', {}],
    ['entries', { how: 'Gather' }],
    ['Gemm', { each: gemm }],
    ['the batch first', { axis: 1 }],
  ])('are one over all steps: %s', async (_, written) => {
    using model = await api.loadModel(bytes(written));
    const { data, shape } = runOnnx(model, { x })['y']!;
    expect(shape).toEqual([2, 3, 2]);
    data.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 6);
    });
    expect(model.layers.filter(({ type }) => type === 'dense')).toHaveLength(1);
  });

  test('with moments of each row', async () => {
    const moments = (t: number) => [
      { ...node('ReduceMean', [`x${t}`], `m${t}`), attributes: { axes: [-1] } },
      node('Sub', [`x${t}`, `m${t}`], `y${t}`),
    ];
    using model = await api.loadModel(bytes({ each: moments }));
    const { data } = runOnnx(model, { x })['y']!;
    x.data.forEach((value, i) => {
      expect(data[i]).toBeCloseTo((Math.tanh(value) - Math.tanh(x.data[i ^ 1]!)) / 2, 6);
    });
  });

  const row =
    (t: number, [a, b, c, d] = [1, 2, 3, 4]) =>
    (sequence: number) => {
      const [p, q] = [0, 1].map((i) => Math.tanh(x.data[sequence * 6 + 2 * t + i]!)) as [number, number];
      const [u, v] = [Math.exp(p * a + q * c + 0.5), Math.exp(p * b + q * d - 0.5)];
      return [u / (u + v), v / (u + v)];
    };
  const sum = (t: number) => (sequence: number) =>
    [0, 1].map((i) => Math.tanh(x.data[sequence * 6 + 2 * t + i]!) + Math.tanh(x.data[sequence * 6 + i]!));

  test.each<[string, Written, ((sequence: number) => number[])[]]>([
    ['of other weights at one step', { each: (t) => dense(t, t === 1 ? 'W1' : 'W') }, [row(0), row(1, [1, 2, 3, 5]), row(2)]], // prettier-ignore
    ['in another order', { order: [2, 1, 0] }, [row(2), row(1), row(0)]],
    ['with a step twice', { order: [0, 1, 1] }, [row(0), row(1), row(1)]],
    ['with another step beside it', { each: (t) => [node('Add', [`x${t}`, 'x0'], `y${t}`)] }, [sum(0), sum(1), sum(2)]],
  ])('are taken by the numbers of the steps: %s', async (_, written, rows) => {
    using model = await api.loadModel(bytes(written));
    const { data } = runOnnx(model, { x })['y']!;
    const all = [0, 1].flatMap((sequence) => rows.flatMap((of) => of(sequence)));
    expect(Array.from(data)).toEqual(all.map((value) => expect.closeTo(value, 6) as number));
  });

  test.each<[string, Written]>([
    ['a mean over sequences', { each: (t) => [{ ...node('ReduceMean', [`x${t}`], `m${t}`), attributes: { axes: [0] } }, node('Sub', [`x${t}`, `m${t}`], `y${t}`)], shape: [2, 3, 2] }], // prettier-ignore
    ['a part of the steps', { shape: ['b', 4, 2] }],
    ['a number of steps that the file leaves open', { shape: ['b', 't', 2] }],
    ['more axes', { squeezed: false }],
    ['a product with rows', { each: (t) => [node('MatMul', ['one', `x${t}`], `y${t}`)], shape: [1, 3, 2] }],
    ['a softmax over sequences', { each: (t) => [node('Softmax', [`x${t}`], `y${t}`, { axis: 0 })], shape: [2, 3, 2] }], // prettier-ignore
  ])('%s is refused', async (_, written) => {
    expect(await refusalOf(readOnnx(bytes(written)))).toMatch(/unsupported: .* (node|input) '/);
  });
});

describe('a loop over the steps of a pooled value', () => {
  /** h' = tanh(x + h W), up to `limit`, of the step i or, from the end, `end` - i. */
  const bytes = ({ limit = 3, end = 0, after = [] as Node[] }) => {
    const body: Graph = {
      nodes: [
        node('Add', ['i', '1'], 'next i'),
        node('Less', ['next i', 'limit'], 'more'),
        ...(end > 0 ? [node('Sub', ['end', 'i'], 'at')] : [node('Identity', ['i'], 'at')]),
        node('Gather', ['steps', 'at'], 'v'),
        node('MatMul', ['h', 'W'], 'u'),
        node('Add', ['u', 'v'], 's'),
        node('Tanh', ['s'], 'next'),
        node('Identity', ['next'], 'out'),
      ],
      inputs: [
        { name: 'i', shape: [], dtype: 7 },
        { name: 'go', shape: [], dtype: 9 },
        { name: 'h', shape: ['b', 2] },
      ],
      outputs: ['more', 'next', 'out'],
    };
    const loop: Node = { op: 'Loop', inputs: ['', '', 'h0'], outputs: ['last', 'y'], name: 'loop', attributes: { body: { graph: body } } }; // prettier-ignore
    return onnxModel({
      nodes: [
        node('Transpose', ['x'], 'rows', { perm: [0, 2, 1] }),
        node('MaxPool', ['rows'], 'pooled', { kernel_shape: [2], strides: [2] }),
        node('Transpose', ['pooled'], 'steps', { perm: [2, 0, 1] }),
        loop,
        ...after,
      ],
      inputs: [{ name: 'x', shape: [2, 6, 2] }],
      outputs: [after.at(-1)?.name ?? 'last'],
      initializers: [tensor('W', [2, 2], [1, 2, 3, 4]), tensor('h0', [2, 2], [0, 0, 0, 0]), int(1), tensor('limit', [], [limit], 7), tensor('end', [], [end], 7), ints(1), ints(2), ints(0)], // prettier-ignore
    });
  };

  test.each([
    ['forward', {}],
    ['reverse', { end: 2 }],
  ])('goes %s', async (direction, options) => {
    const { layers } = (await readOnnx(bytes(options))).spec;
    expect(layers).toMatchObject([{ type: 'pool' }, { type: 'rnn', direction }]);
  });

  test.each<[string, Parameters<typeof bytes>[0], RegExp]>([
    ['fewer steps', { limit: 2 }, /Loop node 'loop': its condition \('more'\) ends it after 2 - 1 of floor\(\(time\) \/ 2\) steps/], // prettier-ignore
    ['as many as before', { limit: 6 }, /ends it after 6 - 1/],
    ['from behind the end', { end: 3 }, /Gather node 'v': takes something else than a sequence's step/],
    ['from before the end', { end: 1 }, /Gather node 'v': takes something else than a sequence's step/],
  ])('%s is refused', async (_, options, message) => {
    expect(await refusalOf(readOnnx(bytes(options)))).toMatch(message);
  });

  test('of two readings, what stops the one that gets further is refused', async () => {
    const after = [node('Slice', ['y', '[2]', '[1]', '[0]'], 'part')];
    expect(await refusalOf(readOnnx(bytes({ after })))).toMatch(/Slice node 'part': leaves nothing of axis 0/);
  });
});

describe('steps that are taken apart and repeated', () => {
  const bytes = (parts: string[], { shape = ['b', 3, 2] as Info['shape'], sizes = [] as number[] } = {}) =>
    onnxModel({
      opset: 13,
      nodes: [
        node('Transpose', ['x'], 'steps', { perm: [1, 0, 2] }),
        { ...node('RNN', ['steps', 'I', 'R'], 'Y'), attributes: { hidden_size: 2 } },
        node('Squeeze', ['Y', '[1]'], 'rows'),
        node('Transpose', ['rows'], 'h', { perm: [1, 0, 2] }),
        { op: 'Split', inputs: sizes.length > 0 ? ['h', 'sizes'] : ['h'], outputs: ['p0', 'p1', 'p2'], name: 'split', attributes: { axis: 1 } }, // prettier-ignore
        node('Concat', parts, 'all', { axis: 1 }),
        node('Identity', ['all'], 'y'),
      ],
      inputs: [{ name: 'x', shape }],
      outputs: ['y'],
      initializers: [ints(1), tensor('I', [1, 2, 2], [1, 0, 0, 1]), tensor('R', [1, 2, 2], [0, 0, 0, 0]), tensor('sizes', [sizes.length], sizes, 7)], // prettier-ignore
    });
  const twice = ['p0', 'p0', 'p1', 'p1', 'p2', 'p2'];

  test.each([[[]], [[1, 1, 1]]])('are an upsampling', async (sizes) => {
    using model = await api.loadModel(bytes(twice, { sizes }));
    const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [1, 3, 2] };
    const { data, shape } = runOnnx(model, { x })['y']!;
    expect(shape).toEqual([1, 6, 2]);
    [1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6].forEach((value, i) => {
      expect(data[i]).toBeCloseTo(Math.tanh(value), 6);
    });
  });

  test.each<[string, string[], Parameters<typeof bytes>[1]?]>([
    ['another order', ['p0', 'p0', 'p2', 'p2', 'p1', 'p1']],
    ['steps in turn', ['p0', 'p1', 'p2', 'p0', 'p1', 'p2']],
    ['one step less often', ['p0', 'p0', 'p1', 'p1', 'p2']],
    ['parts of two steps', twice, { shape: ['b', 6, 2] }],
    ['a number of steps that the file leaves open', twice, { shape: ['b', 't', 2] }],
    ['parts of differing sizes', twice, { shape: ['b', 4, 2], sizes: [1, 1, 2] }],
  ])('%s are refused', async (_, parts, options) => {
    expect(await refusalOf(readOnnx(bytes(parts, options)))).toMatch(/unsupported: .* node '/);
  });
});

test('values that are made of themselves, or of very many nodes, end in an error', async () => {
  const ids = { name: 'ids', shape: ['b', 't'], dtype: 7 };
  const table = [tensor('E', [3, 2], [1, 2, 3, 4, 5, 6]), int(0), int(3)];
  const bytes = (nodes: Node[]) => onnxModel({ nodes, inputs: [ids], outputs: ['y'], initializers: table });
  const shifted = node('Add', ['ids', '3'], 'shifted');
  const chosen = [
    node('Less', ['p', '0'], 'below'),
    node('Where', ['below', 'shifted', 'ids'], 'at'),
    node('Gather', ['E', 'at'], 'y'),
  ];
  const circle = [node('Identity', ['q'], 'p'), node('Identity', ['p'], 'q')];
  expect(await refusalOf(readOnnx(bytes([shifted, ...circle, ...chosen])))).toMatch(
    /invalid_file: Identity node 'q': reads 'p', which is computed of what it gives/,
  );
  const far = Array.from({ length: 20_000 }, (_, i) => node('Identity', [i === 0 ? 'ids' : `p${i}`], `p${i + 1}`));
  const long = [shifted, ...far, node('Identity', ['p20000'], 'p'), ...chosen];
  using model = await api.loadModel(bytes(long));
  const { y } = runOnnx(model, { ids: { data: Int32Array.of(2, -3), shape: [1, 2] } });
  expect(Array.from(y!.data)).toEqual([5, 6, 1, 2]);

  const steps = [0, 1].flatMap((t) => [
    node('Gather', ['x', `${t}`], `h${t} 0`),
    ...Array.from({ length: 20_000 }, (_, i) => node('Tanh', [`h${t} ${i}`], `h${t} ${i + 1}`)),
    node('Unsqueeze', [`h${t} 20000`, 'axis'], `u${t}`),
  ]);
  const whole = onnxModel({
    nodes: [...steps, node('Concat', ['u0', 'u1'], 'all', { axis: 0 }), { ...node('RNN', ['all', 'W', 'W'], 'y'), attributes: { hidden_size: 2 } }], // prettier-ignore
    inputs: [{ name: 'x', shape: ['t', 'b', 2] }],
    outputs: ['y'],
    initializers: [int(0), int(1), tensor('axis', [1], [0], 7), tensor('W', [1, 2, 2], [1, 0, 0, 1])],
  });
  expect((await readOnnx(whole)).spec.layers.length).toBeGreaterThan(40_000);
});
