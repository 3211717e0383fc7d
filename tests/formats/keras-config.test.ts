import { describe, expect, test } from 'vitest';
import { readModelConfig } from '../../ts/formats/keras/config.ts';
import { kerasDialect, tfjsDialect } from '../../ts/formats/keras/dialect.ts';
import { Fields } from '../../ts/formats/keras/fields.ts';
import { readCalls } from '../../ts/formats/keras/nodes.ts';
import { refusal } from './refusal.ts';

/** What Keras writes of a model, read part by part: fields, calls of layers, the model around them, and who wrote it. */

describe('fields', () => {
  const fields = (config: Record<string, unknown>) => new Fields('L', config);

  test.each<[string, Record<string, unknown>, boolean | undefined, boolean]>([
    ['true', { f: true }, undefined, true],
    ['1', { f: 1 }, undefined, true],
    ['false', { f: false }, true, false],
    ['0', { f: 0 }, true, false],
    ['a default for null', { f: null }, true, true],
    ['a default for a missing one', {}, false, false],
  ])('a flag: %s', (_, config, fallback, value) => {
    expect(fields(config).flag('f', fallback)).toBe(value);
  });

  test.each([[2], ['true'], [{}], [undefined]])('no flag: %j', (f) => {
    expect(refusal(() => fields({ f }).flag('f'))).toMatch(/invalid_file: L: f must be true or false/);
  });

  test('a size', () => {
    expect(fields({ n: 1 }).size('n')).toBe(1);
    for (const n of [0, -1, 1.5, '3', null, undefined, 2 ** 53, NaN]) {
      expect(refusal(() => fields({ n }).size('n'))).toMatch(/invalid_file: L: n must be a whole number from 1/);
    }
  });

  test('a number', () => {
    expect(fields({ x: -1.5 }).number('x')).toBe(-1.5);
    expect(fields({ x: null }).number('x', 2)).toBe(2);
    expect(fields({ x: 0 }).number('x', 2)).toBe(0);
    for (const x of ['3', Infinity, NaN, {}, undefined]) {
      expect(refusal(() => fields({ x }).number('x'))).toMatch(/invalid_file: L: x must be a number/);
    }
  });

  test('those of objects alone', () => {
    expect(fields({}).take('constructor')).toBeUndefined();
    expect(fields(JSON.parse('{"__proto__": 1}') as Record<string, unknown>).take('__proto__')).toBe(1);
  });

  test.each<[Record<string, unknown>]>([
    [{ kernel_initializer: 1, bias_regularizer: 1, recurrent_constraint: 1 }],
    [{ name: 'n', trainable: false, batch_size: 4, seed: 1, autocast: true }],
    [{ dtype: null }],
    [{ dtype: 'float32' }],
    [{ dtype: 'float64' }],
    [{ dtype: { class_name: 'DTypePolicy', config: { name: 'float32' } } }],
    [{ quantization_config: null, lora_rank: null, lora_alpha: null, quantization_mode: null }],
  ])('harmless: %j', (config) => {
    expect(() => {
      fields(config).finish();
    }).not.toThrow();
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ kernel_initializer_scale: 1 }, /unknown field 'kernel_initializer_scale'/],
    [{ kernelinitializer: 1 }, /unknown field/],
    [{ dtype: 'float16' }, /dtype "float16" is not supported/],
    [{ dtype: { config: { name: 'float16' } } }, /dtype "float16"/],
    [{ dtype: { config: 'float32' } }, /dtype \{"config":"float32"\}/],
    [{ lora_rank: 2 }, /lora_rank 2 is not supported/],
    [{ lora_alpha: 2 }, /lora_alpha 2/],
    [{ quantization_mode: 'int8' }, /quantization_mode "int8"/],
  ])('refused: %j', (config, message) => {
    const all = fields(config);
    all.take('units');
    const refused = refusal(() => {
      all.finish();
    });
    expect(refused).toMatch(/^unsupported: L: /);
    expect(refused).toMatch(message);
    if (refused.includes('unknown field')) expect(refused).toMatch(/known: units, dtype, /);
  });

  test('a field that was taken or is to be ignored is none that is unknown', () => {
    const all = fields({ a: 1, b: 2, c: 3, dtype: 'float16' });
    all.take('a');
    all.ignore('b', 'dtype');
    all.expect('c', [2, 3], 'why');
    expect(() => {
      all.finish();
    }).not.toThrow();
    expect(refusal(() => {
      all.expect('c', [2], 'why');
    })).toBe('unsupported: L: c 3 is not supported: why'); // prettier-ignore
  });
});

