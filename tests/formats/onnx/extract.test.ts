import { describe, expect, test } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import type { ImportedModel } from '../../../ts/formats/report.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';

/** One GRU node taken out of a graph: what is read of the rest, and what becomes an input. */

const [I, H] = [2, 3];
const weight = (name: string, ...shape: number[]) =>
  tensor(
    name,
    shape,
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i + 1)),
  );
const gru = (inputs: string[], attributes: Record<string, Attribute> = {}, name = 'g'): Node => ({
  op: 'GRU',
  name,
  inputs,
  outputs: [`${name}_y`, `${name}_h`],
  attributes: { hidden_size: H, ...attributes },
});
const node = (op: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
  op,
  inputs,
  outputs,
  name: outputs[0]!,
  attributes,
});
/** Nodes before a GRU node, over `conv`, which nothing reads: its operator is unknown. */
const extract = (nodes: Node[], initializers: Uint8Array[] = [], name = 'g'): Promise<ImportedModel> =>
  readOnnx(
    onnxModel({
      nodes: [node('Conv', ['x'], ['conv']), node('Shape', ['conv'], ['shape']), ...nodes],
      inputs: [{ name: 'x', shape: ['t', 'b', I] }],
      outputs: ['g_y'],
      initializers: [weight('W', 1, 3 * H, I), weight('R', 1, 3 * H, H), weight('B', 1, 6 * H), ...initializers],
    }),
    { options: { onnx: { node: name } } },
  );
const names = ({ spec }: ImportedModel) => spec.inputs.map(({ name }) => name);
const uses = ({ report }: ImportedModel) => report.graph!.inputs.map(({ name, use }) => [name, use]);

describe('which node', () => {
  test('by its name, or that of an output', async () => {
    for (const name of ['g', 'g_y', 'g_h']) {
      const { report, spec } = await extract([gru(['conv', 'W', 'R', 'B'])], [], name);
      expect(spec.outputs).toMatchObject([{ name: 'Y' }, { name: 'Y_h' }]);
      expect(report).toMatchObject({ format: 'onnx', producer: 'test' });
      expect(report.graph!.outputs).toMatchObject([
        { name: 'Y', axes: [['time'], [1], ['batch'], [H]] },
        { name: 'Y_h', axes: [[1], ['batch'], [H]] },
      ]);
      expect(report.tensors.map(({ source, target }) => [source, target])).toEqual([
        ['W', 'g/forward.input'],
        ['R', 'g/forward.recurrent'],
        ['B', 'g/forward.bias'],
      ]);
    }
  });

  test('none, or two', async () => {
    const nodes = [gru(['conv', 'W', 'R']), gru(['conv', 'W', 'R'], {}, 'other'), gru(['conv', 'W', 'R'], {}, 'other')];
    nodes[2]!.outputs = ['third'];
    const code = 'invalid_argument';
    const found = (n: number, name: string) =>
      `has ${n} recurrent nodes named '${name}'; its recurrent nodes: 'g', 'other', 'other'`;
    for (const [n, name] of [
      [2, 'other'],
      [0, ''],
      [0, 'conv'],
      [0, 'shape'],
    ] as const) {
      const message = expect.stringContaining(found(n, name)) as string;
      await expect(extract(nodes, [], name)).rejects.toMatchObject({ code, message });
    }
    await expect(extract([], [], 'g')).rejects.toThrow(/its recurrent nodes: none/);
  });

  test('a GRU of another domain is none', async () => {
    await expect(extract([{ ...gru(['conv', 'W', 'R']), domain: 'mine' }])).rejects.toThrow(/recurrent nodes: none/);
  });
});

describe('inputs', () => {
  test('sequence_lens that the graph computes', async () => {
    const model = await extract([node('Conv', ['x'], ['lens']), gru(['conv', 'W', 'R', '', 'lens'])]);
    expect(names(model)).toEqual(['X']);
    expect(uses(model)).toEqual([
      ['X', 'values'],
      ['sequence_lens', 'lengths'],
      ['initial_h', 'states'],
    ]);
  });

  test('initial_h that the graph computes, of one direction and of two', async () => {
    const h0 = node('Conv', ['x'], ['h0']);
    const one = await extract([h0, gru(['conv', 'W', 'R', '', '', 'h0'])]);
    expect(names(one)).toEqual(['X', 'initial_h']);
    expect(uses(one)).toEqual([
      ['X', 'values'],
      ['initial_h', 'values'],
    ]);
    const weights = [weight('W2', 2, 3 * H, I), weight('R2', 2, 3 * H, H)];
    const two = await extract([h0, gru(['conv', 'W2', 'R2', '', '', 'h0'], { direction: 'bidirectional' })], weights);
    expect(names(two)).toEqual(['X', 'initial_h.0', 'initial_h.1']);
    expect(two.report.graph!.inputs[1]!.axes).toEqual([[2], ['batch'], [H]]);
    const reverse = await extract([h0, gru(['conv', 'W', 'R', '', '', 'h0'], { direction: 'reverse' })]);
    expect(names(reverse)).toEqual(['X', 'initial_h']);
  });

  test('batch first', async () => {
    const { report } = await extract([
      node('Conv', ['x'], ['h0']),
      gru(['conv', 'W', 'R', '', '', 'h0'], { layout: 1 }),
    ]);
    expect(report.graph!.inputs.map(({ axes }) => axes)).toEqual([
      [['batch'], ['time'], [I]],
      [['batch'], [1], [H]],
    ]);
  });

  test('a stored initial_h is what is taken where it is left out', async () => {
    const { report } = await extract([gru(['conv', 'W', 'R', '', '', 'h0'])], [weight('h0', 1, 1, H)]);
    expect(report.graph!.inputs[1]).toMatchObject({
      name: 'initial_h',
      use: 'values',
      fallback: Float32Array.of(Math.sin(1), Math.sin(2), Math.sin(3)),
    });
    expect(report.tensors.map(({ source }) => source)).toContain('h0');
  });
});

