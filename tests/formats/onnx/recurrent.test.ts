import { describe, expect, test } from 'vitest';
import { bindInputs, readOnnx, runOnnx, type OnnxOptions } from '../../../ts/formats/onnx.ts';
import type { ImportedModel } from '../../../ts/formats/report.ts';
import { resolveGraph } from '../../../ts/spec/graph.ts';
import type { LstmSpec, RnnSpec } from '../../../ts/spec/spec.ts';
import type { TensorLike } from '../../../ts/base/tensor.ts';
import { BACKENDS } from '../../backends.ts';
import { Random } from '../../random.ts';
import { onnxModel, tensor, type Attribute, type Model, type Node } from './build.ts';

/** LSTM and RNN nodes: the layers that they become, and what is refused. */

const [I, H] = [2, 3];
const js = BACKENDS.find(({ name }) => name === 'js')!;
const GATES = { LSTM: 4, RNN: 1 };
type Op = keyof typeof GATES;

/** Values that tell where they come from: 100 times the gate, plus the unit. */
const byGate = (gates: number, perUnit: number, offset = 0) =>
  Float32Array.from({ length: gates * H * perUnit }, (_, i) => {
    const row = Math.floor(i / perUnit);
    return offset + 100 * Math.floor(row / H) + (row % H);
  });

interface Wanted extends Partial<Model> {
  op?: Op;
  directions?: number;
  attributes?: Record<string, Attribute>;
  /** Inputs from number 3 on: B, sequence_lens, initial_h, initial_c, P. */
  more?: string[];
  shapes?: Partial<Record<'W' | 'R' | 'B' | 'P' | 'c0', number[]>>;
  onnx?: OnnxOptions;
  /** Of all weights. */
  scale?: number;
}

/** A graph of one node; its weights tell where they come from. */
function read({
  op = 'LSTM',
  directions = 1,
  attributes = {},
  more = ['B'],
  shapes = {},
  onnx,
  scale = 1,
  ...extra
}: Wanted) {
  const gates = GATES[op];
  const stored = (name: 'W' | 'R' | 'B' | 'P' | 'c0', shape: number[], values: Float32Array) => {
    const given = shapes[name] ?? shape;
    const count = given.reduce((n, d) => n * d, 1);
    return tensor(
      name,
      given,
      Float32Array.from({ length: count }, (_, i) => values[i % values.length]! + (i >= values.length ? 0.5 : 0)).map(
        (v) => scale * v,
      ),
    );
  };
  const node: Node = {
    op,
    name: 'n',
    inputs: ['X', 'W', 'R', ...more],
    outputs: op === 'LSTM' ? ['Y', 'Y_h', 'Y_c'] : ['Y', 'Y_h'],
    attributes: { hidden_size: H, ...attributes },
  };
  const bytes = onnxModel({
    opset: 22,
    nodes: [node],
    inputs: [
      { name: 'X', shape: ['t', 'b', I] },
      ...['h0', 'c1'].map((name) => ({ name, shape: [directions, 'b', H] })),
      { name: 'lens', shape: ['b'], dtype: 6 },
    ],
    outputs: node.outputs,
    initializers: [
      stored('W', [directions, gates * H, I], byGate(gates, I)),
      stored('R', [directions, gates * H, H], byGate(gates, H)),
      // the second half, the recurrent one, adds 1000
      stored('B', [directions, 2 * gates * H], Float32Array.of(...byGate(gates, 1), ...byGate(gates, 1, 1000))),
      stored('P', [directions, 3 * H], byGate(3, 1)),
      stored('c0', [directions, 1, H], Float32Array.of(1, 2, 3)),
    ],
    ...extra,
  });
  return readOnnx(bytes, { options: { onnx: onnx ?? {} } });
}

const layers = ({ spec }: ImportedModel) => spec.layers as [LstmSpec, ...LstmSpec[]];
/** Gates of the canonical order as the node numbers them, one row a unit. */
const canonical = (perUnit: number, order: number[]) =>
  Float32Array.from(order.flatMap((gate) => [0, 1, 2].flatMap((j) => Array<number>(perUnit).fill(100 * gate + j))));

