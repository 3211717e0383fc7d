import { describe, expect, test } from 'vitest';
import { findFormat } from '../../ts/formats/format.ts';
import { FORMATS, readModel } from '../../ts/formats/index.ts';
import { PathWeights } from '../../ts/formats/keras/h5-weights.ts';
import type { KerasLayer } from '../../ts/formats/keras/config.ts';
import { openHdf5 } from '../../ts/formats/hdf5.ts';
import { MASK_OPERATIONS } from '../../ts/formats/keras/layers/mask-ops.ts';
import { OPERATIONS, TF_FUNCTIONS, TF_NODES } from '../../ts/formats/keras/layers/operations.ts';
import { input3 as input, KERAS2, KERAS3, read, refusal, tensor3 as tensor } from './keras-made.ts';
import { writeH5 } from './h5-writer.ts';

interface Node {
  args: unknown[];
  kwargs: Record<string, unknown>;
}
const x = input('x', null, 4);
const v = input('v', 4);
const operation = (className: string, args: unknown[], kwargs: Record<string, unknown> = {}, config = {}) => ({
  module: 'keras.src.ops.numpy',
  class_name: className,
  name: 'g',
  config: { name: 'g', ...config },
  inbound_nodes: [{ args, kwargs } satisfies Node],
});
const old = (className: string, config: object, inputs: string[], kwargs: object = {}) => ({
  class_name: className,
  name: 'g',
  config: { name: 'g', trainable: true, dtype: 'float32', ...config },
  inbound_nodes: [inputs.map((name) => [name, 0, 0, kwargs])],
});
const lastOf = (layers: object[], dialect = KERAS3) => read(layers, { dialect }).spec.layers.at(-1);
const slice = (start: number | null, stop: number | null, step: number | null = null) => ({
  class_name: '__slice__',
  config: { start, stop, step },
});
const ALL = slice(null, null);

test('the tables of TensorFlow name operations that there are', () => {
  for (const name of [...Object.values(TF_FUNCTIONS), ...Object.values(TF_NODES)])
    expect({ ...OPERATIONS, ...MASK_OPERATIONS }).toHaveProperty(name);
});

describe('forms of Keras 2', () => {
  test.each<[string, object, object]>([
    [
      'x + constant',
      old('TFOpLambda', { function: '__operators__.add' }, ['x'], { y: 2, name: null }),
      { type: 'activation', activation: { name: 'affine', alpha: 1, beta: 2 } },
    ],
    [
      'a node of TensorFlow 2.3',
      old('TensorFlowOpLayer', { node_def: { op: 'Sub' }, constants: { 0: 1 } }, ['x']),
      { type: 'activation', activation: { name: 'affine', alpha: -1, beta: 1 } },
    ],
    [
      'x[:, -1] of TensorFlow 2.3',
      old(
        'TensorFlowOpLayer',
        {
          node_def: {
            op: 'StridedSlice',
            attr: {
              T: { type: 'DT_FLOAT' },
              begin_mask: { i: '5' },
              end_mask: { i: '5' },
              shrink_axis_mask: { i: '2' },
            },
          },
          constants: { 1: [0, -1, 0], 2: [0, 0, 0], 3: [1, 1, 1] },
        },
        ['x'],
      ),
      { type: 'step', index: -1 },
    ],
    [
      'tf.concat',
      old('TFOpLambda', { function: 'concat' }, ['x', 'x'], { axis: 2 }),
      { type: 'merge', merge: 'concat' },
    ],
    [
      'tf.cast(x, tf.int32)',
      old('TFOpLambda', { function: 'cast' }, ['x'], { dtype: 'int32', name: null }),
      { type: 'merge', merge: 'sub' },
    ],
    [
      'tf.nn.softmax(x), whose axis is None',
      old('TFOpLambda', { function: 'nn.softmax' }, ['x'], { axis: null, name: null }),
      { type: 'activation', activation: 'softmax' },
    ],
    [
      'tf.reduce_sum(x, 1)',
      old('TFOpLambda', { function: 'math.reduce_sum' }, ['x'], { axis: 1, keepdims: false, name: null }),
      { type: 'reduce', reduce: 'sum' },
    ],
    ['tf.sin', old('TFOpLambda', { function: 'math.sin' }, ['x'], { name: null }), { type: 'sine', inputs: ['x'] }],
    ['tf.cos', old('TFOpLambda', { function: 'math.cos' }, ['x'], { name: null }), { type: 'sine', cosine: true }],
    ['tf.nn.relu', old('TFOpLambda', { function: 'nn.relu' }, ['x'], { name: null }), { type: 'activation' }],
    [
      'x[..., 1:3]',
      old('SlicingOpLambda', { function: '__operators__.getitem' }, ['x'], {
        slice_spec: [{ class_name: '__ellipsis__' }, { start: 1, stop: 3, step: null }],
      }),
      { type: 'slice', start: 1, size: 2 },
    ],
  ])('%s', (_, layer, expected) => {
    expect(lastOf([x, layer], KERAS2)).toMatchObject(expected);
  });
});

