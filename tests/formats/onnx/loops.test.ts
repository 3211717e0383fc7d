import { expect, test } from 'vitest';
import { createModel } from '../../../ts/api/js.ts';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { onnxModel, tensor, type Graph, type Node } from './build.ts';

/** h' = tanh(x + h W) as a Scan over x (steps, batch, 2), with another body where one is given. */
const scan = (changed: { nodes?: Node[]; attributes?: Node['attributes']; gives?: string } = {}) => {
  const body: Graph = {
    nodes: changed.nodes ?? [
      { op: 'MatMul', inputs: ['h', 'W'], outputs: ['u'] },
      { op: 'Add', inputs: ['u', 'v'], outputs: ['s'] },
      { op: 'Tanh', inputs: ['s'], outputs: ['next'] },
      { op: 'Identity', inputs: ['next'], outputs: ['out'] },
    ],
    inputs: [
      { name: 'h', shape: ['b', 2] },
      { name: 'v', shape: ['b', 2] },
    ],
    outputs: ['next', changed.gives ?? 'out'],
  };
  const attributes = { num_scan_inputs: 1, body: { graph: body }, ...changed.attributes };
  return onnxModel({
    nodes: [{ op: 'Scan', inputs: ['h0', 'x'], outputs: ['last', 'y'], name: 'loop', attributes }],
    inputs: [
      { name: 'x', shape: ['t', 'b', 2] },
      { name: 'h0', shape: ['b', 2] },
    ],
    outputs: ['y', 'last'],
    initializers: [tensor('W', [2, 2], [1, 2, 3, 4])],
  });
};

test('a body that is a cell is a layer, under the name of its node', async () => {
  const { spec, report } = await readOnnx(scan());
  expect(spec.layers).toMatchObject([
    {
      type: 'rnn',
      name: 'loop',
      inputs: ['x'],
      initialState: ['h0'],
      activation: 'tanh',
      weights: { 'forward.input': Float32Array.of(1, 0, 0, 1), 'forward.recurrent': Float32Array.of(1, 3, 2, 4) },
    },
  ]);
  expect(report.conventions).toContain("Scan 'loop' is the loop of a layer rnn ('loop')");
  expect(report.tensors).toMatchObject([{ source: 'W', target: 'loop (cell)' }]);
});

const step = (op: string, inputs: string[], output: string): Node => ({ op, inputs, outputs: [output], name: output });
const next = [step('Tanh', ['s'], 'next'), step('Identity', ['next'], 'out')];

test.each<[string, Parameters<typeof scan>[0], RegExp]>([
  [
    'a state that is no cell',
    { nodes: [step('MatMul', ['h', 'W'], 'u'), step('Mul', ['u', 'v'], 's'), ...next] },
    /Scan node 'loop': its body is not that of a GRU, LSTM or simple RNN: it has a state /,
  ],
  [
    'a softmax',
    { nodes: [step('Add', ['h', 'v'], 's'), step('Softmax', ['s'], 'next'), step('Identity', ['next'], 'out')] },
    /it has softmax/,
  ],
  [
    'an output that is computed from the state',
    {
      nodes: [
        step('MatMul', ['h', 'W'], 'u'),
        step('Add', ['u', 'v'], 's'),
        step('Tanh', ['s'], 'next'),
        step('Neg', ['next'], 'out'),
      ],
    },
    /its body's output 1 is computed from its states; supported: the hidden state of each step/,
  ],
  [
    'the whole sequence in a step',
    { nodes: [step('Add', ['h', 'x'], 's'), ...next] },
    /Add node 's': reads 'x', which is computed outside of the loop; supported: the loop's step of a sequence/,
  ],
  ['a body that gives the sequence around it', { gives: 'x' }, /Scan node 'loop': /],
  [
    'a body that gives a constant',
    { gives: 'W' },
    /Scan node 'loop': its body gives 'W', which is not computed from a step/,
  ],
  [
    'an output along an axis that is none',
    { attributes: { scan_output_axes: [3] } },
    /Scan node 'loop': axis 3 is outside/,
  ],
  ['an axis that is none', { attributes: { scan_input_axes: [3] } }, /Scan node 'loop': axis 3 is outside/],
  ['an attribute that nothing reads', { attributes: { more: 1 } }, /attribute 'more' is not supported/],
  [
    'operators that are not read, all of them',
    { nodes: [step('Cosh', ['h'], 'u'), step('Acos', ['u'], 's'), ...next] },
    /operators that are not supported.*: Cosh \(node 'u' in Scan 'loop'\), Acos \(node 's' in Scan 'loop'\)/,
  ],
])('%s is refused', async (_, changed, message) => {
  await expect(readOnnx(scan(changed))).rejects.toThrow(message);
});