describe('an LSTM', () => {
  test('of all defaults: gates i, o, f, c become i, f, g, o', async () => {
    const model = await read({});
    expect(model.spec.layers).toEqual([
      {
        type: 'lstm',
        name: 'n',
        inputs: ['X'],
        inputSize: I,
        hiddenSize: H,
        direction: 'forward',
        weights: {
          'forward.input': canonical(I, [0, 2, 3, 1]),
          'forward.recurrent': canonical(H, [0, 2, 3, 1]),
          'forward.bias': canonical(1, [0, 2, 3, 1]).map((v) => 2 * v + 1000),
        },
      },
    ]);
    expect(model.spec.outputs).toEqual([
      { name: 'Y', from: 'n' },
      { name: 'Y_h', from: 'n:forwardState' },
      { name: 'Y_c', from: 'n:forwardCell' },
    ]);
    expect(model.report.tensors.map(({ source, target }) => [source, target])).toEqual([
      ['W', 'n/forward.input'],
      ['R', 'n/forward.recurrent'],
      ['B', 'n/forward.bias'],
    ]);
    expect(model.report.conventions).toContain("LSTM 'n': direction forward, input_forget 0, layout 0");
  });

  test('with everything', async () => {
    const model = await read({
      directions: 2,
      more: ['', 'lens', 'h0', 'c1', 'P'],
      attributes: {
        direction: 'bidirectional',
        input_forget: 1,
        clip: { float: 0.5 },
        activations: ['HardSigmoid', 'Tanh', 'Relu', 'HardSigmoid', 'Tanh', 'Relu'],
      },
    });
    const [layer] = layers(model).slice(-1);
    expect(layer).toMatchObject({
      direction: 'bidirectional',
      inputForget: true,
      clip: 0.5,
      recurrentActivation: { name: 'hard_sigmoid', alpha: 0.2, beta: 0.5 },
      outputActivation: 'relu',
    });
    expect(layer).not.toHaveProperty('activation');
    expect(layer!.weights['forward.peepholes']).toEqual(canonical(1, [0, 2, 1]));
    expect(layer!.weights['reverse.peepholes']).toEqual(canonical(1, [0, 2, 1]).map((v) => v + 0.5));
    expect(layer!.weights).not.toHaveProperty('forward.bias');
    // hidden states of both directions, then cell states
    expect(layer!.initialState).toEqual(['h0.0', 'h0.1', 'c1.0', 'c1.1']);
    expect(model.report.tensors.map(({ target }) => target)).toContain('n/{forward,reverse}.peepholes');
    expect(model.spec.outputs!.map((output) => (output as { from: string }).from).slice(1)).toEqual([
      'n:forwardState',
      'n:reverseState',
      'n:forwardCell',
      'n:reverseCell',
    ]);
    expect(() => resolveGraph(model.spec)).not.toThrow();
  });

  test('whose h is its g needs no outputActivation; another does', async () => {
    const [same] = layers(await read({ attributes: { activations: ['Sigmoid', 'Relu', 'Relu'] } }));
    expect(same).toMatchObject({ activation: 'relu' });
    expect(same).not.toHaveProperty('outputActivation');
    const [other] = layers(await read({ attributes: { activations: ['Sigmoid', 'Relu', 'Tanh'] } }));
    expect(other).toMatchObject({ activation: 'relu', outputActivation: 'tanh' });
  });

  test('of directions with differing activations becomes a layer a direction', async () => {
    const model = await read({
      directions: 2,
      more: ['', '', 'h0', 'c1'],
      attributes: {
        direction: 'bidirectional',
        activations: ['Sigmoid', 'Tanh', 'Tanh', 'Sigmoid', 'Tanh', 'Relu'],
      },
    });
    const made = model.spec.layers.filter(({ type }) => type === 'lstm');
    expect(made).toMatchObject([
      { name: 'n_forward', direction: 'forward', initialState: ['h0.0', 'c1.0'] },
      { name: 'n_reverse', direction: 'reverse', outputActivation: 'relu', initialState: ['h0.1', 'c1.1'] },
    ]);
    expect(model.spec.outputs!.slice(-2)).toEqual([
      { name: 'Y_c.0', from: 'n_forward:forwardCell' },
      { name: 'Y_c.1', from: 'n_reverse:reverseCell' },
    ]);
  });

  test('of one initial state alone: the other is zeros', async () => {
    for (const [more, given] of [
      [['', '', 'h0'], 0],
      [['', '', '', 'c1'], 1],
    ] as const) {
      const { spec } = await read({ more: [...more] });
      const layer = spec.layers.find(({ type }) => type === 'lstm') as LstmSpec;
      expect(layer.initialState).toHaveLength(2);
      expect(layer.initialState![given]).toBe(['h0', 'c1'][given]);
      const zeros = spec.layers.find(({ name }) => name === layer.initialState![1 - given]);
      expect(zeros).toMatchObject({ type: 'dense', weights: { bias: new Float32Array(H) } });
    }
  });

  test('of an initial_c that the file stores', async () => {
    const { spec } = await read({ more: ['', '', '', 'c0'] });
    const layer = spec.layers.find(({ type }) => type === 'lstm') as LstmSpec;
    const cell = spec.layers.find(({ name }) => name === layer.initialState![1]);
    expect(cell).toMatchObject({ name: 'n_initial_c', weights: { bias: Float32Array.of(1, 2, 3) } });
  });
});