describe('who wrote a model', () => {
  test.each<[string | undefined, boolean, object]>([
    ['3.15.1', true, { framework: 'keras3', label: 'Keras 3.15.1', hardSigmoidSlope: 1 / 6, bidirectionalZeros: true, repeatsState: false, statesDropMask: true }],
    [undefined, true, { framework: 'keras3', version: '3', label: 'Keras 3' }],
    [undefined, false, { framework: 'keras2', version: '2', label: 'Keras 2', bidirectionalZeros: true, repeatsState: false }],
    ['2.15.0', false, { framework: 'keras2', hardSigmoidSlope: 0.2, bidirectionalZeros: true, repeatsState: false, statesDropMask: false }],
    ['2.4.0', false, { framework: 'keras2', bidirectionalZeros: true, repeatsState: false }],
    ['2.3.1', false, { framework: 'keras2', bidirectionalZeros: false, repeatsState: true }],
    ['2.3.0-tf', false, { framework: 'keras2', bidirectionalZeros: true, repeatsState: false }],
    ['2.2.4-tf', false, { framework: 'keras2', bidirectionalZeros: true, repeatsState: false }],
    ['1.9.0', false, { framework: 'keras2', bidirectionalZeros: false, repeatsState: true }],
  ])('Keras %s', (version, looksLikeKeras3, wanted) => {
    expect(kerasDialect(version, looksLikeKeras3)).toMatchObject(wanted);
  }); // prettier-ignore

  test('Keras 3 of no version by its masks', () => {
    expect(kerasDialect(undefined, true, 'lost').mergeMasks).toBe('lost');
    expect(kerasDialect('3.4.0', true, 'lost').mergeMasks).toBe('or');
  });

  test('TensorFlow.js', () => {
    const common = { framework: 'tfjs', hardSigmoidSlope: 0.2, bidirectionalZeros: false, repeatsState: true, statesDropMask: false, mergeMasks: 'and' }; // prettier-ignore
    expect(tfjsDialect('4.22.0')).toEqual({ ...common, version: '4.22.0', label: 'TensorFlow.js 4.22.0' });
    expect(tfjsDialect(undefined)).toEqual({ ...common, version: '', label: 'TensorFlow.js' });
  });
});

