import { expect, test, vi } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { Scope } from '../../../ts/formats/onnx/scope.ts';
import { numbers } from '../../facade/helpers.ts';
import { onnxModel, tensor, type Model, type Node } from './build.ts';

const X = { name: 'x', shape: ['a', 12, 4] };
const op = (name: string, inputs: string[], output: string, more: Partial<Node> = {}): Node => ({
  op: name,
  name: output,
  inputs,
  outputs: [output],
  ...more,
});
const refusalOf = async (model: Partial<Model> & Pick<Model, 'nodes' | 'outputs'>): Promise<string> => {
  const reading = readOnnx(onnxModel({ inputs: [X], ...model }));
  return reading.then(
    () => 'nothing',
    (error: unknown) => (error as Error).message,
  );
};

test('operators that are not read: what to do, then each node once, and what can be had without them', async () => {
  const trace = (text: string) => ({ metadata: { namespace: 'x', 'pkg.torch.onnx.stack_trace': text } });
  const message = await refusalOf({
    nodes: [
      op('Unique', ['x'], 'u', trace('File "/code/model.py", line 12, in forward\n    u = x.unique()')),
      op(
        'Unique',
        ['u'],
        'v',
        trace('File "C:\\me\\a.py", line 3, in f\n  y\nFile "/site-packages/torch/b.py", line 9, in g'),
      ),
      op('Det', ['v'], 'd', trace('no frame')),
      op('Relu', ['x'], 'r'),
    ],
    outputs: ['d', 'r'],
  });
  expect(message).toBe(
    'replace 3 nodes of operators that are not supported, or take them out of the model: ' +
      "Unique (nodes 'u' (model.py:12, in forward), 'v' (a.py:3, in f)), Det (node 'd'). " +
      "These outputs do not need them: { onnx: { outputs: ['r'] } }. " +
      'docs/what-runs.md lists the operators that are supported',
  );
});

test('of many nodes and operators the first ones are named', async () => {
  const each = (count: number, kind: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => op(kind(i), [i === 0 ? 'x' : `n${i - 1}`], `n${i}`));
  const alike = await refusalOf({ nodes: each(30, () => 'Odd'), outputs: ['n29'] });
  expect(alike).toMatch(/^replace 30 nodes .*: Odd \(nodes 'n0', .*'n19' and 10 more\)\. docs/);
  const differing = await refusalOf({ nodes: each(30, (i) => `Odd${i}`), outputs: ['n29'] });
  expect(differing).toMatch(/Odd19 \(node 'n19'\) and 10 more\. docs/);
});

test.each([
  ['tf2onnx', /^Tile node 'y': repeats \[batch, time, 4\] .*\. The \.keras or \.h5 file/],
  ['pytorch', /^Tile node 'y': repeats \[time, batch, 4\] .*\. Its weights can be loaded from a state dict/],
  ['other', /^Tile node 'y': repeats \[time, batch, 4\] .*features$/],
])('of readings that come as far, the one that the producer means is told: %s', async (producer, wanted) => {
  const initializers = [tensor('repeats', [3], [2, 2, 1], 7)];
  const message = await refusalOf({
    nodes: [op('Tile', ['x', 'repeats'], 'y')],
    outputs: ['y'],
    producer,
    initializers,
  });
  expect(message).toMatch(wanted);
});

test('whatever a node is refused for names the node', async () => {
  const message = await refusalOf({
    nodes: [
      op('GRU', ['x', 'W', 'R'], 'y', { attributes: { hidden_size: 3 } }),
      op('Transpose', ['x'], 't', { attributes: { perm: [1, 0, 2] } }),
      op('GRU', ['t', 'W', 'R'], 'z', { attributes: { hidden_size: 3 } }),
    ],
    inputs: [{ name: 'x', shape: ['a', 'b', 4] }],
    outputs: ['y', 'z'],
    initializers: [tensor('W', [1, 9, 4], numbers(36)), tensor('R', [1, 9, 3], numbers(27))],
  });
  expect(message).toMatch(/^GRU node 'z': takes axis 1 of input 'x' as \w+, GRU node 'y' as \w+\. A recurrent node/);
});

test('a graph that asks for no steps by their numbers, or as features, is not read so again', async () => {
  const read = vi.spyOn(Scope.prototype, 'read');
  const initializers = [tensor('repeats', [3], [2, 2, 1], 7)];
  await refusalOf({ nodes: [op('Tile', ['x', 'repeats'], 'y')], outputs: ['y'], initializers });
  // with the time or the batch first: as it is, and with what the file fixes as features
  expect(read.mock.calls.length).toBe(4);
  read.mockRestore();
});