describe('an RNN', () => {
  test('of all defaults', async () => {
    const { spec, report } = await read({ op: 'RNN' });
    expect(spec.layers).toEqual([
      {
        type: 'rnn',
        name: 'n',
        inputs: ['X'],
        inputSize: I,
        hiddenSize: H,
        direction: 'forward',
        weights: {
          'forward.input': byGate(1, I),
          'forward.recurrent': byGate(1, H),
          'forward.bias': byGate(1, 1).map((v) => 2 * v + 1000),
        },
      },
    ]);
    expect(report.conventions).toContain("RNN 'n': direction forward, layout 0");
  });

  test('with everything', async () => {
    const { spec } = await read({
      op: 'RNN',
      more: ['', 'lens', 'h0'],
      attributes: {
        direction: 'reverse',
        clip: { float: 2 },
        activations: ['Affine'],
        activation_alpha: { floats: [0.5] },
        activation_beta: { floats: [0.25] },
      },
    });
    expect((spec.layers as RnnSpec[]).at(-1)).toMatchObject({
      direction: 'reverse',
      clip: 2,
      activation: { name: 'affine', alpha: 0.5, beta: 0.25 },
      initialState: ['h0'],
    });
  });

  test('of directions with differing activations becomes a layer a direction', async () => {
    const attributes = { direction: 'bidirectional', activations: ['Tanh', 'Relu'] };
    const { spec } = await read({ op: 'RNN', directions: 2, attributes });
    expect(spec.layers.filter(({ type }) => type === 'rnn')).toMatchObject([
      { name: 'n_forward', direction: 'forward' },
      { name: 'n_reverse', direction: 'reverse', activation: 'relu' },
    ]);
  });
});

describe('shapes that the file leaves free follow from the weights', () => {
  const free = (rank: number | undefined) => (name: string) => ({
    name,
    ...(rank ? { shape: Array<string>(rank).fill('') } : {}),
  });
  test.each([
    ['sizes', free(3)],
    ['ranks', free(undefined)],
  ])('%s', async (_, of) => {
    for (const layout of [0, 1]) {
      const own = { attributes: { layout }, more: ['', 'lens', 'h0', 'c1'] };
      const order = (first: string, second: string, size: number) =>
        layout ? [second, first, size] : [first, second, size];
      const said = [order('t', 'b', I), ...[0, 1].map(() => (layout ? ['b', 1, H] : [1, 'b', H]))];
      const names = ['X', 'h0', 'c1'];
      const lens = { name: 'lens', shape: ['b'], dtype: 6 };
      const given = (infos: { name: string }[]) =>
        read({ ...own, inputs: [...infos, lens] as Wanted['inputs'] & object });
      const { spec } = await given(names.map(of));
      expect(spec).toEqual((await given(names.map((name, i) => ({ name, shape: said[i]! })))).spec);
    }
  });

  test('where no weight says them, inputShapes may', async () => {
    const relu = (shape?: string[]) =>
      read({ nodes: [{ op: 'Relu', name: 'n', inputs: ['X'], outputs: ['Y'] }], outputs: ['Y'], inputs: [{ name: 'X', ...(shape && { shape }) }] }); // prettier-ignore
    await expect(relu()).rejects.toThrow("input 'X' of the graph has no shape; { onnx: { inputShapes } } says it");
    await expect(relu(['', '', ''])).rejects.toThrow(/rows of features; \{ onnx: \{ inputShapes \} \} says how many/);
  });
});

