import { describe, expect, test } from 'vitest';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { BACKENDS } from '../../backends.ts';
import { expectError } from '../../facade/helpers.ts';
import { numbers } from '../../facade/helpers.ts';
import { onnxModel, tensor, type Node } from './build.ts';

const f32 = (name: string, ...shape: number[]) => tensor(name, shape, numbers(shape.reduce((n, d) => n * d, 1)));
const gru = (x: string, name: string, more: string[] = []): Node => ({
  op: 'GRU',
  inputs: [x, `${name}.W`, `${name}.R`, ...more],
  outputs: [`${name}.Y`, `${name}.H`],
  name,
  attributes: { hidden_size: 3 },
});
const weights = (name: string) => [f32(`${name}.W`, 1, 9, 4), f32(`${name}.R`, 1, 9, 3)];
const info = (name: string, time: string) => ({ name, shape: [time, 'batch', 4] });

/** An encoder whose last state the decoder starts from. */
const translator = {
  nodes: [gru('source', 'encoder'), gru('target', 'decoder', ['', '', 'encoder.H'])],
  inputs: [info('source', 'from'), info('target', 'to')],
  outputs: ['decoder.Y', 'encoder.Y'],
  initializers: [...weights('encoder'), ...weights('decoder')],
};

describe.each(BACKENDS)('an encoder and a decoder on $name', ({ api }) => {
  test('have steps of their own', async () => {
    using model = await api.loadModel(onnxModel(translator));
    expect(model.inputs.map(({ axis }) => axis)).toEqual(['source', 'target']);
    for (const [from, to] of [
      [5, 2],
      [1, 4],
    ] as const) {
      const source = { data: numbers(from * 2 * 4), shape: [from, 2, 4] };
      const target = { data: numbers(to * 2 * 4, 7), shape: [to, 2, 4] };
      const got = runOnnx(model, { source, target });
      expect([got['encoder.Y']!.shape, got['decoder.Y']!.shape]).toEqual([
        [from, 1, 2, 3],
        [to, 1, 2, 3],
      ]);
    }
    const wrong = { source: { data: numbers(24), shape: [3, 2, 4] }, target: { data: numbers(24), shape: [2, 3, 4] } };
    await expectError(() => runOnnx(model, wrong), 'shape_mismatch', "'target'", 'batch');
  });
});

test('sequence_lens in such a graph are a value, of which each axis has its mask', async () => {
  const lengths = { name: 'lens', shape: ['batch'], dtype: 6 };
  const [encoder, decoder] = [gru('source', 'encoder', ['', 'lens']), gru('target', 'decoder', ['', 'lens'])];
  const model = { ...translator, nodes: [encoder, decoder], inputs: [...translator.inputs, lengths] };
  const { spec, report } = await readOnnx(onnxModel(model));
  expect(report.graph!.inputs.map(({ name, use }) => [name, use])).toContainEqual(['lens', 'values']);
  const masks = spec.layers.flatMap((layer) => ('mask' in layer ? [layer.mask] : []));
  expect(new Set(masks).size).toBe(2);
});

