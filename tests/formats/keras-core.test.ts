import { describe, expect, test } from 'vitest';
import { kerasDialect } from '../../ts/formats/keras/dialect.ts';
import { from, H, K, KERAS2, KERAS3, layer, MASKING, read, refusal, TFJS, words, X, type Config, type Setting } from './keras-made.ts'; // prettier-ignore

/** What becomes of layers that are not recurrent, and of masks on their way through them. */

const KERAS33 = kerasDialect('3.3.0', true);
const UNKNOWN = kerasDialect(undefined, true);
const SHAPES = { kernel: [2, 2], bias: [2], embeddings: [5, 2], recurrent_kernel: [2, 6] };
const made = (layers: object[], setting: Setting = {}) => words(read(layers, { shapes: SHAPES, ...setting }));
const refused = (layers: object[], setting: Setting = {}) => refusal(layers, { shapes: SHAPES, ...setting });

const IDS = layer('InputLayer', 'i', { batch_input_shape: [null, null] });
const one = (className: string, config: Config, ...inputs: unknown[]) => layer(className, 'g', config, ...inputs);
const dense = (name: string, ...inputs: unknown[]) =>
  layer('Dense', name, { units: 2, activation: 'relu', use_bias: true }, ...inputs);
const embedding = (name: string, more: Config = {}) =>
  layer('Embedding', name, { input_dim: 5, output_dim: 2, mask_zero: true, ...more }, from('i'));
const merge = (className: string, ...inputs: string[]) => one(className, {}, ...inputs.map((name) => from(name)));
/** A layer that shows the mask of what it reads. */
const shown = (name: string) =>
  layer('GRU', 'z', { units: 2, activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: false, use_bias: false }, from(name)); // prettier-ignore
const GATES = { ...SHAPES, kernel: [2, 6] };
const maskOf = (layers: object[], name: string, setting: Setting = {}) => {
  const all = made([...layers, shown(name)], { shapes: GATES, outputs: [['z', 0, 0]], ...setting });
  return /mask (\S+)$/.exec(all.at(-1)!)?.[1] ?? 'none';
};
const MASK = 'masking x_mask of x, maskValue 0';
const Y = layer('InputLayer', 'y', { batch_input_shape: [null, null, 2] });
/** Ids, 5 at each of 6 steps. */
const NESTED = layer('InputLayer', 'n', { batch_input_shape: [null, 6, 5] });
const MASKING_Y = layer('Masking', 'n', { mask_value: 0 }, from('y'));

