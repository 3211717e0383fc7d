import { expect, test } from 'vitest';
import { readOnnx } from '../../ts/formats/onnx.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { useAllKinds } from '../../ts/layers/full.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { type Node, onnxModel, tensor } from './onnx/build.ts';
import { refusalOf } from './refusal.ts';

useAllKinds();

/** More than a call has room for arguments: a list of so many, spread into one, overflows the stack. */
const MANY = 130_000;
const many = <T>(make: (i: number) => T) => Array.from({ length: MANY }, (_, i) => make(i));

test.each(['Add', 'Maximum', 'Concatenate', 'Average'])('TensorFlow.js: %s of many inputs', async (className) => {
  const named = (name: string, class_name: string, config: object, inbound: unknown[]) => ({
    class_name,
    name,
    config: { name, ...config },
    inbound_nodes: inbound,
  });
  const inputs = many(() => ['x', 0, 0]);
  const config = {
    name: 'm',
    layers: [
      named('x', 'InputLayer', { batch_input_shape: [null, null, 1], dtype: 'float32' }, []),
      named('m', className, className === 'Concatenate' ? { axis: -1 } : {}, [inputs]),
    ],
    input_layers: [['x', 0, 0]],
    output_layers: [['m', 0, 0]],
  };
  const json = { format: 'layers-model', modelTopology: { class_name: 'Functional', config }, weightsManifest: [] };
  const { spec } = await readTfjs(new TextEncoder().encode(JSON.stringify(json)), { name: 'model.json' });
  expect(resolveGraph(spec).outputs).toHaveLength(1);
});

const IO = { inputs: [{ name: 'x', shape: ['B', 'T', 1] }], outputs: [{ name: 'y', shape: ['B', 'T', 1] }] };

test.each<[string, Node[], Uint8Array[]?]>([
  ['Sum', [{ op: 'Sum', inputs: many(() => 'x'), outputs: ['y'] }]],
  [
    'Max of constants',
    [
      { op: 'Max', inputs: many(() => 'c'), outputs: ['k'] },
      { op: 'Add', inputs: ['x', 'k'], outputs: ['y'] },
    ],
    [tensor('c', [1], [1])],
  ],
  [
    'Concat of constants',
    [
      { op: 'Concat', inputs: many(() => 'c'), outputs: ['k'], attributes: { axis: 0 } },
      { op: 'Add', inputs: ['x', 'k'], outputs: ['y'] },
    ],
    [tensor('c', [1], [1])],
  ],
])('ONNX: %s of many', async (_, nodes, initializers = []) => {
  const { spec } = await readOnnx(onnxModel({ ...IO, nodes, initializers }));
  expect(resolveGraph(spec).outputs).toHaveLength(1);
});

test('ONNX: Split into more than there is', async () => {
  const outputs = many((i) => `y${i || ''}`);
  const nodes = [{ op: 'Split', inputs: ['x'], outputs, attributes: { axis: 2 } }];
  expect(await refusalOf(readOnnx(onnxModel({ ...IO, nodes })))).toMatch(
    /^\w+: Split node 'y': 130000 parts do not fit an axis of 1$/,
  );
});
