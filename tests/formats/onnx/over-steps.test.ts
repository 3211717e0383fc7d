import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import type { Tensor, TensorLike } from '../../../ts/base/tensor.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Info, type Node } from './build.ts';

/** Operators that make other steps: each attribute against what onnxruntime 1.32.0 (no graph optimizations) gives for 1, 2, 4, 8, ... */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const ints = (name: string, values: number[]) => tensor(name, [values.length], values, 7);
const floats = (name: string, values: number[]) => tensor(name, [values.length], values);
const CONSTANTS = [
  ...[-99, -3, -2, -1, 0, 1, 2, 3].map((n) => ints(`[${n}]`, [n])),
  ints('end', [2 ** 31 - 1]),
  ints('none', []),
  tensor('half', [], [0.5]),
  floats('no scales', []),
];
const X: Info[] = [{ name: 'x', shape: ['b', 1, 't'] }];

interface Given {
  opset?: number;
  inputs?: Info[];
  constants?: typeof CONSTANTS;
}

const bytesOf = (nodes: Node[], { opset = 19, inputs = X, constants = [] }: Given = {}) =>
  onnxModel({ opset, nodes: [...nodes, node('Relu', ['p'], 'y')], inputs, outputs: ['y'], initializers: [...CONSTANTS, ...constants] }); // prettier-ignore
const api = createApi(() => Promise.resolve(jsBackend));

/** Runs the nodes on x. */
async function run(nodes: Node[], x: TensorLike, given: Given): Promise<Tensor> {
  using model = await api.loadModel(bytesOf(nodes, given));
  return runOnnx(model, { x })['y']!;
}
/** What the nodes make of one sequence of powers of two. */
async function of(nodes: Node | Node[], given: Given & { steps?: number } = {}): Promise<number[]> {
  const { steps = 5 } = given;
  const data = Float32Array.from({ length: steps }, (_, t) => 2 ** t);
  const { data: y, shape } = await run([nodes].flat(), { data, shape: [1, 1, steps] }, given);
  expect(shape).toEqual([1, 1, y.length]);
  return Array.from(y);
}
const refusal = (nodes: Node | Node[], given: Given = {}) => refusalOf(readOnnx(bytesOf([nodes].flat(), given)));

describe('MaxPool and AveragePool', () => {
  const pool = (op: string, attributes: Record<string, Attribute>) => node(op, ['x'], 'p', { kernel_shape: [2], ...attributes }); // prettier-ignore
  const max = (attributes: Record<string, Attribute>, given: Given & { steps?: number } = {}) => of(pool('MaxPool', attributes), given); // prettier-ignore
  const mean = (attributes: Record<string, Attribute>) => of(pool('AveragePool', attributes));

  test('each attribute changes the windows', async () => {
    expect(await max({})).toEqual([2, 4, 8, 16]);
    expect(await max({ kernel_shape: [3] })).toEqual([4, 8, 16]);
    expect(await max({ strides: [2] })).toEqual([2, 8]);
    expect(await max({ dilations: [2] })).toEqual([4, 8, 16]);
    expect(await max({ pads: [1, 0] })).toEqual([1, 2, 4, 8, 16]);
    expect(await max({ strides: [2], ceil_mode: 1 })).toEqual([2, 8, 16]);
    expect(await max({ strides: [2], auto_pad: 'SAME_UPPER' })).toEqual([2, 8, 16]);
    expect(await max({ strides: [2], auto_pad: 'SAME_LOWER' })).toEqual([1, 4, 16]);
    expect(await max({ strides: [2], auto_pad: 'VALID' })).toEqual([2, 8]);
    expect(await max({ storage_order: 1 })).toEqual([2, 4, 8, 16]);
    expect(await mean({})).toEqual([1.5, 3, 6, 12]);
    expect(await mean({ pads: [1, 1] })).toEqual([1, 1.5, 3, 6, 12, 16]);
    expect(await mean({ pads: [1, 1], count_include_pad: 1 })).toEqual([0.5, 1.5, 3, 6, 12, 8]);
    expect(await mean({ strides: [2], pads: [0, 1], ceil_mode: 1, count_include_pad: 1 })).toEqual([1.5, 6, 8]);
  });

  test('an axis of size 1 beside the time stays', async () => {
    const two = [node('Unsqueeze', ['x', '[2]'], 'u'), node('MaxPool', ['u'], 'm', { kernel_shape: [1, 2], strides: [1, 2] }), node('Squeeze', ['m', '[2]'], 'p')]; // prettier-ignore
    expect(await of(two)).toEqual([2, 8]);
    const first = [node('Unsqueeze', ['x', '[3]'], 'u'), node('MaxPool', ['u'], 'm', { kernel_shape: [2, 1] }), node('Squeeze', ['m', '[3]'], 'p')]; // prettier-ignore
    expect(await of(first)).toEqual([2, 4, 8, 16]);
  });

  test('refused', async () => {
    const refused = (attributes: Record<string, Attribute>, op = 'MaxPool', given: Given = {}) =>
      refusal(pool(op, attributes), given);
    expect(await refusal(node('MaxPool', ['x'], 'p'))).toContain("'kernel_shape' is missing");
    expect(await refused({ kernel_shape: [0] })).toContain('kernel_shape');
    expect(await refused({ kernel_shape: [2, 2] })).toContain('[batch, channels, time]');
    expect(await refused({ strides: [0] })).toContain("'strides' [0]");
    expect(await refused({ strides: [1, 1] })).toContain('strides');
    expect(await refused({ pads: [2, 0] })).toContain('empty');
    expect(await refused({ pads: [-1, 0] })).toContain('pads');
    expect(await refused({ pads: [1, 0], auto_pad: 'SAME_UPPER' })).toContain('contradict');
    expect(await refused({ auto_pad: 'SAME_SIDE' })).toContain('SAME_SIDE');
    expect(await refused({ auto_pad: 'SAME_UPPER', dilations: [2] })).toContain('differing runtimes');
    expect(await refused({ count_include_pad: 1 })).toContain("'count_include_pad' is not supported");
    expect(await refused({ storage_order: 1 }, 'AveragePool')).toContain('storage_order');
    expect(await refused({ ceil_mode: 1 }, 'MaxPool', { opset: 9 })).toContain('ceil_mode');
    const indices = { ...pool('MaxPool', {}), outputs: ['m', 'p'] };
    expect(await refusal(indices)).toContain('output 1');
    const turned = node('Slice', ['x', '[-1]', 'least', '[2]', '[-1]'], 'r');
    const least = { constants: [ints('least', [1 - 2 ** 31])] };
    expect(await refusal([turned, node('MaxPool', ['r'], 'p', { kernel_shape: [2] })], least)).toContain(
      'reversed time',
    );
  });
});