describe('refused by name', () => {
  test.each<[string, Wanted, RegExp]>([
    [
      'R of a GRU',
      { shapes: { R: [1, 9, H] } },
      /^LSTM node 'n': its R has shape \[1, 9, 3\]; expected \[1, 4 n, n\]$/,
    ],
    ['R of an LSTM', { op: 'RNN', shapes: { R: [1, 12, H] } }, /^RNN node 'n': its R .*; expected \[1, n, n\]$/],
    ['W of a GRU', { shapes: { W: [1, 9, I] } }, /its W has shape \[1, 9, 2\]; expected \[1, 12, n\]/],
    ['half of B', { shapes: { B: [1, 12] } }, /its B has shape \[1, 12\]; expected \[1, 24\]/],
    [
      'B of one direction',
      { op: 'RNN', directions: 2, shapes: { B: [1, 6] }, attributes: { direction: 'bidirectional' } },
      /its B has shape \[1, 6\]; expected \[2, 6\]/,
    ],
    [
      'P of four parts',
      { more: ['', '', '', '', 'P'], shapes: { P: [1, 12] } },
      /^LSTM node 'n': its P has shape \[1, 12\]; expected \[1, 9\]$/,
    ],
    [
      'P of two dimensions too many',
      { more: ['', '', '', '', 'P'], shapes: { P: [1, 1, 9] } },
      /its P has shape \[1, 1, 9\]/,
    ],
    ['P that is an input', { more: ['', '', '', '', 'h0'] }, /its P \('h0'\) is not stored in the file/],
    [
      'a stored initial_c of another size',
      { more: ['', '', '', 'c0'], shapes: { c0: [1, 1, 4] } },
      /its initial_c is a constant \[1, 1, 4\] that does not fit 1 direction\(s\) of 3/,
    ],
    [
      'an initial_c of two directions',
      {
        more: ['', '', '', 'c1'],
        inputs: [
          { name: 'X', shape: ['t', 'b', I] },
          { name: 'c1', shape: [2, 'b', H] },
        ],
      },
      /its initial_c is \[2, batch, 3\]; expected \[1, batch, 3\]/,
    ],
    [
      'input_forget that is no flag',
      { attributes: { input_forget: 2 } },
      /attribute 'input_forget' is 2; expected 0 or 1/,
    ],
    [
      'an attribute of GRU',
      { attributes: { linear_before_reset: 1 } },
      /attribute 'linear_before_reset' is not supported/,
    ],
    [
      'an attribute of LSTM',
      { op: 'RNN', attributes: { input_forget: 1 } },
      /attribute 'input_forget' is not supported/,
    ],
    [
      'two functions',
      { attributes: { activations: ['Sigmoid', 'Tanh'] } },
      /lists 2 functions; expected 3, three a direction/,
    ],
    [
      'three functions',
      { op: 'RNN', attributes: { activations: ['Tanh', 'Tanh', 'Tanh'] } },
      /lists 3 functions; expected 1, one a direction/,
    ],
    ['an input of LSTM', { op: 'RNN', more: ['', '', '', 'c1'] }, /has 7 inputs; opset 22 has at most 6/],
    ['nine inputs', { more: ['', '', '', '', '', 'h0'] }, /has 9 inputs; opset 22 has at most 8/],
    ['layout 1 before it was', { opset: 13, attributes: { layout: 1 } }, /'layout' 1 is not supported in opset 13/],
  ])('%s', async (_, wanted, message) => {
    await expect(read(wanted)).rejects.toMatchObject({
      name: 'GruError',
      message: expect.stringMatching(message) as string,
    });
  });
});

test('a layer that an exporter wrote as a loop, or unrolled, is refused with what can be done', async () => {
  const of = (op: string) => read({ nodes: [{ op, name: 'n', inputs: ['X'], outputs: ['Y'] }], outputs: ['Y'] });
  await expect(of('Loop')).rejects.toThrow("Loop node 'n': attribute 'body' is missing");
  await expect(of('SplitToSequence')).rejects.toThrow(/SplitToSequence \(node 'n'\).*export with dynamo: False/);
});

