import { describe, expect, test } from 'vitest';
import { uniqueNames } from '../../ts/formats/keras/h5-weights.ts';
import { fromCudnn } from '../../ts/formats/layouts/cudnn.ts';
import type { ImportedModel } from '../../ts/formats/report.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { useAllKinds } from '../../ts/layers/full.ts';

useAllKinds();

/** What recurrent layers become, in files of our own; recorded ones are in tests/cases. */

type Json = Record<string, unknown>;
const UNITS = 2;
const SIZE = 3;

const functions = { activation: 'tanh', recurrent_activation: 'sigmoid' };
const CONFIGS: Record<string, Json> = {
  LSTM: { units: UNITS, ...functions, unit_forget_bias: true },
  GRU: { units: UNITS, ...functions, reset_after: false },
  SimpleRNN: { units: UNITS, activation: 'relu' },
};
const GATES: Record<string, number> = { LSTM: 4, GRU: 3, SimpleRNN: 1 };

function layer(className: string, name: string, config: Json = {}): Json {
  return { class_name: className, config: { name, ...CONFIGS[className], ...config } };
}

type Weights = [name: string, shape: number[]][];

/** Names and shapes of a cell's weights. */
function weightsOf(className: string, path: string, inputSize = SIZE): Weights {
  const columns = GATES[className]! * UNITS;
  return [
    [`${path}/kernel`, [inputSize, columns]],
    [`${path}/recurrent_kernel`, [UNITS, columns]],
    [`${path}/bias`, [columns]],
  ];
}

/** A model with input `x`, an input of vectors for each state, and one layer, all of whose outputs it gives. */
function read(wrapped: Json, weights: Weights, states = 0, outputs = 1): Promise<ImportedModel> {
  const input = (name: string, shape: (number | null)[]) => ({
    ...layer('InputLayer', name, { batch_input_shape: shape, dtype: 'float32' }),
    name,
    inbound_nodes: [],
  });
  const names = Array.from({ length: states }, (_, i) => `s${i}`);
  const node = ['x', ...names].map((name) => [name, 0, 0, {}]);
  const layers = [
    input('x', [null, null, SIZE]),
    ...names.map((name) => input(name, [null, UNITS])),
    { ...wrapped, name: 'y', inbound_nodes: [node] },
  ];
  const config = {
    name: 'model',
    layers,
    input_layers: ['x', ...names].map((name) => [name, 0, 0]),
    output_layers: Array.from({ length: outputs }, (_, i) => ['y', 0, i]),
  };
  const count = weights.reduce((sum, [, shape]) => sum + shape.reduce((n, d) => n * d, 1), 0);
  const manifest = [{ paths: ['w.bin'], weights: weights.map(([name, shape]) => ({ name, shape, dtype: 'float32' })) }];
  const root = { format: 'layers-model', modelTopology: { class_name: 'Model', config }, weightsManifest: manifest };
  const shard = new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer);
  return readTfjs(new TextEncoder().encode(JSON.stringify(root)), { sidecar: () => Promise.resolve(shard) });
}

const both = (forward: Json, more: Json = {}) =>
  layer('Bidirectional', 'y', { layer: forward, merge_mode: 'concat', ...more });
const directed = (className: string) => [
  ...weightsOf(className, 'y/forward_r'),
  ...weightsOf(className, 'y/backward_r'),
];

describe('states', () => {
  test('of an LSTM: hidden, cell', async () => {
    const { spec } = await read(layer('LSTM', 'y', { return_state: true }), weightsOf('LSTM', 'y'), 2, 3);
    resolveGraph(spec);
    expect(spec.layers).toMatchObject([{ type: 'lstm', initialState: ['s0', 's1'], returns: 'last' }]);
    expect(spec.outputs).toEqual([
      { name: 'y', from: 'y' },
      { name: 'y_state', from: 'y:forwardState' },
      { name: 'y_state1', from: 'y:forwardCell' },
    ]);
  });

  test('of a bidirectional LSTM: Keras lists a direction after the other, a layer one state after the other', async () => {
    const lstm = layer('LSTM', 'r', { return_state: true });
    const { spec } = await read(both(lstm), directed('LSTM'), 4, 5);
    resolveGraph(spec);
    expect(spec.layers).toMatchObject([{ direction: 'bidirectional', initialState: ['s0', 's2', 's1', 's3'] }]);
    expect(spec.outputs?.slice(1).map((output) => (output as { from: string }).from)).toEqual([
      'y:forwardState',
      'y:forwardCell',
      'y:reverseState',
      'y:reverseCell',
    ]);
  });

  test('of directions that are two layers', async () => {
    const lstm = layer('LSTM', 'r');
    const { spec } = await read(both(lstm, { merge_mode: null }), directed('LSTM'), 4, 2);
    resolveGraph(spec);
    expect(spec.layers).toMatchObject([
      { direction: 'forward', initialState: ['s0', 's1'] },
      { direction: 'reverse', initialState: ['s2', 's3'] },
    ]);
  });

  test('too few are refused', async () => {
    await expect(read(layer('LSTM', 'y'), weightsOf('LSTM', 'y'), 1)).rejects.toThrow(
      /LSTM layer 'y': is given 1 initial states, it has 2/,
    );
  });
});