describe('layers', () => {
  test.each<[string, object[], string[], Setting?]>([
    ['Dense', [X, dense('g', from('x'))], ['dense g of x, activation relu']],
    ['Dense of vectors', [H, dense('g', from('h'))], ['dense g of h, activation relu']],
    ['Dense without biases', [X, one('Dense', { units: 2, activation: 'linear', use_bias: false }, from('x'))], ['dense g of x, activation linear']],
    ['Embedding', [IDS, embedding('g')], ['embedding g of i, maskZero true']],
    ['Embedding without a mask', [IDS, embedding('g', { mask_zero: false })], ['embedding g of i']],
    ['Activation', [X, one('Activation', { activation: 'relu' }, from('x'))], ['activation g of x, activation relu']],
    ['LeakyReLU', [X, one('LeakyReLU', { alpha: 0.5 }, from('x'))], ['activation g of x, activation {"name":"leaky_relu","alpha":0.5}']],
    ['Softmax', [X, one('Softmax', { axis: 2 }, from('x'))], ['activation g of x, activation softmax']],
    ['Softmax of vectors', [H, one('Softmax', { axis: 1 }, from('h'))], ['activation g of h, activation softmax']],
    ['Masking that nobody asks for', [X, MASKING, dense('g', from('m'))], ['dense g of x, activation relu']],
    ['Masking of another number, which is made 0', [X, layer('Masking', 'm', { mask_value: 2 }, from('x')), dense('g', from('m'))], ['masking x_mask of x, maskValue 2', 'dense mask_wide of x_mask:mask, activation {"name":"hard_sigmoid","alpha":1,"beta":0}', 'merge x_masked of x,mask_wide, merge mul', 'dense g of x_masked, activation relu']],
    ['TimeDistributed', [X, one('TimeDistributed', { layer: layer('Dense', 'd', { units: 2, activation: 'relu' }) }, from('x'))], ['dense g of x, activation relu']],
    ['TimeDistributed of an activation', [X, one('TimeDistributed', { layer: layer('ELU', 'd', { alpha: 2 }) }, from('x'))], ['activation g of x, activation {"name":"elu","alpha":2}']],
    ['Concatenate', [X, Y, merge('Concatenate', 'x', 'y')], ['merge g of x,y, merge concat']],
    ['Concatenate of vectors, by its axis', [H, K, one('Concatenate', { axis: 1 }, from('h'), from('k'))], ['merge g of h,k, merge concat']],
    ['Concatenate of steps, by its axis', [X, Y, one('Concatenate', { axis: 2 }, from('x'), from('y'))], ['merge g of x,y, merge concat']],
    ['Add', [X, Y, merge('Add', 'x', 'y', 'x')], ['merge g of x,y,x, merge sum']],
    ['Average', [H, K, merge('Average', 'h', 'k')], ['merge g of h,k, merge ave']],
    ['Multiply', [H, K, merge('Multiply', 'h', 'k')], ['merge g of h,k, merge mul']],
    ['Multiply of masked steps of Keras 2', [X, Y, MASKING, merge('Multiply', 'm', 'y')], ['merge g of x,y, merge mul'], { dialect: KERAS2 }],
    ['Multiply of masked steps of Keras 3.3', [X, Y, MASKING, merge('Multiply', 'm', 'y')], ['merge g of x,y, merge mul'], { dialect: KERAS33 }],
    ['Multiply of steps of one mask', [X, MASKING, dense('d', from('m')), merge('Multiply', 'm', 'd')], ['dense d of x, activation relu', MASK, 'dense mask_wide of x_mask:mask, activation {"name":"hard_sigmoid","alpha":1,"beta":0}', 'merge g of x,d,mask_wide, merge mul']],
  ])('%s', (_, layers, wanted, setting) => {
    expect(made(layers, setting)).toEqual(wanted);
  }); // prettier-ignore

  test.each(['Dropout', 'SpatialDropout1D', 'AlphaDropout', 'GaussianDropout', 'GaussianNoise', 'ActivityRegularization'])('%s is left out', (className) => {
    const fields = { Dropout: ['rate', 'noise_shape'], SpatialDropout1D: ['rate', 'data_format'], AlphaDropout: ['rate', 'noise_shape'], GaussianDropout: ['rate'], GaussianNoise: ['stddev'], ActivityRegularization: ['l1', 'l2'] }[className]!;
    const config = Object.fromEntries(fields.map((field) => [field, 0.5]));
    const model = read([X, MASKING, one(className, config, from('m')), dense('d', from('g'))], { shapes: SHAPES, outputs: [['d', 0, 0]] });
    expect(words(model)).toEqual(['dense d of x, activation relu']);
    expect(maskOf([X, MASKING, one(className, config, from('m'))], 'g')).toBe('x_mask:mask');
    expect(refused([X, one(className, { odd: 1 }, from('x'))])).toMatch(/unknown field 'odd'/);
  }); // prettier-ignore

  test.each<[string, object[], RegExp, Setting?]>([
    ['Dense of ids', [IDS, embedding('e'), dense('g', from('i'))], /unsupported: Dense layer 'g': cannot read ids/],
    ['Dense without its kernel', [X, dense('g', from('x'))], /invalid_file: .*its weights are not in the file/, { shapes: { bias: [2] } }],
    ['Dense without its biases', [X, dense('g', from('x'))], /invalid_file: .*its weights are not in the file/, { shapes: { kernel: [2, 2] } }],
    ['Dense of another kernel', [X, dense('g', from('x'))], /invalid_file: .*has shape \[3, 2\], the config asks for \[2, 2\]/, { shapes: { kernel: [3, 2], bias: [2] } }],
    ['Dense of a further axis', [X, dense('g', from('x'))], /has shape \[2, 2, 1\], the config asks for \[2, 2\]/, { shapes: { kernel: [2, 2, 1], bias: [2] } }],
    ['Embedding of features', [X, dense('d', from('x')), layer('Embedding', 'g', { input_dim: 5, output_dim: 2 }, from('d'))], /reads something else than ids/],
    ['mask_zero of ids of steps of each step', [NESTED, layer('Embedding', 'g', { input_dim: 5, output_dim: 2, mask_zero: true }, from('n'))], /mask_zero of ids that are computed, or of steps of each step/],
    ['ids of steps of each step whose number is open', [layer('InputLayer', 'n', { batch_input_shape: [null, 6, null] }), layer('Embedding', 'g', { input_dim: 5, output_dim: 2 }, from('n'))], /supported of ids of 3 dimensions: the last one fixed/],
    ['a Dense layer of ids of steps of each step', [NESTED, layer('Embedding', 'e', { input_dim: 5, output_dim: 2 }, from('n')), one('TimeDistributed', { layer: layer('Dense', 'd', { units: 2, activation: 'relu' }) }, from('n'))], /Dense layer 'd': cannot read ids/],
    ['Embedding without its table', [IDS, embedding('g')], /its embeddings are not in the file/, { shapes: {} }],
    ['Softmax of masked steps', [X, MASKING, one('Softmax', {}, from('m'))], /takes a mask, which is applied to features/],
    ['Softmax of sequences', [X, one('Softmax', { axis: 0 }, from('x'))], /axis 0 is not supported/],
    ['Masking of vectors', [H, one('Masking', { mask_value: 0 }, from('h'))], /masking of 'h', which has no steps/],
    ['TimeDistributed of a GRU without its fields', [X, one('TimeDistributed', { layer: layer('GRU', 'r') }, from('x'))], /TimeDistributed layer 'g': GRU layer 'r': reset_after/],
    ['TimeDistributed of nothing', [X, one('TimeDistributed', {}, from('x'))], /its layer is missing/],
    ['TimeDistributed of no config', [X, one('TimeDistributed', { layer: { class_name: 'Dense' } }, from('x'))], /its layer has no config/],
    ['TimeDistributed of vectors', [H, one('TimeDistributed', { layer: layer('Dense', 'd', { units: 2 }) }, from('h'))], /reads a tensor without steps/],
    ['TimeDistributed of a field', [X, one('TimeDistributed', { layer: layer('Dense', 'd', { units: 2, activation: 'relu', odd: 1 }) }, from('x'))], /'g': Dense layer 'd': unknown field 'odd'/],
    ['Add of one', [X, merge('Add', 'x')], /takes a list of tensors/],
    ['Concatenate of steps and vectors', [X, H, merge('Concatenate', 'x', 'h')], /concatenates steps with whole sequences/],
    ['Add of differing sizes', [X, layer('InputLayer', 'y', { batch_input_shape: [null, null, 3] }), merge('Add', 'x', 'y')], /differing sizes \(2, 3\)/],
    ['Concatenate of steps one after the other', [X, Y, one('Concatenate', { axis: 1 }, from('x'), from('y'))], /whose number the input shapes have to fix/],
    ['Concatenate of the batch', [X, Y, one('Concatenate', { axis: 0 }, from('x'), from('y'))], /axis 0 is not supported/],
    ['Concatenate of vectors by the axis of steps', [H, K, one('Concatenate', { axis: 2 }, from('h'), from('k'))], /axis 2 is not supported/],
    ['Multiply of masked steps of an unknown version', [X, Y, MASKING, merge('Multiply', 'm', 'y')], /depends on the version of Keras/, { dialect: UNKNOWN }],
  ])('refused: %s', (_, layers, message, setting) => {
    expect(refused(layers, setting)).toMatch(message);
  }); // prettier-ignore
});

