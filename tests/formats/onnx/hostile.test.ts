import { Worker } from 'node:worker_threads';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { resolveGraph } from '../../../ts/spec/graph.ts';
import { random } from '../../random.ts';
import { mutate, survives, stopwatch } from '../mutate.ts';
import { onnxModel, tensor, type Node } from './build.ts';
import { wordsOf } from '../refusal.ts';

const file = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/cases/${name}/model.onnx`, import.meta.url)));

/** What a program does with a file; the result has to be a spec that holds. */
async function read(bytes: Uint8Array): Promise<void> {
  resolveGraph((await readOnnx(bytes)).spec);
}

test('cut at each byte', async () => {
  const bytes = file('onnx_forward_lbr1');
  for (let length = 0; length < bytes.length; length++) await survives(read, bytes.subarray(0, length));
});

describe.each([
  'onnx_torch_legacy_bidir_2layer_h0',
  'onnx_torch_dynamo_dynamic_noh0',
  'onnx_torch_legacy_embedding_bigru_linear',
  'onnx_weights_constant_nodes',
  'onnxop_lstm_bidirectional_peephole',
  'onnxop_rnn_layout1_bidirectional',
  'onnx_scan_lstm_peephole',
  'onnx_loop_gru_slice',
])('%s', (name) => {
  test('damaged', async () => {
    const bytes = file(name);
    const next = random(name.length);
    for (let i = 0; i < 1000; i++) await survives(read, mutate(bytes, next));
  });
});

const float = (name: string, shape: number[], values = new Float32Array(shape.reduce((n, d) => n * d, 1))) =>
  tensor(name, shape, values);
const ints = (name: string, values: number[]) => tensor(name, [values.length], values, 7);

/** A graph of these nodes over an input x (steps, batch, 2) that ends in y. */
const graph = (nodes: Node[], initializers: Uint8Array[] = [], outputs = ['y']) =>
  onnxModel({ nodes, inputs: [{ name: 'x', shape: ['t', 'b', 2] }], outputs, initializers });

const node = (op: string, inputs: string[], output = 'y', attributes: Node['attributes'] = {}): Node => ({
  op,
  inputs,
  outputs: [output],
  name: output,
  attributes,
});

/** A node twice over: sizes grow with each. */
const chain = (count: number, make: (from: string, to: string) => Node): Node[] =>
  Array.from({ length: count }, (_, i) => make(i === 0 ? 'c' : `c${i}`, `c${i + 1}`));

describe('graphs made to hurt', () => {
  const huge = 2 ** 40;
  test.each<[string, Uint8Array]>([
    ['a node that reads itself', graph([node('Add', ['x', 'y'])])],
    [
      'two nodes in a circle',
      graph([node('Add', ['x', 'b'], 'a'), node('Add', ['x', 'a'], 'b'), node('Identity', ['b'])]),
    ],
    ['no nodes', graph([], [], ['x'])],
    ['an output that nothing gives', graph([node('Relu', ['x'], 'z')])],
    ['a tensor of a huge shape', graph([node('Add', ['x', 'c'])], [tensor('c', [huge, huge], [])])],
    [
      'a huge range',
      graph(
        [node('Range', ['s', 'e', 'd'], 'r'), node('Add', ['x', 'r'])],
        [tensor('s', [], [0], 7), tensor('e', [], [huge], 7), tensor('d', [], [1], 7)],
      ),
    ],
    [
      'a huge constant of a shape',
      graph(
        [
          node('ConstantOfShape', ['s'], 'z'),
          node('Add', ['z', 'z'], 'z2'),
          node('Transpose', ['z2'], 'z3'),
          node('Add', ['x', 'z3']),
        ],
        [ints('s', [huge, huge])],
      ),
    ],
    [
      'constants that double',
      graph(
        [...chain(60, (from, to) => node('Concat', [from, from], to, { axis: 0 })), node('Add', ['x', 'c60'])],
        [float('c', [1, 2])],
      ),
    ],
    [
      'outer products that double',
      graph(
        [
          ...chain(40, (from, to) => node('Concat', [from, from], to, { axis: 0 })),
          node('Unsqueeze', ['c16', 'zero'], 'row'),
          node('Unsqueeze', ['c16', 'one'], 'column'),
          node('Add', ['row', 'column'], 'square'),
          node('Add', ['x', 'square']),
        ],
        [float('c', [1]), ints('zero', [0]), ints('one', [1])],
      ),
    ],
    [
      'features that double',
      graph([
        ...chain(60, (from, to) =>
          node('Concat', [from === 'c' ? 'x' : from, from === 'c' ? 'x' : from], to, { axis: 2 }),
        ),
        node('Relu', ['c60']),
      ]),
    ],
    [
      'features that double and turn',
      graph(
        [
          node('Reshape', ['x', 's'], 'c'),
          ...chain(30, (from, to) => node('Concat', [from, from], to, { axis: 3 })),
          node('Transpose', ['c30'], 'z', { perm: [0, 1, 3, 2] }),
          node('Relu', ['z']),
        ],
        [ints('s', [0, 0, 2, 1])],
      ),
    ],
    ['a matrix of no columns', graph([node('MatMul', ['x', 'w'])], [float('w', [2, 0])])],
    [
      'a scale for many features',
      graph(
        [
          ...chain(13, (from, to) =>
            node('Concat', [from === 'c' ? 'x' : from, from === 'c' ? 'x' : from], to, { axis: 2 }),
          ),
          node('Mul', ['c13', 'w']),
        ],
        [
          float(
            'w',
            [2 ** 14],
            Float32Array.from({ length: 2 ** 14 }, (_, i) => i),
          ),
        ],
      ),
    ],
    [
      'sixteen axes and one more',
      graph(
        [node('Unsqueeze', ['x', 'a'])],
        [
          ints(
            'a',
            Array.from({ length: 14 }, (_, i) => i),
          ),
        ],
      ),
    ],
    ['an axis far away', graph([node('Softmax', ['x'], 'y', { axis: huge })])],
    [
      'a slice far away',
      graph([node('Slice', ['x', 's', 'e', 'a'])], [ints('s', [-huge]), ints('e', [huge]), ints('a', [2])]),
    ],
    ['an index far away', graph([node('Gather', ['x', 'i'], 'y', { axis: 2 })], [ints('i', [huge])])],
    ['a reshape to a huge size', graph([node('Reshape', ['x', 's'])], [ints('s', [huge, huge, -1])])],
    ['a reshape to nothing', graph([node('Reshape', ['x', 's'])], [ints('s', [0, 0, 0, 0, 0])])],
    [
      'many outputs of a split',
      graph([
        {
          op: 'Split',
          inputs: ['x'],
          outputs: Array.from({ length: 5000 }, (_, i) => (i === 0 ? 'y' : `o${i}`)),
          attributes: { axis: 2 },
        },
      ]),
    ],
  ])('%s', async (_, bytes) => {
    const took = stopwatch();
    const error: unknown = await read(bytes).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(took()).toBeLessThan(10_000);
    if (error !== undefined) expect(wordsOf(error)).toMatch(/^(invalid_file|unsupported): /);
  });

  // each node makes weights of its own from them
  test.each<[string, Node['op'], number, number, number]>([
    ['weights in another order', 'LSTM', 4, 64, 1000],
    ['a sum of biases', 'RNN', 1, 1024, 12_000],
  ])('many nodes that share their tensors: %s', async (_, op, gates, h, count) => {
    const names = Array.from({ length: count }, (_unused, i) => `y${i}`);
    const bytes = graph(
      names.map((name) => ({ op, inputs: ['x', 'W', 'R', 'B'], outputs: [name] })),
      [float('W', [1, gates * h, 2]), float('R', [1, gates * h, h]), float('B', [1, 2 * gates * h])],
      names,
    );
    await expect(read(bytes)).rejects.toThrow(/computes more constants than a recurrent model needs/);
  });

  test('many nodes do not take more memory than the file allows', async () => {
    const bytes = graph(Array.from({ length: 300_000 }, () => ({ op: 'A', inputs: [], outputs: [] })));
    // A heap of this size: more live memory at any time ends the worker (what is garbage does not count).
    const limit = Math.floor(4 * (bytes.length / 2 ** 20) + 64);
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import('gru-wasm/formats/onnx')
        .then(({ readOnnx }) => readOnnx(workerData))
        .then(() => parentPort.postMessage('read'), (error) => parentPort.postMessage(error.name));`;
    const worker = new Worker(code, {
      eval: true,
      workerData: bytes,
      resourceLimits: { maxOldGenerationSizeMb: limit - 8, maxYoungGenerationSizeMb: 8 },
    });
    const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    expect(answer).toBe('GruError');
  });

  test('data in a file elsewhere is not asked for', async () => {
    const bytes = file('onnx_forward_lbr1');
    const asked: string[] = [];
    const sidecar = (name: string) => {
      asked.push(name);
      return Promise.resolve(undefined);
    };
    await readOnnx(bytes, { sidecar });
    expect(asked).toEqual([]);
  });
});
