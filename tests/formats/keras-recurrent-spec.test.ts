import { describe, expect, test } from 'vitest';
import type { Dialect } from '../../ts/formats/keras/dialect.ts';
import {
  ends,
  from,
  H,
  K,
  KERAS2,
  KERAS22,
  KERAS3,
  layer,
  MASKING,
  read,
  refusal,
  TFJS,
  words,
  X,
  type Config,
  type Setting,
} from './keras-made.ts';

/** What becomes of recurrent layers, by the layers of the spec; all sizes are 2, so that one set of weights fits all. */

const GRU = { units: 2, activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: true };
const cell = (name: string, more: Config = {}) => ({ class_name: 'GRUCell', config: { name, ...GRU, ...more } });
const gru = (more: Config, ...inputs: unknown[]) => layer('GRU', 'g', { ...GRU, ...more }, ...inputs);
const SHAPES = { kernel: [2, 6], recurrent_kernel: [2, 6], bias: [2, 6] };
const made = (layers: object[], setting: Setting = {}) => read(layers, { shapes: SHAPES, ...setting });
const refused = (layers: object[], setting: Setting = {}) => refusal(layers, { shapes: SHAPES, ...setting });

const bidirectional = (inner: object, more: Config, ...inputs: unknown[]) =>
  layer('Bidirectional', 'g', { merge_mode: 'concat', layer: inner, ...more }, ...inputs);
const rnn = (cells: unknown, more: Config, ...inputs: unknown[]) =>
  layer('RNN', 'g', { cell: cells, ...more }, ...inputs);
const MASK = 'masking x_mask of x, maskValue 0';

