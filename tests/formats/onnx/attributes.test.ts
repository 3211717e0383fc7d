import { describe, expect, test } from 'vitest';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { Random } from '../../random.ts';
import { onnxModel, tensor, type Attribute, type Model, type Node } from './build.ts';
import { runGraph, type Tensors } from './run.ts';
import { useAllKinds } from '../../../ts/layers/full.ts';

useAllKinds();

const [I, H] = [3, 4];

/** A graph of one GRU node with these attributes; its inputs X, sequence_lens (unless the graph holds `lens`), initial_h. */
function gruModel(
  attributes: Record<string, Attribute>,
  { directions = 1, opset = 22, lens, ...extra }: Partial<Model> & { directions?: number; lens?: number[] } = {},
): Uint8Array {
  const random = new Random(7);
  const weights = (name: string, shape: number[]) =>
    tensor(
      name,
      shape,
      random.floats(
        shape.reduce((n, d) => n * d, 1),
        1.2,
      ),
    );
  const isBatchFirst = attributes['layout'] === 1;
  return onnxModel({
    opset,
    nodes: [
      {
        op: 'GRU',
        name: 'gru',
        inputs: ['X', 'W', 'R', 'B', 'lens', 'h0'],
        outputs: ['Y', 'Y_h'],
        attributes: { hidden_size: H, ...attributes },
      },
    ],
    inputs: [
      { name: 'X', shape: isBatchFirst ? ['b', 't', I] : ['t', 'b', I] },
      ...(lens ? [] : [{ name: 'lens', shape: ['b'], dtype: 6 }]),
      { name: 'h0', shape: isBatchFirst ? ['b', directions, H] : [directions, 'b', H] },
    ],
    outputs: ['Y', 'Y_h'],
    initializers: [
      weights('W', [directions, 3 * H, I]),
      weights('R', [directions, 3 * H, H]),
      weights('B', [directions, 6 * H]),
      ...(lens ? [tensor('lens', [lens.length], lens, 7)] : []),
    ],
    ...extra,
  });
}

function tensors({ directions = 1, isBatchFirst = false, lengths = [5, 5] } = {}): Tensors {
  const random = new Random(3);
  return {
    X: { data: random.floats(30), shape: isBatchFirst ? [2, 5, I] : [5, 2, I] },
    lens: { data: Int32Array.from(lengths), shape: [2] },
    h0: { data: random.floats(2 * directions * H), shape: isBatchFirst ? [2, directions, H] : [directions, 2, H] },
  };
}

const run = async (bytes: Uint8Array, io: Tensors) => runGraph(jsBackend, await readOnnx(bytes), io);