describe('refused, with what is supported', () => {
  test.each<[string, object[], RegExp]>([
    ['x[:, 2]', [x, operation('GetItem', [tensor('x'), [ALL, 2]])], /takes step 2 .* not fix; supported: x\[:, 0\]/],
    ['x[:, 2:4]', [x, operation('GetItem', [tensor('x'), [ALL, slice(2, 4)]])], /steps 2:4, .*supported where/],
    ['x[:, 9:] of 6', [input('x', 6, 4), operation('GetItem', [tensor('x'), [ALL, slice(9, null)]])], /takes no steps/],
    ['x[:, 6] of 6', [input('x', 6, 4), operation('GetItem', [tensor('x'), [ALL, 6]])], /takes step 6 of 6 steps/],
    ['x[1:]', [x, operation('GetItem', [tensor('x'), [slice(1, null)]])], /takes a part of the batch/],
    ['x[:, ::0]', [x, operation('GetItem', [tensor('x'), [ALL, slice(null, null, 0)]])], /"step":0/],
    ['x[:, :, 4]', [x, operation('GetItem', [tensor('x'), [ALL, ALL, 4]])], /takes feature 4 of 4/],
    ['v[:, 1]', [v, operation('GetItem', [tensor('v'), [ALL, 1]])], /leaves no axis but the batch; x\[:, a:a \+ 1\]/],
    ['x[:, :, :, 1]', [x, operation('GetItem', [tensor('x'), [ALL, ALL, ALL, 1]])], /does not fit 3 dimensions/],
    [
      'squeeze of 4',
      [x, operation('Squeeze', [tensor('x')], {}, { axis: -1 })],
      /takes axis -1 of steps of 4 features away/,
    ],
    [
      'stack of steps',
      [x, operation('Stack', [[tensor('x'), tensor('x')]], {}, { axis: 2 })],
      /stacks steps of 4 features, .* on axis 2/,
    ],
    ['flip of the batch', [x, operation('Flip', [tensor('x')], {}, { axis: 0 })], /axis 0 is not supported/],
    [
      'transpose of the batch',
      [x, operation('Transpose', [tensor('x')], {}, { axes: [1, 0, 2] })],
      /orders the axes .*\[1,0,2\]/,
    ],
    [
      'split into 3',
      [x, operation('Split', [tensor('x')], {}, { indices_or_sections: 3, axis: -1 })],
      /does not cut 4 features into 3/,
    ],
    ['x[:, :, 3:2]', [x, operation('GetItem', [tensor('x'), [ALL, ALL, slice(3, 2)]])], /takes no features/],
    ['x + v', [x, v, operation('Add', [tensor('x'), tensor('v')])], /steps with whole sequences/],
    ['x + "a"', [x, operation('Add', [tensor('x'), 'a'])], /a constant that is no number/],
    [
      'concat over time',
      [x, operation('Concatenate', [[tensor('x'), tensor('x')]], {}, { axis: 1 })],
      /whose number the input shapes have to fix/,
    ],
    ['concat over the batch', [x, operation('Concatenate', [[tensor('x'), tensor('x')]], {}, { axis: 0 })], /axis 0/],
    ['log_softmax over time', [x, operation('LogSoftmax', [tensor('x')], {}, { axis: 1 })], /axis 1/],
    [
      'a sum of features',
      [v, operation('Sum', [tensor('v')], {}, { axis: -1 })],
      /leaves no axis but the batch; supported: over features with keepdims/,
    ],
    [
      'a deviation of features',
      [x, operation('Std', [tensor('x')], {}, { axis: -1 })],
      /axis -1.*supported: 1 \(steps\)/,
    ],
    ['a variance of a vector', [v, operation('Var', [tensor('v')], {}, { axis: 1 })], /axis 1.*supported: 1 \(steps\)/],
    [
      'a mean of all',
      [x, operation('Mean', [tensor('x')], {}, { axis: null })],
      /axis null is not supported; supported: one axis/,
    ],
    [
      'a maximum of at least 3, as an argument',
      [x, operation('Max', [tensor('x')], { axis: 1, initial: 3 })],
      /initial 3/,
    ],
    ['an alpha that is no number', [x, operation('Elu', [tensor('x')], {}, { alpha: [2] })], /alpha must be a number/],
    [
      'a cast to int8',
      [x, operation('Cast', [tensor('x')], {}, { dtype: 'int8' })],
      /to the type "int8"; supported: float16/,
    ],
    [
      'x[:, None] of steps',
      [x, operation('GetItem', [tensor('x'), [ALL, null]])],
      /puts axis 1 into steps of 4 features; supported: x\[:, None\]/,
    ],
    ['a maximum of at least 3', [x, operation('Max', [tensor('x')], {}, { axis: 1, initial: 3 })], /initial 3/],
    [
      'clip without a bound',
      [x, operation('Clip', [tensor('x')], {}, { x_min: 0 })],
      /x_min and x_max must be numbers/,
    ],
    ['a sparse tensor', [x, operation('ConvertToTensor', [tensor('x')], {}, { sparse: true })], /tensors are dense/],
    ['a keyword', [x, operation('Add', [tensor('x'), 1], { out: 3 })], /called with out/],
    ['a field', [x, operation('Add', [tensor('x'), 1], {}, { scale: 3 })], /unknown field 'scale'/],
    ['an operation', [x, operation('Fft', [tensor('x')])], /'g' is of class Fft, an operation; supported: Add/],
    [
      'a function',
      [x, old('TFOpLambda', { function: 'signal.fft' }, ['x'])],
      /\(signal\.fft\); supported: .*math\.add/,
    ],
    ['a node', [x, old('TensorFlowOpLayer', { node_def: { op: 'Fft' } }, ['x'])], /\(Fft\); supported: AddV2/],
  ])('%s', (_, layers, message) => {
    expect(refusal(layers)).toMatch(message);
  });
});

