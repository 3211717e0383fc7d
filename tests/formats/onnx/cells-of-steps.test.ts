import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { inspect, type Tensor } from '../../../ts/index.ts';
import { runOnnx } from '../../../ts/formats/onnx.ts';
import { BACKENDS } from '../../backends.ts';
import { expectError, numbers } from '../../facade/helpers.ts';
import { onnxModel, tensor, type Info, type Node } from './build.ts';

/** What PyTorch makes of them is in tests/cases: cells that are exported as one step, by tests/fixtures/onnx/make_cells.py. */
const fixture = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../../fixtures/cases/onnx_cells_${name}.onnx`, import.meta.url))));

const CELLS: [file: string, states: Record<string, string>, layers: string[]][] = [
  ['gru/legacy', { h: 'hn' }, ['gru']],
  ['gru/dynamo', { h: 'hn' }, ['gru']],
  ['rnn/legacy', { h: 'hn' }, ['rnn']],
  ['lstm/dynamo', { h: 'hn', c: 'cn' }, ['lstm']],
  ['stack/legacy', { h: 'hn' }, ['gru', 'dense', 'gru', 'merge']],
  ['tagger/dynamo', { h: 'hn', c: 'cn' }, ['embedding', 'norm', 'lstm', 'merge', 'dense']],
];

describe.each(BACKENDS)('one step as a file, on $name', ({ api }) => {
  test.each(CELLS)('%s is recurrent layers, whose streams are its runs', async (file, states, layers) => {
    using model = await api.loadModel(fixture(file), { onnx: { states } });
    expect(model.layers.map(({ type }) => type)).toEqual(layers);
    expect(model.inputs).toHaveLength(1);
    const isIds = model.inputs[0]!.dtype === 'int32';
    const [steps, size] = [9, isIds ? 1 : 4];
    const x = isIds ? Int32Array.from({ length: steps }, (_, t) => (7 * t) % 10) : numbers(steps * size);
    const whole = model.run(x).output;
    expect(whole.shape[0]).toBe(steps);
    using stream = model.createStream();
    const given = Array.from({ length: steps }, (_, t) => [...stream.step(x.subarray(size * t, size * (t + 1)))]);
    expect(given.flat()).toEqual([...whole.data]);
  });

  test('runOnnx runs a step, from zeros or from states', async () => {
    using before = await api.loadModel(fixture('lstm/legacy'));
    using model = await api.loadModel(fixture('lstm/legacy'), { onnx: { states: { h: 'hn', c: 'cn' } } });
    const f32 = (seed: number, size: number) => ({ data: numbers(2 * size, seed), shape: [2, size] });
    const feeds = { x: f32(1, 4), h: f32(2, 6), c: f32(3, 6) };
    const zeros = { data: new Float32Array(12), shape: [2, 6] };
    for (const [given, all] of [
      [feeds, feeds],
      [{ x: feeds.x }, { ...feeds, h: zeros, c: zeros }],
    ] as const) {
      const [got, wanted] = [runOnnx(model, given), runOnnx(before, all)];
      expect(Object.keys(got)).toEqual(['hn', 'cn']);
      for (const [name, { data, shape }] of Object.entries(wanted)) {
        expect(got[name]!.shape).toEqual(shape);
        for (const [i, value] of data.entries()) expect(got[name]!.data[i]).toBeCloseTo(value, 5);
      }
    }
  });
});

test('a report says which states could be kept, and where the tensors of a cell went', async () => {
  const hint = async (file: Uint8Array) =>
    (await inspect(file)).conventions.find((text) => text.includes('as streams need them')) ?? '';
  expect(await hint(fixture('stack/dynamo'))).toContain('{ onnx: { states: { "h": "hn" } } }');
  expect(await hint(fixture('tagger/legacy'))).toContain('{ onnx: { states: { "h": "hn", "c": "cn" } } }');
  expect(await hint(step())).toContain('{ onnx: { states: { "h": "hn" } } }');
  expect(await hint(step({ reads: true }))).toBe('');
  const { tensors } = await inspect(fixture('tagger/legacy'), { onnx: { states: { h: 'hn', c: 'cn' } } });
  expect(tensors.map(({ source, target }) => [source, target])).toContainEqual([
    'cell.weight_hh',
    '/cell/Mul_2 (cell)',
  ]);
  expect(tensors.map(({ source, target }) => [source, target])).toContainEqual(['head.weight', '/head/Gemm/kernel']);
});

/** tanh(U x + W h): with a value that reads the state before the step, with another function, or with one that takes x too. */
function step({ reads = false, op = 'Tanh', x = true, gate = false } = {}): Uint8Array {
  const node = (name: string, inputs: string[], output: string): Node => ({ op: name, inputs, outputs: [output] });
  const info = (name: string, size: number): Info => ({ name, shape: ['batch', size] });
  return onnxModel({
    nodes: [
      node('MatMul', ['x', 'U'], 'u'),
      node('MatMul', ['h', 'W'], 'w'),
      node('Add', [x ? 'u' : 'b', 'w'], 's'),
      node(op, ['s'], 'hn'),
      node('Sigmoid', ['u'], 'y'),
      ...(reads ? [node('Relu', ['h'], 'r')] : []),
      ...(gate ? [node('Sigmoid', ['w'], 'g')] : []),
    ],
    inputs: [info('x', 4), info('h', 3)],
    outputs: ['y', 'hn', ...(reads ? ['r'] : []), ...(gate ? ['g'] : [])],
    initializers: [tensor('U', [4, 3], numbers(12)), tensor('W', [3, 3], numbers(9)), tensor('b', [3], numbers(3))],
  });
}

test.each<[string, Uint8Array, Record<string, string>, string[]]>([
  ["one of an LSTM's two", fixture('lstm/legacy'), { h: 'hn' }, ['of an LSTM both', "give 'h' what the call before gave as 'hn'"]],
  ["an LSTM's two exchanged", fixture('lstm/legacy'), { h: 'cn', c: 'hn' }, ['it has a cell state']],
  ['a state that goes on as another output', step(), { h: 'y' }, ['no step of GRUs, LSTMs or simple RNNs']],
  ['a state that something else reads', step({ reads: true }), { h: 'hn' }, ["'h' is more"]],
  ['a part of a cell that is an output', step({ gate: true }), { h: 'hn' }, ["'h' is more"]],
  ['a function that is no activation', step({ op: 'Softmax' }), { h: 'hn' }, ['it has softmax']],
  ['a cell that reads no input', step({ x: false }), { h: 'hn' }, ['reads no step of a sequence']],
  ['the input of the model', step(), { x: 'hn' }, ["states['x']", "'x' is more"]],
])('refused: %s', async (_, file, states, texts) => {
  await expectError(() => inspect(file, { onnx: { states } }), 'unsupported', ...texts);
}); // prettier-ignore

/** Steps of 3 units, `made` of x (4), h and what is computed of them before: u = W h, m = one number of x. */
function narrow(...made: [op: string, inputs: string[], output: string][]): Uint8Array {
  const node = (op: string, inputs: string[], output: string): Node => ({ op, inputs, outputs: [output] });
  return onnxModel({
    nodes: [node('MatMul', ['h', 'W'], 'u'), node('MatMul', ['x', 'V'], 'm'), ...made.map((one) => node(...one))],
    inputs: [
      { name: 'x', shape: ['batch', 4] },
      { name: 'h', shape: ['batch', 3] },
    ],
    outputs: ['hn'],
    initializers: [
      tensor('W', [3, 3], numbers(9)),
      tensor('U', [4, 3], numbers(12)),
      tensor('V', [4, 1], numbers(4)),
      tensor('V3', [3, 1], numbers(3)),
      tensor('one', [], [1]),
      tensor('b', [3], numbers(3)),
    ],
  });
}

const NARROW: [what: string, file: Uint8Array][] = [
  ['a product', narrow(['Add', ['u', 'm'], 's'], ['Tanh', ['s'], 'hn'])],
  ['a product first, taken away', narrow(['Sub', ['m', 'u'], 's'], ['Tanh', ['s'], 'hn'])],
  ['a function of a product', narrow(['Sigmoid', ['m'], 'g'], ['Add', ['u', 'g'], 's'], ['Tanh', ['s'], 'hn'])],
  ['a scaled product', narrow(['Mul', ['m', 'b'], 'k'], ['Add', ['u', 'k'], 's'], ['Tanh', ['s'], 'hn'])],
  [
    'a gate',
    narrow(
      ['MatMul', ['h', 'V3'], 'r'],
      ['Add', ['m', 'r'], 'a'],
      ['Sigmoid', ['a'], 'z'],
      ['MatMul', ['x', 'U'], 'w'],
      ['Add', ['w', 'u'], 'q'],
      ['Sigmoid', ['q'], 'g'],
      ['Mul', ['g', 'u'], 'v'],
      ['Add', ['w', 'v'], 'c'],
      ['Tanh', ['c'], 'n'],
      ['Sub', ['h', 'n'], 'd'],
      ['Mul', ['z', 'd'], 'p'],
      ['Add', ['n', 'p'], 'hn'],
    ),
  ],
];

describe.each(BACKENDS)('one number beside the units, on $name', ({ api }) => {
  test.each(NARROW)('%s', async (_, file) => {
    using kept = await api.loadModel(file, { onnx: { states: { h: 'hn' } } });
    using plain = await api.loadModel(file);
    const x = numbers(20);
    const whole = kept.run(x).output.data;
    let h: Tensor = { data: new Float32Array(3), shape: [1, 3] };
    for (let t = 0; t < 5; t++) {
      h = runOnnx(plain, { x: { data: x.subarray(4 * t, 4 * t + 4), shape: [1, 4] }, h })['hn']!;
      for (const [i, value] of h.data.entries()) expect(whole[3 * t + i]).toBeCloseTo(value, 5);
    }
  });
});