describe('ids beside features', () => {
  const ids = (...shape: (number | string)[]) => ({ name: 'ids', dtype: 7, shape });
  const x = { name: 'x', shape: ['b', 3, 2] };
  const embedded: Node = { op: 'Gather', inputs: ['E', 'ids'], outputs: ['e'] };
  const turned: Node = { op: 'Transpose', inputs: ['steps'], outputs: ['turned'], attributes: { perm: [1, 0, 2] } };
  const rnn: Node = { op: 'RNN', inputs: ['turned', 'W', 'R'], outputs: ['Y', 'H'], attributes: { hidden_size: 3 } };

  test('have the batch first, both of them', async () => {
    const joined: Node = { op: 'Concat', inputs: ['e', 'x'], outputs: ['steps'], attributes: { axis: 2 } };
    const { report } = await readOnnx(
      onnxModel({
        nodes: [embedded, joined, turned, rnn],
        // no name says which is the batch
        inputs: [ids('u0', 'u1'), { name: 'x', shape: ['u2', 'u3', 2] }],
        outputs: ['Y'],
        initializers: [f32('E', 5, 2), f32('W', 1, 3, 4), f32('R', 1, 3, 3)],
      }),
    );
    expect(report.graph!.inputs.map(({ axes }) => axes)).toEqual([
      [['batch'], ['time']],
      [['batch'], ['time'], [2]],
    ]);
  });

  test('are one a sequence where the file has one step of them, beside what a sequence ends in', async () => {
    const bytes = onnxModel({
      nodes: [
        embedded,
        { op: 'Flatten', inputs: ['e'], outputs: ['id'], attributes: { axis: 1 } },
        { op: 'Identity', inputs: ['x'], outputs: ['steps'] },
        turned,
        rnn,
        { op: 'Squeeze', inputs: ['H', 'zero'], outputs: ['last'] },
        { op: 'Concat', inputs: ['id', 'last'], outputs: ['y'], attributes: { axis: 1 }, name: 'join' },
      ],
      inputs: [ids('b', 1), x],
      outputs: ['y'],
      initializers: [f32('E', 5, 2), f32('W', 1, 3, 2), f32('R', 1, 3, 3), tensor('zero', [1], [0], 7)],
    });
    const { report, spec } = await readOnnx(bytes);
    expect(report.graph!.inputs.map(({ kind }) => kind)).toEqual(['vector', 'sequence']);
    expect(spec.outputs).toHaveLength(1);
  });
});

describe('inputShapes', () => {
  // Relu where there are four steps, else Neg.
  const branch = (op: string, output: string): unknown => ({
    graph: { nodes: [{ op, inputs: ['x'], outputs: [output] }], inputs: [], outputs: [output] },
  });
  const byShape = {
    nodes: [
      { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
      { op: 'Gather', inputs: ['shape', 'one'], outputs: ['steps'], attributes: { axis: 0 } },
      { op: 'Equal', inputs: ['steps', 'four'], outputs: ['are_four'] },
      { op: 'If', name: 'choice', inputs: ['are_four'], outputs: ['y'], attributes: { then_branch: branch('Relu', 'a'), else_branch: branch('Neg', 'b') } }, // prettier-ignore
    ] as Node[],
    inputs: [{ name: 'x', shape: ['batch', 'time', 2] }],
    outputs: ['y'],
    initializers: [tensor('one', [], [1], 7), tensor('four', [], [4], 7)],
  };
  const load = (inputShapes?: unknown) =>
    readOnnx(onnxModel(byShape), { options: { onnx: { inputShapes: inputShapes as Record<string, number[]> } } });

  test('say which branch is taken, where the file leaves the steps free', async () => {
    await expect(load()).rejects.toThrow(/inputShapes/);
    const kinds = async (steps: number) =>
      (await load({ x: ['batch', steps, 2] })).spec.layers.map((layer) => 'activation' in layer && layer.activation);
    expect(await kinds(4)).toEqual(['relu']);
    expect(await kinds(5)).not.toContain('relu');
  });

  test.each<[unknown, string[]]>([
    [{ y: [1] }, ["inputShapes['y']", 'it has x']],
    [{ x: [1, 4] }, ["inputShapes['x']", '[1, 4]', '[batch, time, 2]']],
    [{ x: [1, 4, 3] }, ["inputShapes['x']", '[1, 4, 3]', '[batch, time, 2]']],
    [{ x: [1, 0, 2] }, ["inputShapes['x']", 'from 1']],
    [{ x: [1, 1.5, 2] }, ["inputShapes['x']", 'from 1']],
    [{ x: [1, 2 ** 60, 2] }, ["inputShapes['x']", 'from 1']],
    [{ x: 'batch' }, ["inputShapes['x']", 'an array']],
    [{ x: new Array(3) }, ["inputShapes['x']", 'an array']],
    [{ x: new Array(2 ** 31) }, ["inputShapes['x']", 'an array']],
    [[4], ['inputShapes must be an object']],
    [4, ['inputShapes must be an object']],
    [null, ['inputShapes must be an object']],
  ])('%# is refused', async (given, texts) => {
    await expectError(() => load(given), 'invalid_argument', ...texts);
  });
});