test('all that is not supported is told at once', () => {
  const layer = (className: string, name: string, reads: string, config = {}) => ({
    class_name: className,
    name,
    config: { name, trainable: true, ...config },
    inbound_nodes: [{ args: [tensor(reads)], kwargs: {} }],
  });
  const layers = [
    x,
    layer('Mystery', 'm1', 'x'),
    layer('Dense', 'd', 'm1', { units: 2 }),
    layer('Mystery', 'm2', 'd'),
    layer('Activation', 'r', 'x', { activation: 'sparsemax' }),
    layer('Lambda', 'g', 'm2'),
  ];
  const message = refusal(layers);
  expect(message).toMatch(
    /replace 4 layers or settings .*: Mystery \('m1', 'm2'\); Lambda: its code is Python.*\('g'\); Activation layer 'r': activation 'sparsemax'.*Supported: InputLayer.*GRU/,
  );
  const many = Array.from({ length: 50 }, (_, i) => layer(`Mystery${i}`, i === 49 ? 'g' : `m${i}`, 'x'));
  expect(refusal([x, ...many])).toMatch(/replace 50 .*Mystery19 \('m19'\); and 30 more\. Supported/);
});

test.each<[what: string, operation: string, given: unknown, config: object, expected: RegExp]>([
  ['a table of free steps', 'Add', [[1, 2], [3, 4]], {}, /has an array of 2 steps; supported where the input shape fixes/],
  ['an array of other features', 'Multiply', [1, 2, 3], {}, /has an array of shape \[3\] for 3 axes, the last of 2/],
  ['a row for each of the batch', 'Add', [[[1, 2]], [[3, 4]]], {}, /its array has shape \[2, 1, 2\], which does not fit/],
  ['a list of lists of two lengths', 'Add', [[1], [2, 3]], {}, /takes a tensor/],
  ['what is no number', 'Add', { class_name: 'Thing', config: {} }, {}, /a constant that is no number and no array/],
  ['an array elsewhere', 'Matmul', [[1, 2], [3, 4]], {}, /takes a tensor/],
  ['einsum over two axes', 'Einsum', null, { subscripts: 'btf,btf->b' }, /"btf,btf->b" is not supported; supported: .* btf,bsf->bts/],
  ['einsum of the axes of one', 'Einsum', null, { subscripts: 'bff,btf->bft' }, /"bff,btf->bft" is not supported/],
  ['matmul over features of both', 'Matmul', null, {}, /multiplies features by steps, axes 2 and 1/],
])('%s: refused', (_, className, given, config, expected) => {
  const x = input('x', null, 2);
  const args = [tensor('x'), given ?? tensor('x')];
  const g = { class_name: className, module: 'keras.src.ops.numpy', name: 'g', config: { name: 'g', ...config }, inbound_nodes: [{ args, kwargs: {} }] };
  expect(refusal([x, g])).toMatch(expected);
}); // prettier-ignore