describe('weights that nodes compute', () => {
  test('from constants', async () => {
    const nodes = [
      node('Transpose', ['Wt'], ['W1'], { perm: [0, 2, 1] }),
      node('Identity', ['W1'], ['W2']),
      gru(['conv', 'W2', 'R']),
    ];
    const { spec } = await extract(nodes, [weight('Wt', 1, I, 3 * H)]);
    const expected = Float32Array.from({ length: 3 * H * I }, (_, i) =>
      Math.sin((i % I) * 3 * H + Math.floor(i / I) + 1),
    );
    expect(spec.layers[0]).toMatchObject({ weights: { 'forward.input': expected } });
  });

  test('by nodes that the file has behind the recurrent one', async () => {
    const nodes = [gru(['conv', 'W1', 'R']), node('Identity', ['W'], ['W1'])];
    expect((await extract(nodes)).spec).toEqual((await extract(nodes.toReversed())).spec);
  });

  test('from what is not read', async () => {
    await expect(extract([node('Conv', ['x'], ['W1']), gru(['conv', 'W1', 'R'])])).rejects.toThrow(/W \('W1'\)/);
    await expect(extract([gru(['conv', 'x', 'R'])])).rejects.toThrow(/W \('x'\)/);
  });

  test('of a file that is wrong', async () => {
    const nodes = [node('Transpose', ['W'], ['W1'], { perm: [0, 1] }), gru(['conv', 'W1', 'R'])];
    await expect(extract(nodes)).rejects.toThrow(/'perm'/);
    const stray = [node('Identity', ['W'], ['W1'], { strange: 1 }), gru(['conv', 'W1', 'R'])];
    await expect(extract(stray)).rejects.toThrow(/'strange' is not supported/);
  });
});

describe('initial states of zeros, in a shape that the graph computes', () => {
  const ZERO: [string, string[], Record<string, Attribute>?][] = [
    ['Expand', ['zeros', 'shape']],
    ['Slice', ['z', 'shape', 'shape']],
    ['Gather', ['z', 'shape']],
    ['Reshape', ['z', 'shape']],
    ['Transpose', ['z']],
    ['Squeeze', ['z', 'shape']],
    ['Unsqueeze', ['z', 'shape']],
    ['Identity', ['z']],
    ['Cast', ['z'], { to: 1 }],
    ['Split', ['z', 'shape']],
    ['Flatten', ['z']],
    ['Tile', ['z', 'shape']],
    ['Concat', ['z', 'zeros'], { axis: 0 }],
    ['ConstantOfShape', ['shape']],
    ['ConstantOfShape', ['shape'], { value: { tensor: tensor('', [1], [0]) } }],
  ];
  const initializers = [
    tensor('zeros', [1, 1, H], new Float32Array(H)),
    tensor('one', [1, 1, H], [0, 0, 1]),
    tensor('ints', [1, 1, H], [0, 0, 0], 7),
  ];
  const of = (op: string, inputs: string[], attributes: Record<string, Attribute> = {}) =>
    extract(
      [
        node('ConstantOfShape', ['shape'], ['z']),
        node(op, inputs, ['h0'], attributes),
        gru(['conv', 'W', 'R', '', '', 'h0']),
      ],
      initializers,
    );

  test.each(ZERO)('%s of %j %j', async (op, inputs, attributes) => {
    const model = await of(op, inputs, attributes);
    expect(uses(model)).toEqual([
      ['X', 'values'],
      ['initial_h', 'states'],
    ]);
  });

  test.each<[string, string[], Record<string, Attribute>?]>([
    ['Expand', ['one', 'shape']],
    ['Expand', ['ints', 'shape']],
    ['Concat', ['z', 'one'], { axis: 0 }],
    ['Concat', ['one', 'z'], { axis: 0 }],
    ['Add', ['z', 'zeros']],
    ['Sigmoid', ['z']],
    ['ConstantOfShape', ['shape'], { value: { tensor: tensor('', [1], [1]) } }],
    ['Reshape', ['conv', 'shape']],
  ])('not by %s of %j %j', async (op, inputs, attributes) => {
    expect(uses(await of(op, inputs, attributes))).toEqual([
      ['X', 'values'],
      ['initial_h', 'values'],
    ]);
  });
});