describe('a node by itself', () => {
  const uses = ({ report }: ImportedModel) => report.graph!.inputs.map(({ name, use, slot }) => [name, use, slot]);
  const lone = (wanted: Wanted) =>
    read({
      ...wanted,
      onnx: { node: 'n' },
      inputs: [{ name: 'h0', shape: ['?', '?', '?', '?'] }],
    });

  test('takes both initial states, and gives all three outputs', async () => {
    const model = await lone({});
    expect(uses(model)).toEqual([
      ['X', 'values', undefined],
      ['initial_h', 'states', 'hidden'],
      ['initial_c', 'states', 'cell'],
    ]);
    expect(model.report.graph!.outputs.map(({ name }) => name)).toEqual(['Y', 'Y_h', 'Y_c']);
    const X = { data: new Float32Array(2 * I), shape: [1, 2, I] };
    const state = (start: number) => ({
      data: Float32Array.from({ length: 2 * H }, (_, i) => start + i),
      shape: [1, 2, H],
    });
    expect(bindInputs(model.report.graph!, { X }).initialStates).toEqual({});
    expect(bindInputs(model.report.graph!, { X, initial_c: state(9) }).initialStates).toEqual({
      n: { cell: state(9) },
    });
    expect(bindInputs(model.report.graph!, { X, initial_h: state(0), initial_c: state(9) }).initialStates).toEqual({
      n: { hidden: state(0), cell: state(9) },
    });
  });

  test('an RNN takes one, without a slot', async () => {
    const model = await lone({ op: 'RNN' });
    expect(uses(model)).toEqual([
      ['X', 'values', undefined],
      ['initial_h', 'states', undefined],
    ]);
    expect(model.report.graph!.outputs.map(({ name }) => name)).toEqual(['Y', 'Y_h']);
  });

  test('where the graph computes one, both are inputs; where it is left out, zeros', async () => {
    const model = await lone({ more: ['', 'h0', 'h0'] });
    expect(uses(model).map(([name, use]) => [name, use])).toEqual([
      ['X', 'values'],
      ['sequence_lens', 'lengths'],
      ['initial_h', 'values'],
      ['initial_c', 'values'],
    ]);
    const [, , hidden, cell] = model.report.graph!.inputs;
    expect(hidden).not.toHaveProperty('fallback');
    expect(cell!.fallback).toEqual(new Float32Array(H));
  });

  test('what the file stores is taken where it is left out', async () => {
    const model = await lone({
      directions: 2,
      more: ['', '', '', 'c0', 'P'],
      attributes: { direction: 'bidirectional' },
    });
    const [, hidden, cell] = model.report.graph!.inputs;
    expect(hidden!.fallback).toEqual(new Float32Array(2 * H));
    expect(cell!.fallback).toEqual(Float32Array.of(1, 2, 3, 1.5, 2.5, 3.5));
    expect(layers(model)[0].initialState).toEqual(['initial_h.0', 'initial_h.1', 'initial_c.0', 'initial_c.1']);
    expect(layers(model)[0].weights).toHaveProperty(['forward.peepholes']);
  });

  test.each<Op>(['LSTM', 'RNN'])(
    '%s starts from the states that runOnnx is given, as in the whole graph',
    async (op) => {
      const random = new Random(5);
      const floats = (...shape: number[]) => ({ data: random.floats(shape.reduce((n, d) => n * d, 1)), shape });
      const X = floats(4, 2, I);
      const [initial_h, initial_c] = [floats(2, 2, H), floats(2, 2, H)];
      const wanted = { op, directions: 2, attributes: { direction: 'bidirectional' }, scale: 1e-4 };
      const run = async (model: ImportedModel, tensors: Record<string, TensorLike>) => {
        const compiled = await js.api.createModel(model.spec);
        return runOnnx({ report: model.report, run: compiled.run.bind(compiled) }, tensors);
      };
      const whole = await read({ ...wanted, more: ['B', '', 'h0', ...(op === 'LSTM' ? ['c1'] : [])] });
      const expected = await run(whole, { X, h0: initial_h, ...(op === 'LSTM' && { c1: initial_c }) });
      const states = { initial_h, ...(op === 'LSTM' && { initial_c }) };
      const got = await run(await lone(wanted), { X, ...states });
      expect(got).toEqual(expected);
      const zeros = await run(await lone(wanted), { X });
      expect(zeros['Y']).not.toEqual(expected['Y']);
    },
  );
});