describe('GlobalAveragePool and GlobalMaxPool', () => {
  test('of each step, where the features come last', async () => {
    const given = { inputs: [{ name: 'x', shape: ['b', 't', 3] }], constants: [tensor('W', [3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1])] }; // prettier-ignore
    const x = { data: Float32Array.of(1, 2, 6, 4, 5, 9), shape: [1, 2, 3] };
    const over = (op: string) => run([node('MatMul', ['x', 'W'], 'r'), node(op, ['r'], 'p')], x, given);
    expect(await over('GlobalMaxPool')).toEqual({ data: Float32Array.of(6, 9), shape: [1, 2, 1] });
    expect(await over('GlobalAveragePool')).toEqual({ data: Float32Array.of(3, 6), shape: [1, 2, 1] });
  });

  test('over the steps of (batch, features, steps)', async () => {
    expect(await of(node('GlobalAveragePool', ['x'], 'p'), { steps: 4 })).toEqual([3.75]);
    expect(await of(node('GlobalMaxPool', ['x'], 'p'))).toEqual([16]);
  });
});

describe('Pad', () => {
  const pad = (pads: number[], attributes: Record<string, Attribute> = {}, more: string[] = [], opset = 19) => of(node('Pad', ['x', 'pads', ...more], 'p', attributes), { opset, constants: [ints('pads', pads)] }); // prettier-ignore

  test('each attribute and input changes the result', async () => {
    expect(await pad([0, 0, 2, 0, 0, 1])).toEqual([0, 0, 1, 2, 4, 8, 16, 0]);
    expect(await pad([0, 0, 1, 0, 0, 0], {}, ['half'])).toEqual([0.5, 1, 2, 4, 8, 16]);
    expect(await pad([0, 0, 2, 0, 0, 1], { mode: 'edge' })).toEqual([1, 1, 1, 2, 4, 8, 16, 16]);
    expect(await pad([0, 0, 2, 0, 0, 1], { mode: 'reflect' })).toEqual([4, 2, 1, 2, 4, 8, 16, 8]);
    expect(await pad([0, 0, -1, 0, 0, -2])).toEqual([2, 4]);
    expect(await pad([0, 0, -1, 0, 0, 2], { mode: 'reflect' })).toEqual([2, 4, 8, 16, 8, 4]);
    expect(await pad([1, 1], {}, ['', '[2]'])).toEqual([0, 1, 2, 4, 8, 16, 0]);
    expect(await pad([1, 1], {}, ['', '[-1]'])).toEqual([0, 1, 2, 4, 8, 16, 0]);
    expect(await pad([0, 0, 0, 0, 0, 0])).toEqual([1, 2, 4, 8, 16]);
    const old = node('Pad', ['x'], 'p', { pads: [0, 0, 1, 0, 0, 0], value: { float: 0.5 } });
    expect(await of(old, { opset: 10 })).toEqual([0.5, 1, 2, 4, 8, 16]);
  });

  test('refused', async () => {
    const refused = (pads: number[], attributes: Record<string, Attribute> = {}, more: string[] = [], opset = 19) => refusal(node('Pad', ['x', 'pads', ...more], 'p', attributes), { opset, constants: [ints('pads', pads)] }); // prettier-ignore
    expect(await refused([0, 0, 1, 0, 0, 0], { mode: 'wrap' })).toContain("'mode' 'wrap'");
    expect(await refused([0, 0, 1])).toContain('do not fit');
    expect(await refused([0, 0, 2 ** 40, 0, 0, 0])).toContain('do not fit');
    expect(await refused([0, 1, 0, 0, 0, 0])).toContain('axis 1 is time');
    expect(await refused([0, 1, 1, 0, 0, 0])).toContain('pads axis 1, 2');
    expect(await refused([0, 0, 1, 0, 0, 0], {}, ['[1]', '[2]'], 17)).toContain('at most 3');
    expect(await refused([0, 0, 1, 0, 0, 0], {}, ['no scales'])).toContain('constant_value');
    expect(await refused([1, 1], {}, ['', '[3]'])).toContain('axis 3');
  });
});