test('directions of differing kinds are two layers', async () => {
  const backward = layer('SimpleRNN', 'back', { go_backwards: true });
  const weights = [...weightsOf('LSTM', 'y/forward_r'), ...weightsOf('SimpleRNN', 'y/back')];
  const { spec } = await read(both(layer('LSTM', 'r'), { backward_layer: backward }), weights);
  resolveGraph(spec);
  expect(spec.layers).toMatchObject([
    { type: 'lstm', direction: 'forward' },
    { type: 'rnn', direction: 'reverse', activation: 'relu' },
    { type: 'merge', merge: 'concat' },
  ]);
});

describe('cells', () => {
  const kinds = ['SimpleRNN', 'LSTM', 'GRU'];
  const cells = kinds.map((kind) => layer(`${kind}Cell`, kind.toLowerCase(), CONFIGS[kind]));
  const rnn = (cell: unknown) => layer('RNN', 'y', { cell });

  test('of several kinds become layers on top of each other', async () => {
    const weights = kinds.flatMap((kind, i) => weightsOf(kind, `y/${kind.toLowerCase()}`, i === 0 ? SIZE : UNITS));
    const { spec } = await read(rnn({ class_name: 'StackedRNNCells', config: { cells } }), weights);
    resolveGraph(spec);
    expect(spec.layers).toMatchObject([
      { type: 'rnn', name: 'y_cell_0' },
      { type: 'lstm', name: 'y_cell_1' },
      { type: 'gru', name: 'y', returns: 'last' },
    ]);
  });

  test('and layers of the user, by their module or registered name, are refused', async () => {
    const weights = weightsOf('LSTM', 'y');
    for (const [own, message] of [
      [{ module: 'my.cells' }, /cell is of class 'LSTM(Cell)?'|layer of class LSTM/],
      [{ registered_name: 'mine>LSTM' }, /of class '?mine>LSTM/],
    ] as const) {
      await expect(read(rnn({ ...cells[1], ...own }), weights)).rejects.toThrow(message);
      await expect(read(both({ ...layer('LSTM', 'r'), ...own }), weights)).rejects.toThrow(message);
    }
  });
});

describe('dtype policies', () => {
  test.each(['mixed_float16', 'mixed_bfloat16'])('%s is computed in float32, and said so', async (dtype) => {
    const { report } = await read(layer('LSTM', 'y', { dtype }), weightsOf('LSTM', 'y'));
    expect(report.conventions).toContain(`dtype policy ${dtype}: computed in float32 here, as its weights are`);
  });

  test('float16 is refused', async () => {
    await expect(read(layer('LSTM', 'y', { dtype: 'float16' }), weightsOf('LSTM', 'y'))).rejects.toThrow(
      /LSTM layer 'y': dtype "float16" is not supported; supported: float32/,
    );
  });
});

test('a kernel of the wrong size is named', async () => {
  const weights = weightsOf('GRU', 'y');
  await expect(read(layer('LSTM', 'y'), weights)).rejects.toThrow(
    /LSTM layer 'y': tensor 'y\/kernel' has shape \[3, 6\], the config asks for \[3, 8\]/,
  );
  await expect(read(layer('LSTM', 'y'), weightsOf('LSTM', 'y').slice(1))).rejects.toThrow(
    /its kernel is not in the file/,
  );
  await expect(read(layer('LSTM', 'y', { activation: 'softmax' }), weights)).rejects.toMatchObject({
    code: 'unsupported',
    message: "LSTM layer 'y': activation softmax is not supported in a recurrent layer",
  });
});

test("cuDNN's arrays: blocks of gates, read row by row; two biases", () => {
  // Inputs 3, units 2, gates 2: the value is 100 gate + the place in the block.
  const kernel = Float32Array.of(0, 1, 100, 101, 2, 3, 102, 103, 4, 5, 104, 105);
  const recurrentKernel = Float32Array.of(0, 1, 100, 101, 2, 3, 102, 103);
  const bias = Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40);
  const sizes = { inputSize: 3, hiddenSize: 2 };
  const found = fromCudnn({ kernel, recurrentKernel, bias }, sizes, 2, false);
  expect([...found.input]).toEqual([0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105]);
  expect([...found.recurrent]).toEqual([0, 1, 2, 3, 100, 101, 102, 103]);
  expect([...found.bias!]).toEqual([11, 22, 33, 44]);
  const apart = fromCudnn({ kernel, recurrentKernel, bias }, sizes, 2, true);
  expect([...apart.bias!]).toEqual([11, 22, 3, 4]);
  expect([...apart.recurrentBias!]).toEqual([30, 40]);
});

test('folders of layers, as Keras numbers them', () => {
  const classes = ['InputLayer', 'LSTM', 'TimeDistributed', 'LSTM', 'TimeDistributed', 'SimpleRNN', 'LSTM'];
  expect(uniqueNames(classes)).toEqual([
    'input_layer', 'lstm', 'time_distributed', 'lstm_1', 'time_distributed_1', 'simple_rnn', 'lstm_2',
  ]); // prettier-ignore
  expect(uniqueNames(classes, (name) => (name === 'time_distributed' ? 1 : 2))).toEqual([
    'input_layer', 'lstm', 'time_distributed', 'lstm_2', 'time_distributed_1', 'simple_rnn', 'lstm_4',
  ]); // prettier-ignore
});