describe('calls of a layer', () => {
  const calls = (nodes: unknown) => readCalls(nodes, 'L');
  const tensor = (layer: string, node = 0, index = 0) => ({ tensor: { layer, node, tensor: index } });
  const keras3 = (...history: unknown[]) => ({ class_name: '__keras_tensor__', config: { shape: [], keras_history: history } }); // prettier-ignore
  const nested = (depth: number): unknown => (depth === 0 ? 7 : [nested(depth - 1)]);

  test.each<[string, unknown, unknown]>([
    ['none', [], []],
    ['of Keras 3', [{ args: [keras3('a', 1, 2)], kwargs: { mask: null, x: keras3('b', 0, 0) } }], [{ args: [tensor('a', 1, 2)], kwargs: { mask: { constant: null }, x: tensor('b') } }]],
    ['of Keras 3 with lists', [{ args: [[keras3('a', 0, 0), 3]], kwargs: {} }], [{ args: [[tensor('a'), { constant: 3 }]], kwargs: {} }]],
    ['of Keras 3 with other objects', [{ args: [{ class_name: 'x' }], kwargs: {} }], [{ args: [{ constant: { class_name: 'x' } }], kwargs: {} }]],
    ['of Keras 2', [[['a', 1, 2, { mask: null }]]], [{ args: [tensor('a', 1, 2)], kwargs: { mask: { constant: null } } }]],
    ['of Keras 2 without arguments', [[['a', 0, 0]]], [{ args: [tensor('a')], kwargs: {} }]],
    ['of Keras 2, several tensors', [[['a', 0, 0, { s: ['c', 0, 1] }], ['b', 0, 0, { s: 4, t: [['d', 0, 0], 5] }]]], [{ args: [[tensor('a'), tensor('b')]], kwargs: { s: tensor('c', 0, 1), t: [tensor('d'), { constant: 5 }] } }]],
    ['of Keras 2, flat', [['a', 0, 0, {}], [['b', 0, 0, {}]]], [{ args: [tensor('a')], kwargs: {} }, { args: [tensor('b')], kwargs: {} }]],
  ])('%s', (_, nodes, wanted) => {
    expect(calls(nodes)).toEqual(wanted);
  }); // prettier-ignore

  test('with lists in lists, up to 8', () => {
    expect(calls([{ args: [nested(8)], kwargs: {} }])).toHaveLength(1);
    expect(calls([[['a', 0, 0, { k: nested(8) }]]])).toHaveLength(1);
    const message = /invalid_file: L: arguments are nested too deeply/;
    expect(refusal(() => calls([{ args: [nested(9)], kwargs: {} }]))).toMatch(message);
    expect(refusal(() => calls([{ args: [], kwargs: { k: nested(9) } }]))).toMatch(message);
    expect(refusal(() => calls([[['a', 0, 0, { k: nested(9) }]]]))).toMatch(message);
  });

  test.each<[string, unknown, RegExp]>([
    ['no list', {}, /inbound_nodes is no list/],
    ['no args', [{ kwargs: {} }], /no args or kwargs/],
    ['no kwargs', [{ args: [] }], /no args or kwargs/],
    ['a tensor as a node', [keras3('a', 0, 0)], /neither an object nor a list/],
    ['an empty node', [[]], /neither an object nor a list/],
    ['a node of letters', ['a'], /neither an object nor a list/],
    ['a tensor without a history', [{ args: [{ class_name: '__keras_tensor__' }], kwargs: {} }], /no keras_history/],
    ['a history that is none', [{ args: [{ class_name: '__keras_tensor__', config: { keras_history: 'a' } }], kwargs: {} }], /no keras_history/],
    ['a history of numbers', [{ args: [keras3(1, 0, 0)], kwargs: {} }], /no keras_history/],
    ['a history without a node', [{ args: [keras3('a', 'b', 0)], kwargs: {} }], /no keras_history/],
    ['a history without a tensor', [{ args: [keras3('a', 0, 0.5)], kwargs: {} }], /no keras_history/],
    ['an entry that is no list', [[7]], /no \[layer, node, tensor, arguments\]/],
    ['an entry without a node', [[['a']]], /no \[layer, node, tensor, arguments\]/],
    ['arguments that are no object', [[['a', 0, 0, 7]]], /arguments of an inbound node/],
  ])('refused: %s', (_, nodes, message) => {
    const refused = refusal(() => calls(nodes));
    expect(refused).toMatch(/^invalid_file: L: /);
    expect(refused).toMatch(message);
  }); // prettier-ignore
});