describe('Resize and Upsample', () => {
  const scales = { constants: [floats('scales', [1, 1, 2])] };
  const resize = (attributes: Record<string, Attribute>, given: Given & { inputs2?: string[] } = scales) => node('Resize', given.inputs2 ?? ['x', '', 'scales'], 'p', attributes); // prettier-ignore
  const floor = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  const twice = [1, 1, 2, 2, 4, 4, 8, 8, 16, 16];

  test.each<[string, string]>([
    ['asymmetric', 'floor'],
    ['half_pixel', 'round_prefer_floor'],
    ['half_pixel', 'round_prefer_ceil'],
    ['half_pixel_symmetric', 'round_prefer_floor'],
    ['pytorch_half_pixel', 'round_prefer_floor'],
    ['tf_half_pixel_for_nn', 'floor'],
  ])('%s, %s', async (way, rounding) => {
    const attributes = { coordinate_transformation_mode: way, nearest_mode: rounding };
    expect(await of(resize(attributes), scales)).toEqual(twice);
  });

  test.each<[string, string]>([
    ['asymmetric', 'ceil'],
    ['asymmetric', 'round_prefer_ceil'],
    ['half_pixel', 'floor'],
    ['align_corners', 'floor'],
    ['tf_crop_and_resize', 'floor'],
  ])('refused: %s, %s', async (way, rounding) => {
    const attributes = { coordinate_transformation_mode: way, nearest_mode: rounding };
    expect(await refusal(resize(attributes), scales)).toContain(`'${way}' and 'nearest_mode' '${rounding}'`);
  });

  test('sizes of the graph, axes, and what is left as it is', async () => {
    const sizes = [
      node('Shape', ['x'], 's'),
      node('Mul', ['s', 'three'], 'n'),
      node('Resize', ['x', '', '', 'n'], 'p', floor),
    ];
    expect(await of(sizes, { constants: [ints('three', [1, 1, 3])] })).toEqual([1, 2, 4, 8, 16].flatMap((v) => [v, v, v])); // prettier-ignore
    expect(await of(resize({ ...floor, axes: [2] }), { constants: [floats('scales', [2])] })).toEqual(twice);
    expect(await of(resize({}), { constants: [floats('scales', [1, 1, 1])] })).toEqual([1, 2, 4, 8, 16]);
    const old = node('Resize', ['x', 'scales'], 'p');
    expect(await of(old, { ...scales, opset: 10 })).toEqual(twice);
    expect(await of(node('Upsample', ['x', 'scales'], 'p'), { ...scales, opset: 9 })).toEqual(twice);
    expect(await of(node('Upsample', ['x'], 'p', { scales: { floats: [1, 1, 2] } }), { opset: 7 })).toEqual(twice);
  });

  test('refused', async () => {
    const refused = (attributes: Record<string, Attribute>, factors = [1, 1, 2]) => refusal(resize({ ...floor, ...attributes }), { constants: [floats('scales', factors)] }); // prettier-ignore
    expect(await refused({ mode: 'linear' })).toContain("'mode' 'linear'");
    expect(await refused({ antialias: 1 })).toContain('antialias');
    expect(await refused({ exclude_outside: 1 })).toContain('exclude_outside');
    expect(await refused({ keep_aspect_ratio_policy: 'not_larger' })).toContain('not_larger');
    expect(await refused({}, [1, 1, 1.5])).toContain('1.5 steps of one');
    expect(await refused({}, [1, 2, 1])).toContain('axis 1 is time');
    expect(await refused({}, [1, 2, 2])).toContain('resizes axis 1, 2');
    expect(await refused({}, [1, 2])).toContain('do not fit');
    const to = node('Resize', ['x', '', '', 'n'], 'p', floor);
    expect(await refusal(to, { constants: [ints('n', [1, 1, 7])] })).toContain('whole numbers of times');
    expect(await refusal(node('Upsample', ['x', 'scales'], 'p', { mode: 'linear' }), { ...scales, opset: 9 })).toContain('linear'); // prettier-ignore
  });
});

