import { numbersOf } from '../../../ts/base/weights.ts';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
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

describe('ConvTranspose', () => {
  const [channels, steps] = [4, 5];
  const x = { data: Float32Array.from({ length: 2 * channels * steps }, (_, i) => ((i * 7) % 11) - 5), shape: [2, channels, steps] }; // prettier-ignore
  const bytesOf = (attributes: Record<string, Attribute>, shape: number[], b = true) =>
    onnxModel({
      nodes: [node(attributes, { op: 'ConvTranspose', inputs: ['X', 'W', ...(b ? ['B'] : [])] })],
      inputs: [{ name: 'X', shape: ['b', channels, 't'] }],
      outputs: ['Y'],
      initializers: [
        tensor('W', shape, weights(shape)),
        tensor('B', [shape[1]! * Number(attributes['group'] ?? 1)], new Float32Array(shape[1]! * Number(attributes['group'] ?? 1)).fill(0.5)), // prettier-ignore
      ],
    });
  const weights = (shape: number[]) =>
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => ((i * 5) % 7) - 3);

  /** Each step times each tap, added where it lies. */
  function laidOut(attributes: Record<string, number | number[]>, shape: number[], length: number, left: number) {
    const [, own, taps] = shape as [number, number, number];
    const of = (name: string) => [attributes[name] ?? 1].flat()[0]!;
    const [s, d, group] = [of('strides'), of('dilations'), of('group')];
    const outputs = own * group;
    const w = weights(shape);
    const y = new Float32Array(2 * outputs * length).fill(0.5);
    for (let b = 0; b < 2; b++)
      for (let c = 0; c < channels; c++)
        for (let t = 0; t < steps; t++)
          for (let o = 0; o < own; o++)
            for (let k = 0; k < taps; k++) {
              const [at, row] = [t * s + k * d - left, Math.floor(c / (channels / group)) * own + o];
              if (at >= 0 && at < length) y[(b * outputs + row) * length + at]! += x.data[(b * channels + c) * steps + t]! * w[(c * own + o) * taps + k]!; // prettier-ignore
            }
    return { data: y, shape: [2, outputs, length] };
  }

  test.each<[string, Record<string, number | number[]>, number[], number, number]>([
    ['as it is', {}, [4, 2, 3], 7, 0],
    ['strides', { strides: [2] }, [4, 2, 3], 11, 0],
    ['taps that are no multiple of the stride', { strides: [3] }, [4, 2, 5], 17, 0],
    ['fewer taps than the stride', { strides: [4] }, [4, 2, 2], 18, 0],
    ['pads', { strides: [2], pads: [1, 2] }, [4, 2, 5], 10, 1],
    ['pads beyond what is reached last', { strides: [2], pads: [0, 3] }, [4, 2, 2], 7, 0],
    ['output_padding', { strides: [3], pads: [1, 0], output_padding: [2] }, [4, 2, 4], 17, 1],
    ['output_padding behind all taps', { strides: [4], output_padding: [3] }, [4, 2, 2], 21, 0],
    ['dilations', { dilations: [2], pads: [1, 1] }, [4, 2, 3], 7, 1],
    ['group', { group: 2, strides: [2] }, [4, 3, 3], 11, 0],
    ['a group a channel', { group: 4, strides: [2], pads: [1, 1] }, [4, 1, 4], 10, 1],
    ['SAME_UPPER', { auto_pad: 1, strides: [2] }, [4, 2, 5], 10, 1],
    ['SAME_LOWER', { auto_pad: 2, strides: [2] }, [4, 2, 5], 10, 2],
    ['VALID', { auto_pad: 3, strides: [2] }, [4, 2, 5], 13, 0],
  ])('%s', async (_, given, shape, length, left) => {
    const pad = ['', 'SAME_UPPER', 'SAME_LOWER', 'VALID'][Number(given['auto_pad'] ?? 0)]!;
    const attributes: Record<string, Attribute> = { ...given, ...(pad && { auto_pad: pad }) };
    using model = await createApi(() => Promise.resolve(jsBackend)).loadModel(bytesOf(attributes, shape));
    const y = runOnnx(model, { X: x })['Y']!;
    const wanted = laidOut(given, shape, length, left);
    expect(y.shape).toEqual(wanted.shape);
    expect(Array.from(y.data)).toEqual(Array.from(wanted.data));
  });

  test('it streams where nothing behind the last step is read', async () => {
    using model = await createApi(() => Promise.resolve(jsBackend)).loadModel(bytesOf({ strides: [2], pads: [0, 1] }, [4, 2, 3])); // prettier-ignore
    const rows = Float32Array.from({ length: channels * steps }, (_, i) => x.data[(i % channels) * steps + Math.floor(i / channels)]!); // prettier-ignore
    const whole = model.run(rows).output;
    using stream = model.createStream();
    const parts = [0, 1, 4].map((from, i, all) => Array.from(stream.run(rows.subarray(from * channels, (all[i + 1] ?? steps) * channels)))); // prettier-ignore
    expect(parts.flat()).toEqual(Array.from(whole.data).slice(0, parts.flat().length));
    expect(parts.flat().length).toBeGreaterThan(0);
  });

  test.each<[string, Record<string, Attribute>, number[], RegExp]>([
    ['output_shape', { output_shape: [9] }, [4, 2, 3], /'output_shape' is not supported/],
    ['output_padding of a stride', { strides: [2], output_padding: [2] }, [4, 2, 3], /'output_padding' 2 does not fit/],
    ['output_padding beside auto_pad', { strides: [2], output_padding: [1], auto_pad: 'SAME_UPPER' }, [4, 2, 3], /beside 'auto_pad'/],
    ['auto_pad of fewer taps than the stride', { strides: [4], auto_pad: 'SAME_UPPER' }, [4, 2, 3], /'auto_pad' of 3 taps and a stride of 4/],
    ['strides and dilations', { strides: [2], dilations: [2] }, [4, 2, 3], /'strides' 2 and 'dilations' 2/],
    ['other channels', {}, [3, 2, 3], /does not fit 4 channels/],
    ['groups that do not divide', { group: 3 }, [4, 2, 3], /in 3 groups does not fit 4 channels/],
    ['another kernel_shape', { kernel_shape: [2] }, [4, 2, 3], /'kernel_shape' is not that of W/],
  ])('refused: %s', async (_, attributes, shape, message) => {
    expect(await refusalOf(readOnnx(bytesOf(attributes, shape, false)))).toMatch(message);
  }); // prettier-ignore
});
