import { test } from 'vitest';
import { GruError } from '../../ts/base/errors.ts';
import { readOnnx } from '../../ts/formats/onnx.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { useAllKinds } from '../../ts/layers/full.ts';
import { type Node, onnxModel, tensor } from './onnx/build.ts';

useAllKinds();

/** More than a call has room for arguments: a list of so many, spread into one, overflows the stack. */
const MANY = 130_000;
const many = <T>(make: (i: number) => T) => Array.from({ length: MANY }, (_, i) => make(i));

/** A model, or a GruError. */
async function isRead(read: Promise<unknown>): Promise<void> {
  try {
    await read;
  } catch (error) {
    if (!(error instanceof GruError)) throw error;
  }
}

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
  await isRead(readTfjs(new TextEncoder().encode(JSON.stringify(json)), { name: 'model.json' }));
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
  ['Split', [{ op: 'Split', inputs: ['x'], outputs: many((i) => `y${i || ''}`), attributes: { axis: 2 } }]],
])('ONNX: %s of many', async (_, nodes, initializers = []) => {
  await isRead(readOnnx(onnxModel({ ...IO, nodes, initializers })));
});