describe('Slice by steps', () => {
  const slice = (start: number, end: string, step: number) =>
    node('Slice', ['x', `[${start}]`, end, '[2]', `[${step}]`], 'p');

  test('all but the first and the last ones, of those each nth', async () => {
    expect(await of(slice(2, 'end', 1))).toEqual([4, 8, 16]);
    expect(await of(slice(1, '[-2]', 1))).toEqual([2, 4]);
    expect(await of(slice(0, 'end', 2))).toEqual([1, 4, 16]);
    expect(await of(slice(1, 'end', 3), { steps: 6 })).toEqual([2, 16]);
    expect(await of(slice(-3, 'end', 1))).toEqual([4, 8, 16]);
    expect(await of(slice(-3, 'end', 1), { steps: 4 })).toEqual([2, 4, 8]);
    expect(await of(slice(-3, 'end', 1), { steps: 3 })).toEqual([1, 2, 4]);
    // of fewer a runtime gives fewer
    expect(await of(slice(-3, 'end', 1), { steps: 2 })).toEqual([NaN, NaN, NaN]);
    const computed = [
      node('Shape', ['x'], 's'),
      node('Slice', ['s', '[2]', '[3]'], 'T'),
      node('Sub', ['T', '[2]'], 'e'),
    ];
    expect(await of([...computed, slice(1, 'e', 1)])).toEqual([2, 4]);
  });

  test('refused', async () => {
    expect(await of(slice(0, '[3]', 1))).toEqual([1, 2, 4]);
    expect(await refusal(slice(-3, '[-1]', 1))).toContain('of the time axis');
    expect(await refusal(slice(-99, 'end', 1))).toContain('of the time axis');
    expect(await refusal(slice(-1, '[0]', -2))).toContain('of the time axis');
  });
});

describe('sizes of axes that layers make', () => {
  const pooled = node('MaxPool', ['x'], 'm', { kernel_shape: [2], strides: [2] });

  test('shape arithmetic over them folds', async () => {
    const shape = [
      pooled,
      node('Shape', ['m'], 's'),
      node('Gather', ['s', '[2]'], 'T'),
      node('Gather', ['s', '[0]'], 'B'),
      node('Mul', ['T', 'B'], 'n'),
      node('Concat', ['n', '[1]'], 'rows', { axis: 0 }),
      node('Transpose', ['m'], 'tbf', { perm: [0, 2, 1] }),
      node('Reshape', ['tbf', 'rows'], 'flat'),
      node('Concat', ['B', 'T', '[1]'], 'back', { axis: 0 }),
      node('Reshape', ['flat', 'back'], 'again'),
      node('Transpose', ['again'], 'p', { perm: [0, 2, 1] }),
    ];
    expect(await of(shape)).toEqual([2, 8]);
  });

  test('the last step, and a vector at each of them', async () => {
    expect(await of([pooled, node('Gather', ['m', '[-1]'], 'p', { axis: 2 })])).toEqual([8]);
    const last = [
      pooled,
      node('Gather', ['m', '[-1]'], 'l', { axis: 2 }),
      node('Shape', ['m'], 's'),
      node('Expand', ['l', 's'], 'e'),
      node('Add', ['m', 'e'], 'p'),
    ];
    expect(await of(last)).toEqual([10, 16]);
  });

  test('values on different axes do not meet', async () => {
    expect(await refusal([pooled, node('Add', ['m', 'x'], 'p')])).toContain('[batch, 1, floor((time) / 2)] with [batch, 1, time]'); // prettier-ignore
    const wrong = [pooled, node('Shape', ['x'], 's'), node('Reshape', ['m', 's'], 'p')];
    expect(await refusal(wrong)).toContain('cannot reshape');
    // padded and cut off again they are those of the input
    const padded = [node('Pad', ['x', 'pads'], 'q'), node('MaxPool', ['q'], 'm', { kernel_shape: [3] }), node('Add', ['m', 'x'], 'p')]; // prettier-ignore
    expect(await of(padded, { constants: [ints('pads', [0, 0, 2, 0, 0, 0])] })).toEqual([2, 4, 8, 16, 32]);
  });

  test('the steps of a run are those of the graph', async () => {
    const { report } = await readOnnx(bytesOf([pooled, node('Identity', ['m'], 'p')]));
    expect(report.graph!.outputs[0]!.made).toEqual([{ mul: 1, add: 0, div: 2 }]);
  });
});