describe('a mask', () => {
  test.each<[string, object[], string]>([
    ['goes through an activation', [X, MASKING, one('ReLU', {}, from('m'))], 'x_mask:mask'],
    ['goes through TimeDistributed', [X, MASKING, one('TimeDistributed', { layer: layer('ReLU', 'd') }, from('m'))], 'x_mask:mask'],
    ['of ids', [IDS, embedding('g')], 'g:mask'],
    ['of ids is made by the first that reads them', [IDS, embedding('e'), embedding('g')], 'e:mask'],
    ['is not made where none is asked for', [IDS, embedding('g', { mask_zero: false })], 'none'],
  ])('%s', (_, layers, wanted) => {
    expect(maskOf(layers, 'g')).toBe(wanted);
  }); // prettier-ignore

  const two = [X, Y, MASKING, MASKING_Y];
  test.each<[string, Setting['dialect'], string, string]>([
    ['Keras 2: steps that count in all', KERAS2, 'masks', 'x_mask:mask'],
    ['Keras 3.3: none', KERAS33, 'none', 'none'],
    ['Keras 3.15: steps that count in any, where all have one', KERAS3, 'masks', 'none'],
  ])('of a sum, %s', (_, dialect, both, single) => {
    expect(maskOf([...two, merge('Add', 'm', 'n')], 'g', { dialect })).toBe(both);
    expect(maskOf([...two, merge('Add', 'm', 'y')], 'g', { dialect })).toBe(single);
    expect(maskOf([...two, merge('Add', 'm', 'm')], 'g', { dialect })).toBe(both === 'none' ? 'none' : 'x_mask:mask');
    expect(maskOf([...two, merge('Add', 'x', 'y')], 'g', { dialect })).toBe('none');
  });

  test('of Keras 2 is a product, of Keras 3 a sum', () => {
    const layers = [...two, merge('Add', 'm', 'n'), shown('g')];
    const setting = { shapes: GATES, outputs: [['z', 0, 0]] };
    expect(made(layers, { ...setting, dialect: KERAS2 })).toContain(
      'merge masks of x_mask:mask,y_mask:mask, merge mul',
    );
    expect(made(layers, setting)).toContain('merge masks of x_mask:mask,y_mask:mask, merge sum');
  });

  test('of a merge is refused where it is used and cannot be told', () => {
    const layers = [...two, merge('Add', 'm', 'n')];
    expect(made(layers, { dialect: UNKNOWN })).toEqual(['merge g of x,y, merge sum']);
    const used = (dialect: Setting['dialect']) =>
      refused([...layers, shown('g')], { shapes: GATES, outputs: [['z', 0, 0]], dialect });
    expect(used(UNKNOWN)).toMatch(/Add layer 'g': what becomes of masks that are merged depends on the version/);
    expect(used(TFJS)).toMatch(/Add layer 'g': /);
  });

  test('of masked factors: what is masked is 1, where no factor counts the product is 0', () => {
    const layers = [...two, merge('Multiply', 'm', 'n')];
    const wide = '{"name":"hard_sigmoid","alpha":1,"beta":0}';
    expect(made(layers)).toEqual([
      MASK,
      `dense mask_wide of x_mask:mask, activation ${wide}`,
      'merge x_masked of x,mask_wide, merge mul',
      `dense mask_wide_not of x_mask:mask, activation ${wide}`,
      'merge x_or_one of x_masked,mask_wide_not, merge sum',
      'masking y_mask of y, maskValue 0',
      `dense mask_wide_1 of y_mask:mask, activation ${wide}`,
      'merge y_masked of y,mask_wide_1, merge mul',
      `dense mask_wide_not_1 of y_mask:mask, activation ${wide}`,
      'merge y_or_one of y_masked,mask_wide_not_1, merge sum',
      'merge masks of x_mask:mask,y_mask:mask, merge sum',
      `dense mask_wide_2 of masks, activation ${wide}`,
      'merge g of x_or_one,y_or_one,mask_wide_2, merge mul',
    ]);
    expect(made([X, Y, MASKING, merge('Multiply', 'm', 'y')]).at(-1)).toBe('merge g of x_or_one,y, merge mul');
  });
});

