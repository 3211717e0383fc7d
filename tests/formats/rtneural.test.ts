import { describe, expect, test } from 'vitest';
import { FORMATS } from '../../ts/formats/index.ts';
import { readRtneural } from '../../ts/formats/rtneural.ts';
import { readNested } from '../../ts/io/nested.ts';
import { readStateDict } from '../../ts/formats/pytorch.ts';
import { createModel, loadModel } from '../../ts/api/js.ts';
import { refusal, refusalOf } from './refusal.ts';

/** JSON of audio effects: each field changes the model or is refused. The recorded cases are in tests/cases. */

type Json = Record<string, unknown>;
const file = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const grid = (...shape: number[]): unknown => {
  const [n, ...inner] = shape;
  return n === undefined ? 0.25 : Array.from({ length: n }, () => grid(...inner));
};
const shape = (n: number) => [null, null, n];
const DENSE = { type: 'dense', activation: '', shape: shape(1), weights: [grid(3, 1), [0.5]] };
const GRU = { type: 'gru', activation: 'tanh', shape: shape(3), weights: [grid(2, 9), grid(3, 9), grid(2, 9)] };
const MODEL = { in_shape: shape(2), layers: [GRU, DENSE] };
const read = (json: unknown) => readRtneural(file(json), { name: 'm.json' });
const withGru = (fields: Json) => ({ ...MODEL, layers: [{ ...GRU, ...fields }, DENSE] });
const withDense = (fields: Json) => ({ ...MODEL, layers: [GRU, { ...DENSE, ...fields }] });