function constant(name: string, value: number): Node {
  return { op: 'Constant', inputs: [], outputs: [name], attributes: { value_float: { float: value } } };
}

test('a bound on one side is refused, one on both sides is a hard_sigmoid', async () => {
  const clipped = (bounds: Node[], last: string) =>
    scan({
      nodes: [
        constant('one', 1),
        constant('zero', 0),
        step('MatMul', ['h', 'W'], 'u'),
        step('Add', ['u', 'v'], 's'),
        ...bounds,
        step('Identity', [last], 'out'),
      ]
        .map((node) => (node.outputs[0] === last ? { ...node, outputs: ['next'] } : node))
        .map((node) => ({ ...node, inputs: node.inputs.map((name) => (name === last ? 'next' : name)) })),
    });
  await expect(readOnnx(clipped([step('Min', ['s', 'one'], 'm')], 'm'))).rejects.toThrow(/a bound on one side/);
  const { spec } = await readOnnx(clipped([step('Min', ['s', 'one'], 'm'), step('Max', ['m', 'zero'], 'k')], 'k'));
  expect(spec.layers).toMatchObject([
    {
      type: 'rnn',
      activation: { name: 'hard_sigmoid', alpha: 1, beta: 0.5 },
      weights: { 'forward.bias': Float32Array.of(-0.5, -0.5) },
    },
  ]);
});

test('graphs that are nested deep are refused', async () => {
  let graph: Graph = { nodes: [], inputs: [], outputs: [] };
  for (let i = 0; i < 9; i++) {
    graph = {
      nodes: [{ op: 'Loop', inputs: [], outputs: ['y'], attributes: { body: { graph } } }],
      inputs: [],
      outputs: [],
    };
  }
  const nodes = [{ op: 'Loop', inputs: ['x'], outputs: ['y'], attributes: { body: { graph } } }];
  const bytes = onnxModel({ nodes, inputs: [{ name: 'x', shape: ['t', 'b', 2] }], outputs: ['y'] });
  await expect(readOnnx(bytes)).rejects.toThrow('the ONNX file nests graphs more than 8 deep');
});

test('a cell upon a masked one reads what that gives before its mask, if it has the same mask', async () => {
  const rnn = (h: string, x: string, k: string) => [
    step('MatMul', [h, 'W'], `u${k}`),
    step('Add', [`u${k}`, x], `s${k}`),
    step('Tanh', [`s${k}`], `n${k}`),
  ];
  const kept = (h: string, k: string) => [
    step('Mul', ['m', `n${k}`], `a${k}`),
    step('Mul', ['rest', h], `b${k}`),
    step('Add', [`a${k}`, `b${k}`], `h${k} next`),
  ];
  const stacked = (second: Node[]) => {
    const body: Graph = {
      nodes: [...rnn('h1', 'v', '1'), step('Sub', ['one', 'm'], 'rest'), ...kept('h1', '1'), ...rnn('h2', 'n1', '2'), ...second], // prettier-ignore
      inputs: ['h1', 'h2', 'v', 'm'].map((name) => ({ name, shape: ['b', name === 'm' ? 1 : 2] })),
      outputs: ['h1 next', 'h2 next'],
    };
    const attributes = { num_scan_inputs: 2, body: { graph: body } };
    return onnxModel({
      nodes: [
        step('Equal', ['x', 'zero'], 'is zero'),
        step('Not', ['is zero'], 'is none'),
        { ...step('Cast', ['is none'], 'counts'), attributes: { to: 1 } },
        step('ReduceSum', ['counts', 'last'], 'sum'),
        step('Greater', ['sum', 'zero'], 'any'),
        { ...step('Cast', ['any'], 'mask'), attributes: { to: 1 } },
        { op: 'Scan', inputs: ['h01', 'h02', 'x', 'mask'], outputs: ['y1', 'y2'], name: 'loop', attributes },
      ],
      inputs: [
        { name: 'x', shape: ['t', 'b', 2] },
        { name: 'h01', shape: ['b', 2] },
        { name: 'h02', shape: ['b', 2] },
      ],
      outputs: ['y1', 'y2'],
      initializers: [tensor('W', [2, 2], [1, 2, 3, 4]), tensor('zero', [], [0]), tensor('one', [], [1]), tensor('last', [1], [-1], 7)], // prettier-ignore
    });
  };
  const { layers } = (await readOnnx(stacked(kept('h2', '2')))).spec;
  const cells = layers.filter(({ type }) => type === 'rnn');
  expect(cells).toMatchObject([{ inputs: ['x'] }, { inputs: [cells[0]!.name] }]);
  expect(cells.map((cell) => 'mask' in cell)).toEqual([true, true]);
  await expect(readOnnx(stacked([step('Identity', ['n2'], 'h2 next')]))).rejects.toThrow(
    /Scan node 'loop': .* it has a cell that reads another one at masked steps/,
  );
});

