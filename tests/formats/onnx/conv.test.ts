import { numbersOf } from '../../../ts/base/weights.ts';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/arrays.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import type { Conv1dSpec } from '../../../ts/spec/spec.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';

/** Conv of X [batch, channels, time] by W (outputs, channels, taps), and what each attribute makes of it. */

const node = (attributes: Record<string, Attribute>, more: Partial<Node> = {}): Node => ({
  op: 'Conv',
  name: 'c',
  inputs: ['X', 'W', 'B'],
  outputs: ['Y'],
  attributes,
  ...more,
});

function graph(
  attributes: Record<string, Attribute>,
  { shape = [4, 2, 3], x = ['b', 2, 't'] as (string | number)[], nodes = [node(attributes)] } = {},
): Uint8Array {
  const length = shape.reduce((n, d) => n * d, 1);
  return onnxModel({
    opset: 17,
    nodes,
    inputs: [{ name: 'X', shape: x }],
    outputs: ['Y'],
    initializers: [
      tensor(
        'W',
        shape,
        Float32Array.from({ length }, (_, i) => i + 1),
      ),
      tensor('B', [shape[0]!], new Float32Array(shape[0]!).fill(0.5)),
    ],
  });
}

const read = async (...args: Parameters<typeof graph>) => {
  const { spec } = await readOnnx(graph(...args), { options: {} });
  return spec.layers.find(({ type }) => type === 'conv1d') as Conv1dSpec;
};
const refused = (...args: Parameters<typeof graph>) => refusalOf(readOnnx(graph(...args), { options: {} }));

describe('attributes', () => {
  test.each<[string, Record<string, Attribute>, Partial<Conv1dSpec>]>([
    ['none', {}, { stride: 1, dilation: 1, groups: 1, padding: [0, 0] }],
    ['pads', { pads: [2, 1] }, { padding: [2, 1] }],
    ['strides', { strides: [2] }, { stride: 2 }],
    ['dilations', { dilations: [3] }, { dilation: 3 }],
    ['kernel_shape', { kernel_shape: [3] }, { kernelSize: 3 }],
    ['SAME_UPPER', { auto_pad: 'SAME_UPPER' }, { padding: 'same' }],
    ['SAME_LOWER', { auto_pad: 'SAME_LOWER' }, { padding: 'sameLower' }],
    ['VALID', { auto_pad: 'VALID' }, { padding: [0, 0] }],
    ['NOTSET', { auto_pad: 'NOTSET', pads: [1, 1] }, { padding: [1, 1] }],
  ])('%s', async (_, attributes, wanted) => {
    expect(await read(attributes)).toMatchObject(wanted);
  });

  test('taps come before channels; groups read their part', async () => {
    expect([...numbersOf((await read({})).weights.kernel).subarray(0, 6)]).toEqual([1, 4, 2, 5, 3, 6]);
    const grouped = await read({ group: 2 }, { shape: [4, 1, 3] });
    expect(grouped).toMatchObject({ inputSize: 2, outputSize: 4, groups: 2 });
    expect([...grouped.weights.bias!]).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  test.each<[string, Parameters<typeof graph>, RegExp]>([
    ['a kernel_shape that W does not have', [{ kernel_shape: [4] }], /invalid_file.*'kernel_shape' \[4\]/],
    ['pads below 0', [{ pads: [-1, 0] }], /attribute 'pads' \[-1, 0\]/],
    ['pads of two axes', [{ pads: [1, 1, 1, 1] }], /attribute 'pads'/],
    ['strides of 0', [{ strides: [0] }], /attribute 'strides' \[0\]/],
    ['pads beside auto_pad', [{ auto_pad: 'SAME_UPPER', pads: [1, 1] }], /'auto_pad' SAME_UPPER and 'pads' contradict/],
    ['an unknown auto_pad', [{ auto_pad: 'SAME' }], /'auto_pad' 'SAME' is unknown/],
    ['an unknown attribute', [{ odd: 1 }], /attribute 'odd' is not supported/],
    ['groups that do not fit', [{ group: 3 }], /in 3 groups does not fit 2 channels/],
    ['two axes that are convolved', [{}, { shape: [4, 2, 3, 3], x: ['b', 2, 't', 5] }], /supported: \[batch, channels, time\]/],
    ['padding of an axis of size 1', [{ pads: [1, 0, 0, 0] }, { shape: [4, 2, 1, 3], x: ['b', 2, 1, 't'] }], /over the time/],
    ['channels that are steps', [{}, { shape: [4, 5, 3], x: ['b', 't', 2] }], /convolves \[batch, time, 2\]; supported: \[batch, channels, time\]/],
  ])('refused: %s', async (_, args, message) => {
    expect(await refused(...args)).toMatch(message);
  }); // prettier-ignore
});

test.each([
  [
    [4, 2, 1, 3],
    ['b', 2, 1, 't'],
    [0, 1, 0, 2],
  ],
  [
    [4, 2, 3, 1],
    ['b', 2, 't', 1],
    [1, 0, 2, 0],
  ],
])('an axis of size 1 beside the time: W %j', async (shape, x, pads) => {
  expect(await read({ pads }, { shape, x })).toMatchObject({ kernelSize: 3, padding: [1, 2] });
});

test('the end that is sliced off again is not computed: Conv1d(padding=2), [:, :, :-2] is causal', async () => {
  const slice = { op: 'Slice', name: 's', inputs: ['C', 'starts', 'ends', 'axes'], outputs: ['Y'] };
  const ints = (name: string, value: number) => ({ op: 'Constant', inputs: [], outputs: [name], attributes: { value_ints: [value] } }); // prettier-ignore
  const nodes = (end: number) => [
    ints('starts', 0),
    ints('ends', end),
    ints('axes', 2),
    node({ pads: [2, 2] }, { outputs: ['C'] }),
    slice,
  ];
  expect(await read({}, { nodes: nodes(-2) })).toMatchObject({ padding: [2, 0] });
  const { spec } = await readOnnx(graph({}, { nodes: nodes(-3) }));
  expect(spec.layers).toMatchObject([{ padding: [2, 2] }, { type: 'pad', after: -3 }]);
});

test('results have the steps that the layer makes', async () => {
  const api = createApi(() => Promise.resolve(jsBackend));
  using model = await api.loadModel(graph({ strides: [2], auto_pad: 'SAME_UPPER' }));
  const { Y } = runOnnx(model, { X: { data: new Float32Array(2 * 2 * 5).fill(1), shape: [2, 2, 5] } });
  expect(Y!.shape).toEqual([2, 4, 3]);
  // 1 zero before and behind 5 steps: windows of 2, 3 and 2 ones, of two channels.
  expect([...Y!.data.subarray(0, 3)]).toEqual([2 + 3 + 5 + 6.5, 21.5, 1 + 2 + 4 + 5.5]);
});