describe('an input', () => {
  const of = (shape: unknown, more: Config = {}) => layer('InputLayer', 'x', { batch_input_shape: shape, ...more });
  test.each<[string, object[], object]>([
    ['of steps', [X, dense('g', from('x'))], { name: 'x', dtype: 'float32', size: 2, kind: 'sequence' }],
    ['of vectors', [H, dense('g', from('h'))], { name: 'h', dtype: 'float32', size: 2, kind: 'vector' }],
    ['of ids', [IDS, embedding('g')], { name: 'i', dtype: 'int32', size: 1, kind: 'sequence' }],
    ['of one id', [layer('InputLayer', 'i', { batch_input_shape: [null] }), embedding('g')], { name: 'i', dtype: 'int32', size: 1, kind: 'vector' }],
  ])('%s', (_, layers, wanted) => {
    expect(read(layers, { shapes: SHAPES }).spec.inputs).toEqual([wanted]);
  }); // prettier-ignore

  test.each<[unknown, Config, RegExp]>([
    [[null, null, null], {}, /its last dimension is null/],
    [[null, null, 0], {}, /its last dimension is 0/],
    [[null, null, 1.5], {}, /its last dimension is 1\.5/],
    [[null], {}, /has 1 dimensions/],
    [[null, null, 2, 2], {}, /cannot read steps of 2 steps of 2 features; in TimeDistributed it reads/],
    [7, {}, /invalid_file: .*has no shape/],
    [[null, 2], { sparse: true }, /sparse true/],
    [[null, 2], { ragged: true }, /ragged true/],
    [[null, 2], { optional: true }, /optional true/],
    [[null, 2], { type_spec: {} }, /type_spec/],
  ])('refused: %j %j', (shape, more, message) => {
    expect(refused([of(shape, more), dense('g', from('x'))])).toMatch(message);
  });
});