test('errors of a file have its name first', async () => {
  const bytes = new TextEncoder().encode('{"format": "layers-model", "modelTopology": {}, "weightsManifest": []}');
  await expect(readModel(bytes, { name: 'my.json' })).rejects.toThrow(/^my\.json: /);
});

test.each([
  ['.tflite', Uint8Array.of(28, 0, 0, 0, 84, 70, 76, 51, 0, 0), /\.tflite file is not read.*Load the Keras model/],
  ['SavedModel', Uint8Array.of(8, 1, 18, 0x96, 1, 10, 5, 34, 5), /graph \(\.pb\) is not read.*tf2onnx/],
  ['GraphDef', new TextEncoder().encode('\n\x1b\n\x05input\x12\x0bPlaceholder*\x00'), /graph \(\.pb\) is not read/],
])('%s is refused with what to do', (_, bytes, message) => {
  expect(() => findFormat(bytes, FORMATS)).toThrow(expect.objectContaining({ code: 'unsupported' }) as Error);
  expect(() => findFormat(bytes, FORMATS)).toThrow(message);
});

test('files of Keras 2.13 on Windows: the names of groups are paths with backslashes', () => {
  const one = (value: number) => ({
    members: { vars: { members: { 0: { shape: [1], data: Float32Array.of(value) } } } },
  });
  const O = '_layer_checkpoint_dependencies';
  const root = openHdf5(
    writeH5({
      members: {
        [`${O}\\dense`]: one(1),
        [`${O}\\dense_2`]: one(2),
        [`${O}\\sequential\\${O}\\gru\\cell`]: one(3),
      },
    }),
    'file',
  );
  const layer = (className: string): KerasLayer => ({
    ...{ className, name: className, config: {}, isOperation: false },
    ...{ customName: undefined, calls: [], inner: undefined },
  });
  const layers = ['Dense', 'Dense', 'Sequential'].map(layer);
  const weights = new PathWeights(root, layers);
  const inner = layer('GRU');
  const first = (place: number) => weights.layer(layers[place]!).take(0, 'kernel')!.floats()[0];
  expect([first(0), first(1)]).toEqual([1, 2]);
  expect(weights.unused()).toHaveLength(1);
  const nested = weights.layer(layers[2]!).inner([inner]);
  expect(nested.layer(inner).has('cell', '')).toBe(true);
  expect(nested.layer(inner).part('cell', '').take(0, 'kernel')!.floats()[0]).toBe(3);
  expect(weights.unused()).toEqual([]);
});