describe('layers of RTNeural', () => {
  test('are read one after the other', async () => {
    const { spec, report } = await read({ ...MODEL, layers: [GRU, { ...DENSE, shape: shape(3), weights: [grid(3, 3)] }, DENSE] });
    expect(spec.layers.map(({ name, inputs }) => [name, inputs])).toEqual([['gru', ['input']], ['dense', ['gru']], ['dense_1', ['dense']]]);
    expect(report.tensors).toContainEqual({ source: 'layers[2].weights[1]', shape: [1], dtype: 'float', target: 'dense_1/bias' });
    expect(spec.outputs).toEqual([{ name: 'output', from: 'dense_1' }]);
  }); // prettier-ignore

  test('each field changes the model', async () => {
    const activation = { type: 'activation', activation: 'relu', shape: shape(3), weights: [] };
    const variants: Json[] = [
      MODEL,
      { ...MODEL, in_gain: 3 },
      { ...MODEL, in_gain: -3 },
      { ...MODEL, in_gain: -90 },
      { ...MODEL, out_gain: 3 },
      { ...MODEL, in_skip: 1 },
      withGru({ weights: [grid(2, 9), grid(3, 9)] }),
      withDense({ activation: 'tanh' }),
      withDense({ activation: 'softmax' }),
      withDense({ weights: [grid(3, 1)] }),
      { ...MODEL, layers: [GRU, activation, DENSE] },
      { ...MODEL, layers: [{ ...GRU, type: 'lstm', weights: [grid(2, 12), grid(3, 12), grid(12)] }, DENSE] },
      { ...MODEL, layers: [{ ...GRU, type: 'lstm', weights: [grid(2, 12), grid(3, 12)] }, DENSE] },
    ];
    const specs = await Promise.all(variants.map(async (json) => (await read(json)).spec));
    expect(new Set(specs.map((spec) => JSON.stringify(spec))).size).toBe(variants.length);
    for (const spec of specs) (await createModel(spec)).dispose();
    const same = [{ ...MODEL, metadata: { a: 1 }, samplerate: 48000, in_gain: 0, in_skip: 0 }, withGru({ activation: '' })];
    for (const json of same) expect((await read(json)).spec).toEqual(specs[0]);
  }); // prettier-ignore

  test('gains are decibels on channel 0, below -90 silence; the skipped input is the amplified one', async () => {
    const pass = { type: 'dense', activation: '', shape: shape(1), weights: [[[1], [1]]] };
    const run = async (json: Json) => {
      using model = await createModel((await read({ in_shape: shape(2), layers: [pass], ...json })).spec);
      return model.run({ data: Float32Array.of(2, 5), shape: [1, 1, 2] }).outputs['output']!.data[0]!;
    };
    expect(await run({})).toBe(7);
    expect(await run({ in_gain: 20 })).toBe(25);
    expect(await run({ in_gain: -90 })).toBe(5);
    expect(await run({ out_gain: 20 })).toBe(70);
    expect(await run({ in_skip: 1, in_gain: 20, out_gain: 20 })).toBe(450);
  });

  test.each<[string, unknown, RegExp]>([
    ['an unknown field', { ...MODEL, dither: 1 }, /unsupported: m\.json has the field 'dither'/],
    ['unknown types, all of them', { ...MODEL, layers: [{ ...GRU, type: 'conv2d' }, { ...DENSE, type: 'unknown' }] }, /unsupported: .*layers\[0\] 'conv2d', layers\[1\] 'unknown'; supported: dense/],
    ['a type of the prototype', { ...MODEL, layers: [{ ...GRU, type: 'constructor' }] }, /'constructor'/],
    ['an unknown field of a layer', withGru({ dropout: 1 }), /unsupported: .*layers\[0\] \(gru\): has the field 'dropout'/],
    ['an unknown activation', withDense({ activation: 'gelu' }), /unsupported: .*activation is the string 'gelu'; supported: tanh/],
    ['another activation of a cell', withGru({ activation: 'relu' }), /unsupported: .*'relu'; RTNeural knows tanh only/],
    ['no layers', { ...MODEL, layers: [] }, /invalid_file: .*has no layers/],
    ['no layers, and a skip', { in_shape: shape(1), layers: [], in_skip: 1, in_gain: 3 }, /invalid_file: .*has no layers/],
    ['a gain of more channels than a file this small could have', { in_shape: shape(2 ** 32), layers: [GRU], in_gain: 3 }, /unsupported: m\.json: in_gain of 4294967296 channels; supported: 1024/],
    ['a gain of as many as would take gigabytes', { in_shape: shape(30_000), layers: [GRU], in_gain: 3 }, /unsupported: .*in_gain of 30000 channels/],
    ['a layer of no type', { ...MODEL, layers: [3] }, /invalid_file: .*layers\[0\]/],
    ['no size', { ...MODEL, in_shape: [null, null, null] }, /invalid_file: .*in_shape/],
    ['a size of 0', withGru({ shape: shape(0) }), /invalid_file: .*shape/],
    ['an image', { ...MODEL, in_shape: [null, null, 4, 2] }, /unsupported: .*in_shape has 4 axes/],
    ['weights of another shape', withDense({ weights: [grid(2, 1)] }), /invalid_file: .*weights\[0\] has shape \[2, 1\], it takes \[3, 1\]/],
    ['too many weights', withDense({ weights: [grid(3, 1), [1], [1]] }), /invalid_file: .*has 3 arrays/],
    ['weights of text', withDense({ weights: [[['a'], ['b'], ['c']]] }), /invalid_file: .*is no number/],
    ['no list of weights', withDense({ weights: {} }), /invalid_file: .*weights/],
    ['an activation of another size', { ...MODEL, layers: [{ type: 'activation', activation: 'relu', shape: shape(3), weights: [] }] }, /invalid_file: .*ends in 3, its input has 2/],
    ['a gain beyond all numbers', { ...MODEL, out_gain: 1e308 }, /invalid_file: .*out_gain is 1e\+308 dB, more than a float32 holds/],
    ['a gain of text', { ...MODEL, in_gain: '3' }, /invalid_file: .*in_gain/],
    ['a skip of 2', { ...MODEL, in_skip: 2 }, /unsupported: .*in_skip is 2/],
    ['a skip to several outputs', { ...MODEL, layers: [GRU], in_skip: 1 }, /unsupported: .*in_skip with 3 outputs/],
    ['neither format', { in_shape: shape(2) }, /invalid_file: .*neither/],
  ])('refused: %s', async (_, json, message) => {
    expect(await refusalOf(read(json))).toMatch(message);
  }); // prettier-ignore
});

