import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../../backends.ts';
import { runOnnx, type GraphTensor } from '../../../ts/formats/onnx.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';

const [T, B, I, H] = [3, 2, 2, 4];
const ramp = (count: number, scale: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1) * scale);
const X: GraphTensor = { data: ramp(T * B * I, 1), shape: [T, B, I] };

/** How a file gives initial_h of its GRU node: an input, a constant, a computed value, or not at all. */
type Initial = 'left out' | 'zeros' | 'zeros of a shape' | 'a constant' | 'computed' | 'input';
const INITIALS: Initial[] = ['left out', 'zeros', 'zeros of a shape', 'a constant', 'computed'];

function gru(initial: Initial, { directions = 1, layout = 0, activations = [] as string[] } = {}): Uint8Array {
  const size = [directions, 3 * H];
  const order = (batch: number) => (layout === 0 ? [directions, batch, H] : [batch, directions, H]);
  const attributes: Record<string, Attribute> = {
    hidden_size: H,
    layout,
    ...(directions === 2 ? { direction: 'bidirectional' } : {}),
    ...(activations.length > 0 ? { activations } : {}),
  };
  const inputs = ['X', 'W', 'R', 'B', '', initial === 'left out' ? '' : 'h0'];
  const nodes: Node[] = [
    ...(initial === 'computed' ? [{ op: 'Relu', inputs: ['h'], outputs: ['h0'] }] : []),
    ...(initial === 'zeros of a shape' ? [{ op: 'ConstantOfShape', inputs: ['s'], outputs: ['h0'] }] : []),
    { op: 'GRU', name: 'gru', inputs, outputs: ['Y', 'Y_h'], attributes },
  ];
  const free = { computed: 'h', input: 'h0' }[initial as string];
  const values = initial === 'zeros' ? new Float32Array(directions * H) : ramp(directions * H, 0.7);
  return onnxModel({
    nodes,
    inputs: [
      { name: 'X', shape: layout === 0 ? ['t', 'b', I] : ['b', 't', I] },
      ...(free ? [{ name: free, shape: layout === 0 ? [directions, 'b', H] : ['b', directions, H] }] : []),
    ],
    outputs: ['Y', 'Y_h'],
    initializers: [
      tensor('W', [...size, I], ramp(directions * 3 * H * I, 0.5)),
      tensor('R', [...size, H], ramp(directions * 3 * H * H, 0.4)),
      tensor('B', [directions, 6 * H], ramp(directions * 6 * H, 0.3)),
      ...(['zeros', 'a constant'].includes(initial) ? [tensor('h0', order(1), values)] : []),
      ...(initial === 'zeros of a shape' ? [tensor('s', [3], order(1), 7)] : []),
    ],
  });
}

const VARIANTS = [
  {},
  { directions: 2 },
  { layout: 1 },
  { directions: 2, layout: 1 },
  { directions: 2, activations: ['Sigmoid', 'Tanh', 'Sigmoid', 'Relu'] },
  { directions: 2, layout: 1, activations: ['Sigmoid', 'Tanh', 'Sigmoid', 'Relu'] },
];