describe('each attribute of GRU changes the result', () => {
  const plain = { linear_before_reset: 1 };
  test.each<[string, Record<string, Attribute>]>([
    ['linear_before_reset', { linear_before_reset: 0 }],
    ['direction', { ...plain, direction: 'reverse' }],
    ['clip', { ...plain, clip: { float: 0.2 } }],
    ['activations', { ...plain, activations: ['HardSigmoid', 'Tanh'] }],
    ['activations, in any case', { ...plain, activations: ['SIGMOID', 'softsign'] }],
  ])('%s', async (_, attributes) => {
    const [before, after] = [await run(gruModel(plain), tensors()), await run(gruModel(attributes), tensors())];
    expect(after['Y']!.data).not.toEqual(before['Y']!.data);
    expect(after['Y_h']!.data).not.toEqual(before['Y_h']!.data);
  });

  test.each(['HardSigmoid', 'Elu', 'LeakyRelu', 'ScaledTanh', 'Affine', 'ThresholdedRelu'])(
    'activation_alpha of %s',
    async (name) => {
      const model = (alpha: number) =>
        gruModel({
          activations: ['Sigmoid', name],
          activation_alpha: { floats: [alpha] },
          ...(['ScaledTanh', 'Affine'].includes(name) ? { activation_beta: { floats: [0.5] } } : {}),
        });
      const [one, other] = [await run(model(0.3), tensors()), await run(model(0.6), tensors())];
      expect(one['Y']!.data).not.toEqual(other['Y']!.data);
    },
  );

  test.each(['HardSigmoid', 'ScaledTanh', 'Affine'])('activation_beta of %s', async (name) => {
    const model = (beta: number) =>
      gruModel({
        activations: ['Sigmoid', name],
        activation_alpha: { floats: [0.4] },
        activation_beta: { floats: [beta] },
      });
    const [one, other] = [await run(model(0.3), tensors()), await run(model(0.6), tensors())];
    expect(one['Y']!.data).not.toEqual(other['Y']!.data);
  });

  test('alpha and beta go to the functions that take them, in turn', async () => {
    const listed = gruModel({
      activations: ['HardSigmoid', 'ScaledTanh'],
      activation_alpha: { floats: [0.3, 0.8] },
      activation_beta: { floats: [0.45, 0.9] },
    });
    const { spec } = await readOnnx(listed);
    expect(spec.layers[0]).toMatchObject({
      recurrentActivation: { name: 'hard_sigmoid', alpha: Math.fround(0.3), beta: Math.fround(0.45) },
      activation: { name: 'scaled_tanh', alpha: Math.fround(0.8), beta: Math.fround(0.9) },
    });
    const single = await readOnnx(gruModel({ activations: ['Sigmoid', 'Elu'], activation_alpha: { floats: [0.3] } }));
    expect(single.spec.layers[0]).toMatchObject({ activation: { name: 'elu', alpha: Math.fround(0.3) } });
  });

  test('layout', async () => {
    const first = await run(gruModel({ layout: 1 }), tensors({ isBatchFirst: true }));
    expect(first['Y']!.shape).toEqual([2, 5, 1, H]);
    expect(first['Y_h']!.shape).toEqual([2, 1, H]);
    await expect(readOnnx(gruModel({ layout: 1 }, { opset: 11 }))).rejects.toThrow(/'layout'/);
  });

  test('directions with functions of their own', async () => {
    const same = gruModel(
      { direction: 'bidirectional', activations: ['Sigmoid', 'Tanh', 'Sigmoid', 'Tanh'] },
      { directions: 2 },
    );
    const other = gruModel(
      { direction: 'bidirectional', activations: ['Sigmoid', 'Tanh', 'Sigmoid', 'Relu'] },
      { directions: 2 },
    );
    const io = tensors({ directions: 2 });
    const [one, two] = [await run(same, io), await run(other, io)];
    const half = (y: Float32Array, d: number) => y.filter((_, i) => Math.floor(i / (2 * H)) % 2 === d);
    expect(half(two['Y']!.data, 0)).toEqual(half(one['Y']!.data, 0));
    expect(half(two['Y']!.data, 1)).not.toEqual(half(one['Y']!.data, 1));
  });

  test('sequence_lens and initial_h', async () => {
    const io = tensors();
    const full = await run(gruModel({}), io);
    const ragged = await run(gruModel({}), tensors({ lengths: [5, 2] }));
    expect(ragged['Y']!.data.subarray(2 * 2 * H).some((v, i) => Math.floor(i / H) % 2 === 1 && v !== 0)).toBe(false);
    expect(ragged['Y_h']!.data.subarray(H)).toEqual(full['Y']!.data.subarray((1 * 2 + 1) * H, (1 * 2 + 2) * H));
    const other = await run(gruModel({}), { ...io, h0: { data: new Float32Array(2 * H), shape: [1, 2, H] } });
    expect(other['Y']!.data).not.toEqual(full['Y']!.data);
  });
});

describe('sequence_lens that the graph holds', () => {
  test.each(['forward', 'reverse', 'bidirectional'])('the same number for all sequences: %s', async (direction) => {
    const directions = direction === 'bidirectional' ? 2 : 1;
    const { lens, ...io } = tensors({ directions, lengths: [3, 3] });
    const wanted = await run(gruModel({ direction }, { directions }), { ...io, lens: lens! });
    const got = await run(gruModel({ direction }, { directions, lens: [3, 3] }), io);
    expect(got['Y']!.data).toEqual(wanted['Y']!.data);
    expect(got['Y_h']!.data).toEqual(wanted['Y_h']!.data);
    const whole = await run(gruModel({ direction }, { directions, lens: [5, 5] }), io);
    expect(whole['Y']!.data).not.toEqual(wanted['Y']!.data);
  });

  test.each([[[3, 5]], [[0, 0]]])('%j are refused', async (lens) => {
    await expect(readOnnx(gruModel({}, { lens }))).rejects.toThrow(/'sequence_lens' is a constant/);
  });
});

