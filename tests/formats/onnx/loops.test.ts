import { expect, test } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { onnxModel, tensor, type Graph, type Node } from './build.ts';

/** h' = tanh(x + h W) as a Scan over x (steps, batch, 2), with another body where one is given. */
const scan = (changed: { nodes?: Node[]; attributes?: Node['attributes'] } = {}) => {
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
    outputs: ['next', 'out'],
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
    /Scan node 'loop': its body is not that of a GRU, LSTM or simple RNN: it has a state .*Load the model in the format/,
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
  ['an axis that is none', { attributes: { scan_input_axes: [3] } }, /Scan node 'loop': axis 3 is outside/],
  ['an attribute that nothing reads', { attributes: { more: 1 } }, /attribute 'more' is not supported/],
  [
    'operators that are not read, all of them',
    { nodes: [step('Cosh', ['h'], 'u'), step('Acos', ['u'], 's'), ...next] },
    /operators that are not supported: Cosh \(node 'u'\), Acos \(node 's'\)/,
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