describe("GuitarML's state dict", () => {
  const data = {
    model: 'SimpleRNN',
    input_size: 2,
    skip: 1,
    output_size: 1,
    unit_type: 'GRU',
    num_layers: 1,
    hidden_size: 3,
    bias_fl: true,
  };
  const state = {
    'rec.weight_ih_l0': grid(9, 2),
    'rec.weight_hh_l0': grid(9, 3),
    'rec.bias_ih_l0': grid(9),
    'rec.bias_hh_l0': grid(9),
    'lin.weight': grid(1, 3),
    'lin.bias': [0.5],
  };
  const of = (fields: Json, more: Json = {}) =>
    read({ model_data: { ...data, ...fields }, state_dict: { ...state, ...more } });

  test('adds as much of its input as it says', async () => {
    const two = { 'lin.weight': grid(2, 3), 'lin.bias': [0, 0] };
    const variants: [Json, Json][] = [[{}, {}], [{ skip: 0 }, {}], [{ output_size: 2, skip: 1 }, two], [{ output_size: 2, skip: 2 }, two]];
    const ends: unknown[] = [];
    for (const [fields, more] of variants) {
      const { spec } = await of(fields, more);
      (await createModel(spec)).dispose();
      ends.push(spec.layers.slice(2).map(({ type }) => type));
    }
    expect(ends).toEqual([['slice', 'merge'], [], ['dense', 'merge'], ['merge']]);
  }); // prettier-ignore

  test.each<[string, Json, Json, RegExp]>([
    ['another model', { model: 'RecNet' }, {}, /unsupported: .*'RecNet'; supported: SimpleRNN/],
    ['an unknown field', { conv: 1 }, {}, /unsupported: .*'conv'/],
    ['an unknown unit', { unit_type: 'QRNN' }, {}, /unsupported: .*'QRNN'; supported: GRU, LSTM, RNN/],
    ['another unit than its tensors', { unit_type: 'LSTM' }, {}, /which is that of nn\.GRU/],
    ['another size', { hidden_size: 4 }, {}, /invalid_file: .*hidden_size is 4, its tensors have 3/],
    ['another number of layers', { num_layers: 2 }, {}, /num_layers is 2, its tensors have 1/],
    ['a bias that is not said', { bias_fl: false }, {}, /invalid_file: .*bias_fl is false, and 'lin\.bias' is there/],
    ['a skip of more than there is', { skip: 3 }, {}, /unsupported: .*skip is 3/],
    ['a skip of another number than the outputs', { skip: 2 }, {}, /unsupported: .*skip is 2/],
    ['a tensor that is not used', {}, { 'x.weight': [1] }, /unsupported: .*'x\.weight'/],
    ['a skip between many channels', { input_size: 1100, output_size: 1000, skip: 1 }, { 'rec.weight_ih_l0': grid(9, 1100), 'lin.weight': grid(1000, 3), 'lin.bias': grid(1000) }, /unsupported: .*skip of 1100 channels; supported: 1024/],
    ['what is no tensor', {}, { x: 'text' }, /invalid_file: .*'x' is the string 'text', no list/],
  ])('refused: %s', async (_, fields, more, message) => {
    expect(await refusalOf(of(fields, more))).toMatch(message);
  }); // prettier-ignore

  test('refused: parts of another type', async () => {
    expect(await refusalOf(read({ model_data: 3, state_dict: {} }))).toMatch(/invalid_file: .*model_data is 3/);
    expect(await refusalOf(read({ model_data: data }))).toMatch(/invalid_file: .*state_dict/);
  });
});

test.each<[string, unknown, string]>([
  ['layers and sizes', MODEL, 'RTNeural'],
  ['weights before sizes', { layers: [{ ...DENSE, weights: grid(40, 40) }], in_shape: [3] }, 'RTNeural'],
  ["AIDA-X's metadata first", { metadata: { name: 'format' }, ...MODEL }, 'RTNeural'],
  ["GuitarML's", { model_data: {}, state_dict: {} }, 'RTNeural'],
  ["GuitarML's, the weights first", { state_dict: { a: grid(60, 60) }, model_data: {} }, 'RTNeural'],
  ['a state dict', { 'rec.weight': grid(2, 2) }, 'PyTorch'],
  ['a state dict of a vector', { b: [-1] }, 'PyTorch'],
  ['TensorFlow.js', { format: 'layers-model', modelTopology: { layers: [] }, weightsManifest: [] }, 'TensorFlow.js'],
])('a file of %s is found by its content', (_, json, format) => {
  expect(FORMATS.find(({ detect }) => detect(file(json)))?.name).toBe(format);
});

describe('nested lists', () => {
  test.each<[unknown, number[], number[]]>([
    [3, [], [3]],
    [[1, 2], [2], [1, 2]],
    [
      [[1], [2]],
      [2, 1],
      [1, 2],
    ],
    [[], [0], []],
    [[[], []], [2, 0], []],
  ])('%j', (value, axes, values) => {
    const read = readNested(value, 'w');
    expect([read.shape, [...read.data]]).toEqual([axes, values]);
  });

  test.each<[unknown, RegExp]>([
    [[[1, 2], [3]], /invalid_file: w: its rows are not alike: lists of 2 items and one of 1/],
    [[[1, 2], 3], /its rows are not alike/],
    [[1, [2]], /is no number/],
    [[1, null], /is no number/],
    ['a', /is no number/],
    [[[[[[[[[[1]]]]]]]]], /more than 8 axes/],
  ])('refused: %j', (value, message) => {
    expect(refusal(() => readNested(value, 'w'))).toMatch(message);
  });

  test('are those of a state dict too; deep and broken ones are refused', async () => {
    const { dict } = await readStateDict(file({ w: [[1, 2]] }));
    expect([...dict.keys()]).toEqual(['w']);
    for (const text of [`{"w":${'['.repeat(2000)}1`, '{"w":[1', `{"w":[1],"x":"y"}`]) {
      expect(await refusalOf(readStateDict(new TextEncoder().encode(text)))).toMatch(/^invalid_file/);
      expect(await refusalOf(loadModel(new TextEncoder().encode(text)))).toMatch(/^invalid_file/);
    }
  });
});