describe('a recurrent layer', () => {
  test.each<[string, object[], string[], Dialect?]>([
    ['returns its last output', [X, gru({}, from('x'))], ['gru g of x, direction forward, returns last']],
    ['or all', [X, gru({ return_sequences: true }, from('x'))], ['gru g of x, direction forward']],
    ['from the end', [X, gru({ go_backwards: true }, from('x'))], ['gru g of x, direction reverse, returns last']],
    ['from the end, all in that order', [X, gru({ go_backwards: true, return_sequences: true }, from('x'))], ['gru g of x, direction reverse, reversedOutput true']],
    ['with a mask', [X, MASKING, gru({}, from('m'))], [MASK, 'gru g of x, direction forward, returns last, mask x_mask:mask']],
    ['with zeros at masked steps', [X, MASKING, gru({ zero_output_for_mask: true, return_sequences: true }, from('m'))], [MASK, 'gru g of x, direction forward, mask x_mask:mask, paddedOutput zero']],
    ['with zeros at masked steps, the last of which may be one', [X, MASKING, gru({ zero_output_for_mask: true }, from('m'))], [MASK, 'gru g_cell_0 of x, direction forward, mask x_mask:mask, paddedOutput zero', 'step g of g_cell_0, index -1']],
    ['the same from the end', [X, MASKING, gru({ zero_output_for_mask: true, go_backwards: true }, from('m'))], [MASK, 'gru g_cell_0 of x, direction reverse, reversedOutput true, mask x_mask:mask, paddedOutput zero', 'step g of g_cell_0, index -1']],
    ['with zeros, unrolled', [X, MASKING, gru({ zero_output_for_mask: true, return_sequences: true, unroll: true }, from('m'))], [MASK, 'gru g of x, direction forward, mask x_mask:mask, paddedOutput zero']],
    ['unrolled from the end, with zeros at no mask', [X, gru({ zero_output_for_mask: true, return_sequences: true, go_backwards: true, unroll: true }, from('x'))], ['gru g of x, direction reverse, reversedOutput true']],
    ['the same of Keras 2.2, which repeats the state', [X, MASKING, gru({ zero_output_for_mask: true }, from('m'))], [MASK, 'gru g of x, direction forward, returns last, mask x_mask:mask, paddedOutput zero'], KERAS22],
    ['with zeros but no mask', [X, gru({ zero_output_for_mask: true }, from('x'))], ['gru g of x, direction forward, returns last']],
    ['with an initial state', [X, H, gru({}, from('x'), from('h'))], ['gru g of x, direction forward, returns last, initialState h']],
    ['with an initial state by name', [X, H, gru({}, from('x', { initial_state: ['h', 0, 0] }))], ['gru g of x, direction forward, returns last, initialState h']],
    ['with an initial state in a list', [X, H, gru({}, from('x', { initial_state: [['h', 0, 0]] }))], ['gru g of x, direction forward, returns last, initialState h']],
    ['with an initial state, for which Keras 3 drops the mask', [X, H, MASKING, gru({}, from('m'), from('h'))], ['gru g of x, direction forward, returns last, initialState h']],
    ['with an initial state and a mask of Keras 2', [X, H, MASKING, gru({}, from('m'), from('h'))], [MASK, 'gru g_cell_0 of x, direction forward, mask x_mask:mask, initialState h', 'step g of g_cell_0, index -1'], KERAS2],
    ['with the same, all outputs', [X, H, MASKING, gru({ return_sequences: true }, from('m'), from('h'))], [MASK, 'gru g of x, direction forward, mask x_mask:mask, initialState h'], KERAS2],
    ['with the same of Keras 2.2', [X, H, MASKING, gru({}, from('m'), from('h'))], [MASK, 'gru g of x, direction forward, returns last, mask x_mask:mask, initialState h'], KERAS22],
    ['of one cell', [X, rnn(cell('a'), {}, from('x'))], ['gru g of x, direction forward, returns last']],
    ['of two cells', [X, rnn([cell('a'), cell('b')], {}, from('x'))], ['gru g_cell_0 of x, direction forward', 'gru g of g_cell_0, direction forward, returns last']],
    ['of two cells in a cell', [X, rnn({ class_name: 'StackedRNNCells', config: { name: 's', cells: [cell('a'), cell('b')] } }, {}, from('x'))], ['gru g_cell_0 of x, direction forward', 'gru g of g_cell_0, direction forward, returns last']],
    ['of two cells from the end', [X, rnn([cell('a'), cell('b')], { go_backwards: true, return_sequences: true }, from('x'))], ['gru g_cell_0 of x, direction reverse', 'gru g of g_cell_0, direction reverse, reversedOutput true']],
    ['of two cells with a mask', [X, MASKING, rnn([cell('a'), cell('b')], { zero_output_for_mask: true }, from('m'))], [MASK, 'gru g_cell_0 of x, direction forward, mask x_mask:mask, paddedOutput zero', 'gru g_cell_1 of g_cell_0, direction forward, mask x_mask:mask, paddedOutput zero', 'step g of g_cell_1, index -1']],
    ['of two cells with states', [X, H, K, rnn([cell('a'), cell('b')], {}, from('x'), from('h'), from('k'))], ['gru g_cell_0 of x, direction forward, initialState h', 'gru g of g_cell_0, direction forward, returns last, initialState k']],
  ])('%s', (_, layers, wanted, dialect = KERAS3) => {
    expect(words(made(layers, { dialect }))).toEqual(wanted);
  }); // prettier-ignore

  test('gives its states where it is to', () => {
    const outputs = [['g', 0, 0], ['g', 0, 1]]; // prettier-ignore
    const one = made([X, gru({ return_state: true }, from('x'))], { outputs });
    expect(one.spec.outputs).toEqual([{ name: 'g', from: 'g' }, { name: 'g_state', from: 'g:forwardState' }]); // prettier-ignore
    const cells = [...outputs, ['g', 0, 2]];
    const stacked = made([X, rnn([cell('a'), cell('b')], { return_state: true, go_backwards: true }, from('x'))], { outputs: cells }); // prettier-ignore
    expect(ends(stacked)).toEqual(['g', 'g_cell_0:reverseState', 'g:reverseState']);
    const both = made([X, bidirectional(gru({ return_state: true }), {}, from('x'))], { outputs: cells });
    expect(ends(both)).toEqual(['g', 'g:forwardState', 'g:reverseState']);
    expect(refused([X, gru({}, from('x'))], { outputs })).toMatch(/'g' has no output 1/);
    expect(refused([X, bidirectional(gru({}), {}, from('x'))], { outputs })).toMatch(/'g' has no output 1/);
  });

  test('says what it takes for granted', () => {
    const notes = (layers: object[], setting: Setting = {}) => made(layers, setting).report.conventions;
    expect(notes([X, gru({}, from('x'))])).toEqual(["GRU layer 'g': reset gate after the recurrent product"]);
    expect(notes([X, gru({ stateful: true }, from('x'))])[0]).toMatch(/stateful; a stream keeps/);
    expect(notes([X, gru({ reset_after: false, activation: 'hard_sigmoid' }, from('x'))], { shapes: { ...SHAPES, bias: [6] } })).toEqual(["GRU layer 'g': reset gate before the recurrent product", 'hard_sigmoid is clip(x/6 + 0.5, 0, 1): Keras 3.15.1']); // prettier-ignore
    expect(notes([X, gru({ recurrent_activation: 'hard_sigmoid' }, from('x'))], { dialect: KERAS2 })[1]).toBe('hard_sigmoid is clip(0.2 x + 0.5, 0, 1): Keras 2.15.0'); // prettier-ignore
    expect(notes([X, H, MASKING, gru({}, from('m'), from('h'))]).join()).toMatch(/Keras 3\.15\.1 leaves out the mask/);
    expect(notes([X, H, gru({}, from('x'), from('h'))]).join()).not.toMatch(/leaves out/);
  });

  test.each<[string, object[], RegExp, Dialect?]>([
    ['states twice', [X, H, gru({}, from('x', { initial_state: ['h', 0, 0] }), from('h'))], /invalid_file: .*initial states twice/],
    ['two states of one', [X, H, K, gru({}, from('x'), from('h'), from('k'))], /unsupported: .*given 2 initial states, it has 1/],
    ['a sequence as its state', [X, gru({}, from('x'), from('x'))], /invalid_file: .*initial state 0 must be vectors of 2/],
    ['a state of another size', [X, layer('InputLayer', 'h', { batch_input_shape: [null, 3] }), gru({}, from('x'), from('h'))], /initial state 0 must be vectors of 2/],
    ['a number as its state', [X, gru({}, from('x', { initial_state: 7 }))], /is given something else than tensors/],
    ['vectors', [H, gru({}, from('h'))], /invalid_file: .*reads a tensor without steps/],
    ['steps first', [X, gru({ time_major: true }, from('x'))], /time_major true is not supported/],
    ['constants', [X, gru({ num_constants: 1 }, from('x'))], /num_constants 1 is not supported/],
    ['ragged tensors', [X, gru({ ragged: true }, from('x'))], /ragged true is not supported/],
    ['softmax', [X, gru({ activation: 'softmax' }, from('x'))], /activation softmax is not supported in a recurrent layer/],
    ['softmax of its gates', [X, gru({ recurrent_activation: 'softmax' }, from('x'))], /recurrent_activation softmax is not supported/],
    ['no reset_after in Keras 3', [X, gru({ reset_after: null }, from('x'))], /reset_after must be true or false/],
    ['no cell', [X, rnn(undefined, {}, from('x'))], /its cell is missing/],
    ['a cell of no config', [X, rnn({ class_name: 'GRUCell' }, {}, from('x'))], /its cell is missing/],
    ['no cells', [X, rnn([], {}, from('x'))], /its cells are missing/],
    ['a cell of another class', [X, rnn({ class_name: 'MinimalCell', config: {} }, {}, from('x'))], /unsupported: .*its cell is of class 'MinimalCell'/],
    ['a cell registered by the user', [X, rnn({ ...cell('a'), registered_name: 'my>GRUCell' }, {}, from('x'))], /its cell is of class 'my>GRUCell'/],
    ['a field of a cell', [X, rnn(cell('a', { odd: 1 }), {}, from('x'))], /cell GRUCell 'a': unknown field 'odd'/],
    ['states in reverse order', [X, rnn({ class_name: 'StackedRNNCells', config: { name: 's', cells: [cell('a')], reverse_state_order: true } }, {}, from('x'))], /reverse_state_order true/],
    ['states of cells of Keras 2.2', [X, H, K, rnn([cell('a'), cell('b')], {}, from('x'), from('h'), from('k'))], /from the last to the first/, KERAS22],
    ['states asked of cells of Keras 2.2', [X, rnn([cell('a'), cell('b')], { return_state: true }, from('x'))], /from the last to the first/, KERAS22],
    ['a state with a mask and all outputs of Keras 2.2', [X, H, MASKING, gru({ return_sequences: true }, from('m'), from('h'))], /initial states with a masked input are not supported for Keras 2\.2\.4/, KERAS22],
    ['a state with a mask of TensorFlow.js', [X, H, MASKING, gru({ reset_after: false }, from('m'), from('h'))], /initial states with a masked input are not supported for TensorFlow\.js/, TFJS],
    ['cells with a mask of TensorFlow.js', [X, MASKING, rnn([cell('a', { reset_after: false }), cell('b', { reset_after: false })], {}, from('m'))], /several cells with a masked input/, TFJS],
  ])('refused: %s', (_, layers, message, dialect = KERAS3) => {
    expect(refused(layers, { dialect })).toMatch(message);
  }); // prettier-ignore
});