describe.each(BACKENDS)('runOnnx: $name', ({ api }) => {
  const lone = { onnx: { node: 'gru' } };

  describe.each(VARIANTS)('one node, %o', (variant) => {
    const { directions = 1, layout = 0 } = variant;
    const x = layout === 0 ? X : { data: X.data, shape: [B, T, I] };
    const shape = layout === 0 ? [directions, B, H] : [B, directions, H];
    const h = { data: ramp(directions * B * H, 0.9), shape };
    /** What the whole graph gives, where initial_h is its input. */
    const expected = async (given: GraphTensor) => {
      using model = await api.loadModel(gru('input', variant));
      return runOnnx(model, { X: x, h0: given });
    };

    test.each(INITIALS)('initial_h is taken where the file has it as: %s', async (initial) => {
      using model = await api.loadModel(gru(initial, variant), lone);
      const results = runOnnx(model, { X: x, initial_h: h });
      expect(results).toEqual(await expected(h));
      expect(Object.keys(results)).toEqual(['Y', 'Y_h']);
    });

    test.each(['left out', 'zeros', 'zeros of a shape', 'a constant'] as const)(
      'what the file gives stays: %s',
      async (initial) => {
        using model = await api.loadModel(gru(initial, variant), lone);
        const one = initial === 'a constant' ? ramp(directions * H, 0.7) : new Float32Array(directions * H);
        // the same state for each sequence
        const data = Float32Array.from({ length: directions * B * H }, (_, i) => {
          const d = layout === 0 ? Math.floor(i / (B * H)) : Math.floor(i / H) % directions;
          return one[d * H + (i % H)]!;
        });
        expect(runOnnx(model, { X: x })).toEqual(await expected({ data, shape }));
      },
    );

    test('initial_h of a shape that does not fit', async () => {
      using model = await api.loadModel(gru('zeros', variant), lone);
      const wrong = { data: h.data, shape: [...shape].reverse() };
      expect(() => runOnnx(model, { X: x, initial_h: wrong })).toThrow(/initial_h.*expected shape/);
    });
  });

  test('what the graph computes has to be given', async () => {
    using model = await api.loadModel(gru('computed'), lone);
    expect(() => runOnnx(model, { X })).toThrow("input 'initial_h' is missing");
  });

  test.each(['x', 'initial_h', 'Y', '', '__proto__', 'toString', 'sequence_lens'])(
    'a name that the graph does not take: %s',
    async (name) => {
      using model = await api.loadModel(gru('left out'));
      const tensors = JSON.parse(`{ "${name}": 1 }`) as Record<string, GraphTensor>;
      let error: unknown;
      try {
        runOnnx(model, Object.assign(tensors, { X }));
      } catch (caught) {
        error = caught;
      }
      expect(error).toMatchObject({ name: 'GruError', code: 'invalid_argument' });
      expect((error as Error).message).toBe(`the model takes no input '${name}' at a run; it takes X`);
    },
  );

  test('an input of the graph that nothing reads may be given', async () => {
    const nodes = [{ op: 'Relu', inputs: ['X'], outputs: ['Z'] }];
    const inputs = ['X', 'U'].map((name) => ({ name, shape: ['t', 'b', I] }));
    using model = await api.loadModel(onnxModel({ nodes, inputs, outputs: ['Z'] }));
    const expected = runOnnx(model, { X });
    expect(runOnnx(model, { X, U: X })).toEqual(expected);
    expect([...expected['Z']!.data]).toEqual(Array.from(X.data as Float32Array, (v) => Math.max(v, 0)));
  });

  describe('whole numbers', () => {
    const table = ramp(5 * I, 1);
    const file = onnxModel({
      nodes: [
        { op: 'Gather', inputs: ['table', 'ids'], outputs: ['e'] },
        { op: 'GRU', name: 'gru', inputs: ['e', 'W', 'R', '', 'lens'], outputs: ['Y'] },
      ],
      inputs: [
        { name: 'ids', dtype: 7, shape: ['t', 'b'] },
        { name: 'lens', dtype: 7, shape: ['b'] },
      ],
      outputs: ['Y'],
      initializers: [
        tensor('table', [5, I], table),
        tensor('W', [1, 3 * H, I], ramp(3 * H * I, 0.5)),
        tensor('R', [1, 3 * H, H], ramp(3 * H * H, 0.4)),
      ],
    });
    const ids = [0, 4, 1, 2, 3, 3];
    const run = async (data: GraphTensor['data'], lengths: GraphTensor['data'] = [T, 2]) => {
      using model = await api.loadModel(file);
      return runOnnx(model, { ids: { data, shape: [T, B] }, lens: { data: lengths, shape: [B] } });
    };

    test('of 64 bits', async () => {
      const expected = await run(Int32Array.from(ids));
      expect(await run(BigInt64Array.from(ids, BigInt), BigInt64Array.of(3n, 2n))).toEqual(expected);
      expect(await run(BigUint64Array.from(ids, BigInt), BigUint64Array.of(3n, 2n))).toEqual(expected);
      expect(await run(Float64Array.from(ids))).toEqual(expected);
    });

    test.each<[string, GraphTensor['data']]>([
      ['that 32 bits would wrap', BigInt64Array.of(2n ** 32n, 0n, 0n, 0n, 0n, 0n)],
      ['that a float would round', BigInt64Array.of(2n ** 62n + 1n, 0n, 0n, 0n, 0n, 0n)],
      ['that are fractions', [0.5, 0, 0, 0, 0, 0]],
      ['that are NaN', [NaN, 0, 0, 0, 0, 0]],
      ['past the table', [5, 0, 0, 0, 0, 0]],
      ['that are negative', BigInt64Array.of(-1n, 0n, 0n, 0n, 0n, 0n)],
      ['that are strings', ['0', 0, 0, 0, 0, 0] as number[]],
    ])('%s', async (_, data) => {
      await expect(run(data)).rejects.toMatchObject({ name: 'GruError', code: 'id_out_of_range' });
    });

    test('floats of 64 bits are none', async () => {
      using model = await api.loadModel(gru('left out'));
      const data = new BigInt64Array(T * B * I);
      expect(() => runOnnx(model, { X: { data, shape: [T, B, I] } })).toThrow(/input 'X'.*must be a number.*BigInt/);
    });
  });

  test.each<[string, unknown]>([
    ['no tensors', undefined],
    ['null', null],
    ['no tensor', { X: 5 }],
    ['data without a shape', { X: new Float32Array(12) }],
    ['a shape without data', { X: { data: undefined, shape: [3, 2, 2] } }],
    ['a shape that is none', { X: { data: new Float32Array(12), shape: '322' } }],
    ['a shape that is not filled', { X: { data: new Float32Array(11), shape: [3, 2, 2] } }],
    ['no steps of many sequences', { X: { data: new Float32Array(0), shape: [0, 2 ** 40, 2] } }],
    ['many steps of no sequences', { X: { data: new Float32Array(0), shape: [2 ** 40, 0, 2] } }],
    ['a Symbol', { X: { data: [Symbol('x')], shape: [1, 1, 1] } }],
  ])('odd: %s', async (_, given) => {
    using model = await api.loadModel(gru('left out'));
    let error: unknown;
    try {
      runOnnx(model, given as Record<string, GraphTensor>);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ name: 'GruError' });
  });
});