describe('refused, by name', () => {
  test.each<[string, Record<string, Attribute>, RegExp]>([
    ['an unknown attribute', { output_sequence: 1 }, /attribute 'output_sequence' is not supported/],
    ['direction', { direction: 'both' }, /'direction'/],
    ['hidden_size', { hidden_size: 5 }, /'hidden_size'/],
    ['clip 0', { clip: { float: 0 } }, /'clip'/],
    ['linear_before_reset', { linear_before_reset: 2 }, /'linear_before_reset'/],
    ['layout', { layout: 2 }, /'layout'/],
    ['an unknown function', { activations: ['Sigmoid', 'Gelu'] }, /'Gelu'; supported: Relu, Tanh/],
    ['too few functions', { activations: ['Sigmoid'] }, /'activations' lists 1/],
    [
      'functions of one direction for two',
      { direction: 'bidirectional', activations: ['Sigmoid', 'Tanh'] },
      /'activations' lists 2/,
    ],
    [
      'surplus alphas',
      { activations: ['Sigmoid', 'Elu'], activation_alpha: { floats: [0, 1] } },
      /'activation_alpha' has 2 values/,
    ],
    ['alphas without a function', { activation_alpha: { floats: [0.5] } }, /'activation_alpha' has 1 value/],
    [
      'a missing alpha',
      { activations: ['Sigmoid', 'ThresholdedRelu'] },
      /'activation_alpha' gives no value for ThresholdedRelu/,
    ],
    [
      'a missing beta',
      { activations: ['Sigmoid', 'Affine'], activation_alpha: { floats: [1] } },
      /'activation_beta' gives no value for Affine/,
    ],
    ['an attribute of another type', { clip: 1 }, /attribute 'clip' is no number/],
  ])('%s', async (_, attributes, message) => {
    await expect(readOnnx(gruModel(attributes))).rejects.toMatchObject({
      name: 'GruError',
      message: expect.stringMatching(message) as string,
    });
  });

  test('a length of 0 in sequence_lens', async () => {
    await expect(run(gruModel({}), tensors({ lengths: [0, 5] }))).rejects.toThrow(/sequence_lens/);
  });

  const weights = (inputs: string[]): Node => ({ op: 'GRU', name: 'gru', inputs, outputs: ['Y', 'Y_h'] });

  test('weights that come with each run, unless they are given', async () => {
    const model = onnxModel({
      nodes: [weights(['X', 'W', 'R'])],
      inputs: [
        { name: 'X', shape: ['t', 'b', I] },
        { name: 'W', shape: [1, 3 * H, I] },
        { name: 'R', shape: [1, 3 * H, H] },
      ],
      outputs: ['Y'],
    });
    await expect(readOnnx(model)).rejects.toThrow(/R \('R'\) is not stored in the file.*initializers/);
    const initializers = {
      W: { data: new Float32Array(3 * H * I), shape: [1, 3 * H, I] },
      R: { data: new Float32Array(3 * H * H), shape: [1, 3 * H, H] },
    };
    expect((await readOnnx(model, { options: { onnx: { initializers } } })).spec.inputs).toHaveLength(1);
    await expect(
      readOnnx(model, { options: { onnx: { initializers: { ...initializers, Z: initializers.W } } } }),
    ).rejects.toThrow(/'Z'/);
  });

  test('an operator, with the nodes that can be taken out', async () => {
    const nodes: Node[] = [
      weights(['C', 'W', 'R', 'B']),
      { op: 'Unique', name: 'conv', inputs: ['X'], outputs: ['C'] },
    ];
    const bytes = gruModel({}, { nodes: nodes.reverse() });
    await expect(readOnnx(bytes)).rejects.toThrow(/Unique \(node 'conv'\).*'gru'/);
    const { spec } = await readOnnx(bytes, { options: { onnx: { node: 'gru' } } });
    expect(spec.inputs).toMatchObject([{ name: 'X', size: I }]);
    expect(spec.outputs).toMatchObject([{ name: 'Y' }, { name: 'Y_h' }]);
    await expect(readOnnx(bytes, { options: { onnx: { node: 'other' } } })).rejects.toThrow(/recurrent nodes: 'gru'/);
  });
});