describe('a bidirectional layer', () => {
  const backward = (more: Config = {}) => ({ backward_layer: gru({ go_backwards: true, name: 'b', ...more }) });
  test.each<[string, object[], string[], Dialect?]>([
    ['of one layer', [X, bidirectional(gru({}), {}, from('x'))], ['gru g of x, direction bidirectional, merge concat, returns last']],
    ['of all outputs', [X, bidirectional(gru({ return_sequences: true }), { merge_mode: 'sum' }, from('x'))], ['gru g of x, direction bidirectional, merge sum']],
    ['with a mask', [X, MASKING, bidirectional(gru({ return_sequences: true }), {}, from('m'))], [MASK, 'gru g of x, direction bidirectional, merge concat, mask x_mask:mask, paddedOutput zero']],
    ['with a mask, the last output', [X, MASKING, bidirectional(gru({}), {}, from('m'))], [MASK, 'gru g of x, direction bidirectional, merge concat, returns last, mask x_mask:mask']],
    ['with a mask, and zeros that it does not hand on', [X, MASKING, bidirectional(gru({ zero_output_for_mask: true }), {}, from('m'))], [MASK, 'gru g of x, direction bidirectional, merge concat, returns last, mask x_mask:mask']],
    ['with a mask of Keras 2.2', [X, MASKING, bidirectional(gru({ return_sequences: true }), {}, from('m'))], [MASK, 'gru g of x, direction bidirectional, merge concat, mask x_mask:mask'], KERAS22],
    ['with states', [X, H, K, bidirectional(gru({}), { merge_mode: 'mul' }, from('x'), from('h'), from('k'))], ['gru g of x, direction bidirectional, merge mul, returns last, initialState h,k']],
    ['with states and a mask of Keras 2', [X, H, K, MASKING, bidirectional(gru({}), { merge_mode: 'mul' }, from('m'), from('h'), from('k'))], [
      MASK,
      'gru g_forward_cell_0 of x, direction forward, mask x_mask:mask, initialState h',
      'step g_forward of g_forward_cell_0, index -1',
      'gru g_backward_cell_0 of x, direction reverse, reversedOutput true, mask x_mask:mask, initialState k',
      'step g_backward of g_backward_cell_0, index -1',
      'merge g of g_forward,g_backward, merge mul',
    ], KERAS2],
    ['of two like layers', [X, bidirectional(gru({}), backward(), from('x'))], ['gru g of x, direction bidirectional, merge concat, returns last']],
    ['of a layer that goes backwards', [X, bidirectional(gru({ return_sequences: true, go_backwards: true }), {}, from('x'))], [
      'gru g_forward of x, direction reverse, reversedOutput true',
      'gru g_backward of x, direction forward',
      'reverse g_backward_turned of g_backward',
      'merge g of g_forward,g_backward_turned, merge concat',
    ]],
    ['of a layer that goes backwards, the last output', [X, bidirectional(gru({ go_backwards: true }), {}, from('x'))], ['gru g_forward of x, direction reverse, returns last', 'gru g_backward of x, direction forward, returns last', 'merge g of g_forward,g_backward, merge concat']],
    ['of two layers', [X, bidirectional(gru({}), { ...backward({ activation: 'relu' }), merge_mode: 'ave' }, from('x'))], ['gru g_forward of x, direction forward, returns last', 'gru g_backward of x, activation relu, direction reverse, returns last', 'merge g of g_forward,g_backward, merge ave']],
    ['of two layers, all outputs', [X, bidirectional(gru({ return_sequences: true }), backward({ activation: 'relu', return_sequences: true }), from('x'))], ['gru g_forward of x, direction forward', 'gru g_backward of x, activation relu, direction reverse', 'merge g of g_forward,g_backward, merge concat']],
    ['of two cells each', [X, bidirectional(rnn([cell('a'), cell('b')], {}), {}, from('x'))], [
      'gru g_forward_cell_0 of x, direction forward',
      'gru g_forward of g_forward_cell_0, direction forward, returns last',
      'gru g_backward_cell_0 of x, direction reverse',
      'gru g_backward of g_backward_cell_0, direction reverse, returns last',
      'merge g of g_forward,g_backward, merge concat',
    ]],
  ])('%s', (_, layers, wanted, dialect = KERAS3) => {
    expect(words(made(layers, { dialect }))).toEqual(wanted);
  }); // prettier-ignore

  test('that is not merged has two outputs', () => {
    const outputs = [0, 1, 2, 3].map((i) => ['g', 0, i]);
    const layers = [X, bidirectional(gru({ return_sequences: true, return_state: true }), { merge_mode: null }, from('x'))]; // prettier-ignore
    expect(ends(made(layers, { outputs }))).toEqual(['g_forward', 'g_backward', 'g_forward:forwardState', 'g_backward:reverseState']); // prettier-ignore
  });

  test('reads the weights of its layers by their names', () => {
    const names = (layers: object[]) => {
      const parts: string[] = [];
      made(layers, { parts });
      return parts.filter((part) => !part.includes('/'));
    };
    const inner = (name: string) => ({ class_name: 'GRU', config: { name, ...GRU } });
    expect(names([X, bidirectional(inner('a'), {}, from('x'))])).toEqual(['forward_layer=forward_a', 'backward_layer=backward_a']); // prettier-ignore
    expect(names([X, bidirectional(inner('forward_a'), {}, from('x'))])).toEqual(['forward_layer=forward_a', 'backward_layer=backward_forward_a']); // prettier-ignore
    expect(names([X, bidirectional(inner('a'), backward(), from('x'))])).toEqual(['forward_layer=forward_a', 'backward_layer=b']); // prettier-ignore
  });

  test.each<[string, object[], RegExp]>([
    ['another merge', [X, bidirectional(gru({}), { merge_mode: 'max' }, from('x'))], /unsupported: .*merge_mode "max"/],
    ['no merge', [X, bidirectional(gru({}), { merge_mode: undefined }, from('x'))], /unsupported: .*merge_mode undefined/],
    ['no layer', [X, bidirectional({}, {}, from('x'))], /invalid_file: .*its layer is missing/],
    ['a layer of another class', [X, bidirectional(layer('ConvLSTM1D', 'l'), {}, from('x'))], /unsupported: .*around a layer of class ConvLSTM1D; supported: GRU, /],
    ['two that go forwards', [X, bidirectional(gru({}), { backward_layer: gru({}) }, from('x'))], /invalid_file: .*its layers go the same way/],
    ['two that go backwards', [X, bidirectional(gru({ go_backwards: true }), backward(), from('x'))], /invalid_file: .*its layers go the same way/],
    ['all and the last outputs', [X, bidirectional(gru({ return_sequences: true }), backward(), from('x'))], /invalid_file: .*differ in returnSequences/],
    ['states of one', [X, bidirectional(gru({}), backward({ return_state: true }), from('x'))], /invalid_file: .*differ in returnState/],
    ['a field of its layer', [X, bidirectional(gru({ odd: 1 }), {}, from('x'))], /GRU 'forward_g': unknown field 'odd'/],
    ['one state of two', [X, H, bidirectional(gru({}), {}, from('x'), from('h'))], /given 1 initial states, it has 2/],
  ])('refused: %s', (_, layers, message) => {
    expect(refused(layers)).toMatch(message);
  }); // prettier-ignore
});