test('models inside models, each called twelve times, do not take time without end', () => {
  const functional = (name: string, layers: object[], last: string) => ({
    class_name: 'Functional',
    name,
    config: {
      name,
      layers: [x, ...layers],
      input_layers: [['x', 0, 0]],
      output_layers: [[last, last === 'd' ? 0 : 1, 0]],
    },
  });
  const calls = (count: number) => Array.from({ length: count }, () => ({ args: [tensor('x')], kwargs: {} }));
  const drop = { class_name: 'Dropout', name: 'd', config: { name: 'd', trainable: true, rate: 0 } };
  let model: { name: string } = functional('m0', [{ ...drop, inbound_nodes: calls(1) }], 'd');
  for (let i = 1; i < 6; i++) model = functional(`m${i}`, [{ ...model, inbound_nodes: calls(12) }], model.name);
  expect(refusal([x, { ...model, name: 'g', inbound_nodes: calls(1) }], { outputs: [['g', 1, 0]] })).toMatch(
    /models inside the model call more than 10000 layers/,
  );
});

describe('one_hot and CategoryEncoding', () => {
  const ids = (...shape: (number | null)[]) => input('ids', ...shape);
  const hot = (config: object) => operation('OneHot', [tensor('ids')], {}, { num_classes: 4, ...config });
  const encoded = (config: object) => old('CategoryEncoding', { num_tokens: 4, ...config }, ['ids']);

  test('of an input of ids alone: it holds ids', () => {
    const { spec } = read([ids(null), hot({})]);
    expect(spec.inputs).toEqual([expect.objectContaining({ name: 'ids', dtype: 'int32', kind: 'sequence' })]);
    expect(spec.layers).toEqual([expect.objectContaining({ type: 'oneHot', size: 4 })]);
  });

  test.each<[string, object[], RegExp]>([
    [
      'of numbers',
      [x, operation('OneHot', [tensor('x')], {}, { num_classes: 4 })],
      /'g'.*supported: of an input of ids/,
    ],
    ['along another axis', [ids(null), hot({ axis: 1 })], /'g'.*along the last axis/],
    ['of truth values', [ids(null), hot({ dtype: 'bool' })], /'g'.*numbers 1 and 0/],
    ['of no classes', [ids(null), hot({ num_classes: 0 })], /'g'.*of 0 classes; supported: a constant from 1/],
    ['of too many classes', [ids(null), hot({ num_classes: 2e9 })], /'g'.*of 2000000000 classes/],
    ['encoded into too many', [ids(null), encoded({ num_tokens: 2e9 })], /'g'.*num_tokens 2000000000/],
  ])('refused: %s', (_, layers, message) => {
    expect(refusal(layers)).toMatch(message);
  });
});

test.each<[string, object, RegExp]>([
  [
    'of features',
    {
      pad_width: [
        [0, 0],
        [0, 0],
        [1, 0],
      ],
    },
    /'g'.*supported: steps by zeros/,
  ],
  [
    'by other numbers',
    {
      pad_width: [
        [0, 0],
        [1, 0],
        [0, 0],
      ],
      constant_values: 1,
    },
    /'g'.*steps by zeros/,
  ],
  [
    'that mirrors',
    {
      pad_width: [
        [0, 0],
        [1, 0],
        [0, 0],
      ],
      mode: 'reflect',
    },
    /'g'.*steps by zeros/,
  ],
])('pad %s is refused', (_, config, message) => {
  expect(refusal([x, operation('Pad', [tensor('x')], {}, config)])).toMatch(message);
});

test('scores of steps whose number is not fixed are no numbers', () => {
  const dot = old('Dot', { axes: 2 }, ['x', 'x']);
  expect(refusal([x, dot], { dialect: KERAS2 })).toMatch(/'g' holds scores of steps by steps/);
});

test('scores of masked or other attention are refused where they are read', () => {
  const call = { return_attention_scores: true };
  const attention = (of: number) => [
    input('x', 3, 4),
    {
      ...old('AdditiveAttention', { use_scale: false }, []),
      inbound_nodes: [
        [
          ['x', 0, 0, call],
          ['x', 0, 0, {}],
        ],
      ],
    },
    {
      ...old('Activation', { activation: 'tanh' }, []),
      name: 'read',
      config: { name: 'read', activation: 'tanh' },
      inbound_nodes: [[['g', 0, of, {}]]],
    },
  ];
  const setting = { dialect: KERAS2, outputs: [['read', 0, 0]] };
  expect(read(attention(0), setting).spec.layers.map(({ type }) => type)).toEqual(['attention', 'activation']);
  expect(refusal(attention(1), setting)).toMatch(/'g': its attention scores are read/);
});