describe("a model's config", () => {
  const layer = (className: string, name: string, more: object = {}) => ({ class_name: className, config: { name }, ...more }); // prettier-ignore
  const sequential = (layers: unknown, more: object = {}, config: object = {}) => ({ class_name: 'Sequential', config: { layers, ...config }, ...more }); // prettier-ignore
  const functional = (layers: unknown, inputs: unknown, outputs: unknown) => ({ class_name: 'Functional', config: { layers, input_layers: inputs, output_layers: outputs } }); // prettier-ignore
  const read = (root: object) => readModelConfig(root as Record<string, unknown>);
  const of = (name: string, node = 0, tensor = 0) => ({ layer: name, node, tensor });
  const G = layer('GRU', 'g', { inbound_nodes: [[['i', 0, 0, {}]]] });

  test('of a chain of layers', () => {
    const model = read(sequential([layer('InputLayer', 'i'), layer('GRU', 'g'), layer('Dense', 'd')]));
    expect(model.layers.map(({ name, calls }) => [name, calls])).toEqual([
      ['i', []],
      ['g', [{ args: [{ tensor: of('i') }], kwargs: {} }]],
      ['d', [{ args: [{ tensor: of('g') }], kwargs: {} }]],
    ]);
    expect(model).toMatchObject({ inputs: [of('i')], outputs: [{ tensor: of('d'), name: undefined }] });
  });

  test.each<[string, object, string, unknown]>([
    ['without a shape', sequential([layer('GRU', 'g')]), 'input', undefined],
    ['with the shape of its first layer', sequential([{ class_name: 'GRU', config: { name: 'g', batch_input_shape: [null, null, 3] } }], {}, { build_input_shape: [1] }), 'input', [null, null, 3]],
    ['with the shape it was built with', sequential([layer('GRU', 'g')], { build_config: { input_shape: [1] } }, { build_input_shape: [null, 4] }), 'input', [null, 4]],
    ['with the shape of Keras 3', sequential([layer('GRU', 'g')], { build_config: { input_shape: [null, 5] } }), 'input', [null, 5]],
    ['with a layer called input', sequential([layer('GRU', 'g'), layer('Dense', 'input')]), 'input_of_model', undefined],
    ['as a list', { class_name: 'Sequential', config: [layer('GRU', 'g')] }, 'input', undefined],
  ])('of layers without an input, %s', (_, root, name, shape) => {
    const model = read(root);
    expect(model.layers[0]).toEqual({ className: 'InputLayer', name, config: { name, ...(shape === undefined ? {} : { batch_shape: shape }) }, isOperation: false, customName: undefined, calls: [] });
    expect(model.inputs).toEqual([of(name)]);
    expect(model.layers[1]!.calls).toEqual([{ args: [{ tensor: of(name) }], kwargs: {} }]);
    expect(model.outputs).toEqual([{ tensor: of(model.layers.at(-1)!.name), name: undefined }]);
  }); // prettier-ignore

  test.each<[string, unknown, unknown]>([
    ['one', ['g', 1, 2], [{ tensor: of('g', 1, 2), name: undefined }]],
    ['a list', [['g', 0, 0], ['g', 0, 1]], [{ tensor: of('g'), name: undefined }, { tensor: of('g', 0, 1), name: undefined }]],
    ['a record', { a: ['g', 0, 0], b: [['g', 0, 1]] }, [{ tensor: of('g'), name: 'a' }, { tensor: of('g', 0, 1), name: 'b' }]],
  ])('of a graph: its outputs are %s', (_, outputs, wanted) => {
    const model = read(functional([layer('InputLayer', 'i'), G], [['i', 0, 0]], outputs));
    expect(model).toMatchObject({ inputs: [of('i')], outputs: wanted, buildShape: undefined });
    expect(model.layers[1]!.calls).toEqual([{ args: [{ tensor: of('i') }], kwargs: {} }]);
  }); // prettier-ignore

  test.each<[string, object, { isOperation: boolean; customName?: string }]>([
    ['of Keras 3', { module: 'keras.layers', registered_name: null }, { isOperation: false }],
    ['of tf.keras', { module: 'tensorflow.keras.layers' }, { isOperation: false }],
    ['of tf_keras', { module: 'tf_keras.layers' }, { isOperation: false }],
    ['of builtins', { module: 'builtins' }, { isOperation: false }],
    ['an operation', { module: 'keras.src.ops.numpy' }, { isOperation: true }],
    ['no operation', { module: 'my.keras.src.ops' }, { isOperation: false, customName: 'C' }],
    ['no operation of another name', { module: 'keras.src.opsx' }, { isOperation: false }],
    ['an operation without a module', { inbound_nodes: [{ args: [], kwargs: {} }] }, { isOperation: true }],
    [
      'a layer without a module',
      { inbound_nodes: [{ args: [], kwargs: {} }], config: { name: 'n', trainable: true } },
      { isOperation: false },
    ],
    ['a layer of Keras 2', { inbound_nodes: [[['i', 0, 0]]] }, { isOperation: false }],
    ['of the user', { registered_name: 'my>C' }, { isOperation: false, customName: 'my>C' }],
    ['of the user, by its class', { class_name: 'my>C' }, { isOperation: false, customName: 'my>C' }],
    ['of the user, by its module', { module: 'mine', registered_name: 'R' }, { isOperation: false, customName: 'R' }],
    ['of another package of a like name', { module: 'kerasx' }, { isOperation: false, customName: 'C' }],
  ])('of a layer %s', (_, more, wanted) => {
    const { layers } = read(functional([layer('C', 'n', more)], [['n', 0, 0]], [['n', 0, 0]]));
    expect(layers[0]).toMatchObject({ name: 'n', ...wanted });
    expect(layers[0]!.customName).toBe(wanted.customName);
  });

  test.each(['Functional', 'Model', 'Sequential'])('of class %s', (className) => {
    expect(() => read({ class_name: className, registered_name: className, config: functional([layer('InputLayer', 'i')], ['i', 0, 0], ['i', 0, 0]).config })).not.toThrow(); // prettier-ignore
  });

  test.each<[string, object, RegExp]>([
    ['no class', { config: {} }, /invalid_file: .*class_name is missing/],
    ['a class of the user', { class_name: 'Mine', config: {} }, /unsupported: .*of class 'Mine'/],
    ['a class registered by the user', { class_name: 'Functional', registered_name: 'my>Model', config: {} }, /unsupported: .*of class 'my>Model'/],
    ['no config', { class_name: 'Functional' }, /invalid_file: .*config is missing/],
    ['no config of a chain', { class_name: 'Sequential' }, /invalid_file: .*config is missing/],
    ['no layers', { class_name: 'Functional', config: {} }, /layers must be a list/],
    ['an empty list of layers', sequential([]), /layers must be a list that is not empty/],
    ['a layer that is no object', sequential(['GRU']), /a layer is no object/],
    ['a layer of no class', sequential([{ config: {} }]), /a layer has no class_name/],
    ['a layer of no config', sequential([{ class_name: 'GRU' }]), /class GRU has no config/],
    ['a layer of no name', sequential([{ class_name: 'GRU', config: {} }]), /class GRU has no name/],
    ['a layer of an empty name', sequential([layer('GRU', '')]), /class GRU has no name/],
    ['two of a name', sequential([layer('GRU', 'g'), layer('Dense', 'g')]), /two layers have the same name/],
    ['no outputs', functional([layer('InputLayer', 'i')], [['i', 0, 0]], []), /output_layers must list tensors/],
    ['no list of inputs', functional([layer('InputLayer', 'i')], 'i', [['i', 0, 0]]), /input_layers must list tensors/],
    ['an input without a node', functional([layer('InputLayer', 'i')], ['i', 'j', 0], [['i', 0, 0]]), /\["i","j",0\] is no \[layer, node, tensor\]/],
    ['an input without a tensor', functional([layer('InputLayer', 'i')], ['i', 0], [['i', 0, 0]]), /\["i",0\] is no \[layer, node, tensor\]/],
    ['an output in a list too many', functional([layer('InputLayer', 'i')], [['i', 0, 0]], [[['i', 0, 0]]]), /output_layers: \[\["i",0,0\]\] is no \[layer/],
    ['an output of a number', functional([layer('InputLayer', 'i')], [['i', 0, 0]], [7]), /output_layers: 7 is no \[layer/],
  ])('refused: %s', (_, root, message) => {
    expect(refusal(() => read(root))).toMatch(message);
  }); // prettier-ignore

  test('of a layer that is named beside its config', () => {
    const { layers } = read(sequential([{ class_name: 'GRU', name: 'outer', config: { name: 'inner' } }]));
    expect(layers[1]!.name).toBe('outer');
  });
});