test('a cell that is written out for a part of the steps that the file fixes is refused', async () => {
  const written = (count: number | string) =>
    onnxModel({
      nodes: [0, 1, 2].flatMap((t) => [
        { ...step('Gather', ['x', `${t}`], `x${t}`), attributes: { axis: 1 } },
        step('MatMul', [`h${t}`, 'W'], `u${t}`),
        step('Add', [`u${t}`, `x${t}`], `s${t}`),
        step('Tanh', [`s${t}`], `h${t + 1}`),
      ]),
      inputs: [
        { name: 'x', shape: ['b', count, 2] },
        { name: 'h0', shape: ['b', 2] },
      ],
      outputs: ['h3'],
      initializers: [tensor('W', [2, 2], [1, 2, 3, 4]), ...[0, 1, 2].map((t) => tensor(`${t}`, [], [t], 7))],
    });
  expect((await readOnnx(written(3))).spec.layers).toMatchObject([{ type: 'rnn' }]);
  await expect(readOnnx(written(5))).rejects.toThrow(/Tanh node 'h3', read as Scan: is written out for 3 of 5 steps/);

  // Of open steps it reads the first three, so those are all that a run may have.
  using open = await createModel((await readOnnx(written('t'))).spec);
  using fixed = await createModel((await readOnnx(written(3))).spec);
  const run = (model: typeof open, steps: number) =>
    model.run({ x: Float32Array.from({ length: 2 * steps }, (_, i) => i / 8), h0: Float32Array.of(1, -1) });
  expect(run(open, 3).output.data).toEqual(run(fixed, 3).output.data);
  for (const steps of [2, 4]) {
    expect(() => run(open, steps)).toThrow(new RegExp(`takes sequences of 3 steps, got one of ${steps}`));
  }
  expect(open.streamable).toBe(false);
});

test('nodes that do not follow those that they read are put in order, in bodies too', async () => {
  const body = [step('MatMul', ['h', 'W'], 'u'), step('Add', ['u', 'v'], 's'), ...next];
  expect((await readOnnx(scan({ nodes: body.reverse() }))).spec).toEqual((await readOnnx(scan())).spec);
  const chain = [step('Neg', ['x'], 'a'), step('Exp', ['a'], 'b'), step('Add', ['a', 'b'], 'y')];
  const whole = (nodes: Node[]) => onnxModel({ nodes, inputs: [{ name: 'x', shape: ['t', 'b', 2] }], outputs: ['y'] });
  const { spec } = await readOnnx(whole(chain));
  for (const nodes of [chain.toReversed(), [chain[1]!, chain[2]!, chain[0]!]])
    expect((await readOnnx(whole(nodes))).spec).toEqual(spec);
});

test('nodes that read each other are refused by name', async () => {
  const nodes = [step('Add', ['x', 'b'], 'a'), step('Exp', ['a'], 'b'), step('Neg', ['b'], 'y')];
  await expect(
    readOnnx(onnxModel({ nodes, inputs: [{ name: 'x', shape: ['t', 'b', 2] }], outputs: ['y'] })),
  ).rejects.toMatchObject({
    code: 'invalid_file',
    message: "Exp node 'b': reads 'a', which is computed of what it gives",
  });
  await expect(readOnnx(scan({ nodes: [step('Add', ['v', 'next'], 'next')] }))).rejects.toThrow(
    /Add node 'next': reads 'next', which is computed of what it gives/,
  );
});
