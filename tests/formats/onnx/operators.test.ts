import { describe, expect, test } from 'vitest';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { Attributes } from '../../../ts/formats/onnx/attributes.ts';
import { SpecBuilder } from '../../../ts/formats/onnx/builder.ts';
import { fullData } from '../../../ts/formats/onnx/constants.ts';
import type { GraphContext } from '../../../ts/formats/onnx/context.ts';
import { boundOf, Budget } from '../../../ts/formats/onnx/limits.ts';
import type { OnnxAttribute } from '../../../ts/formats/onnx/messages.ts';
import { OPERATORS } from '../../../ts/formats/onnx/ops/index.ts';
import { readTensorData } from '../../../ts/formats/onnx/tensor.ts';
import type { Constant } from '../../../ts/formats/onnx/value.ts';
import { onnxModel, tensor, type Attribute } from './build.ts';
import { runGraph } from './run.ts';
import { useAllKinds } from '../../../ts/layers/full.ts';

useAllKinds();

/** Each operator as the operators' specification (onnx/docs/Operators.md) defines it, by values worked out by hand. */

type Dtype = Constant['dtype'];
interface Value {
  dtype: Dtype;
  shape: number[];
  data: number[];
}
const float = (shape: number[], ...data: number[]): Value => ({ dtype: 'float', shape, data });
const int = (shape: number[], ...data: number[]): Value => ({ dtype: 'int', shape, data });
const bool = (shape: number[], ...data: number[]): Value => ({ dtype: 'bool', shape, data });
/** A list of whole numbers: axes, shapes, indices. */
const list = (...data: number[]): Value => int([data.length], ...data);

function attribute(name: string, value: Attribute): OnnxAttribute {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: value };
  if (Array.isArray(value)) return { name, type: 7, ints: value as number[] };
  if ('float' in value) return { name, type: 1, f: value.float };
  if ('floats' in value) return { name, type: 6, floats: value.floats };
  throw new Error('no such attribute here');
}

interface Options {
  opset?: number;
  outputs?: number;
  /** A tensor as the attribute `value`. */
  value?: Value;
}

/** What a node gives for constants. */
function evaluate(
  op: string,
  inputs: (Value | undefined)[],
  attributes: Record<string, Attribute> = {},
  { opset = 17, outputs = 1, value }: Options = {},
): Value[] {
  const list_ = Object.entries(attributes).map(([name, a]) => attribute(name, a));
  if (value) {
    const data = value.dtype === 'int' ? BigInt64Array.from(value.data, BigInt) : Float32Array.from(value.data);
    const t = {
      name: '',
      dims: value.shape,
      dtype: value.dtype === 'int' ? 7 : 1,
      packed: {},
      raw: new Uint8Array(data.buffer),
    };
    list_.push({ name: 'value', type: 4, t });
  }
  const node = {
    op,
    name: 'n',
    domain: '',
    inputs: inputs.map((v, i) => (v ? `i${i}` : '')),
    outputs: Array.from({ length: outputs }, (_, i) => `o${i}`),
    attributes: list_,
  };
  const budget = new Budget(boundOf(0));
  const graph: GraphContext = {
    builder: new SpecBuilder(budget),
    budget,
    baked: { batch: undefined, time: undefined },
    demand: () => true,
    flattensSteps: () => false,
    numbersSteps: () => false,
    preferFeature: () => undefined,
    demandSequence: () => true,
    demandVector: () => undefined,
    forAll: () => undefined,
    isNumbers: () => false,
    demandIds: () => undefined,
    inputName: () => '',
    isInput: () => false,
    lengths: new Map(),
    counted: undefined,
    conventions: new Set(),
    tensorData: (t) => readTensorData(t, new Map()),
    place: () => undefined,
  };
  const constants = inputs.map(
    (v): Constant | undefined =>
      v && {
        type: 'constant',
        dtype: v.dtype,
        shape: v.shape,
        base: v.shape,
        data: v.dtype === 'float' ? Float32Array.from(v.data) : Float64Array.from(v.data),
        source: '',
      },
  );
  const read = new Attributes(node);
  const results = OPERATORS[op]!({ node, opset, attributes: read, inputs: constants, graph });
  read.finish();
  return results.map((result) => {
    if (result?.type !== 'constant') throw new Error(`${op} gave no constant`);
    const { shape, data } = fullData({ node, graph }, result);
    return { dtype: result.dtype, shape, data: Array.from(data) as number[] };
  });
}

const M = float([2, 3], 1, 2, 3, 4, 5, 6);
const f32 = Math.fround;

const TABLE: [string, (Value | undefined)[], Record<string, Attribute>, Value | Value[], Options?][] = [
  // constants and shapes
  ['Constant', [], { value_float: { float: 2.5 } }, float([], 2.5)],
  ['Constant', [], { value_floats: { floats: [1, 2] } }, float([2], 1, 2)],
  ['Constant', [], { value_int: 7 }, int([], 7)],
  ['Constant', [], { value_ints: [3, -1] }, list(3, -1)],
  ['Constant', [], {}, int([2, 1], 5, 6), { value: int([2, 1], 5, 6) }],
  ['ConstantOfShape', [list(2, 2)], {}, float([2, 2], 0, 0, 0, 0)],
  ['ConstantOfShape', [list(3)], {}, int([3], 4, 4, 4), { value: int([1], 4) }],
  ['ConstantOfShape', [list(0, 2)], {}, float([0, 2])],
  ['Shape', [float([2, 3, 4], ...Array<number>(24).fill(0))], {}, list(2, 3, 4)],
  ['Shape', [float([2, 3, 4], ...Array<number>(24).fill(0))], { start: 1 }, list(3, 4)],
  ['Shape', [float([2, 3, 4], ...Array<number>(24).fill(0))], { start: -2, end: -1 }, list(3)],
  ['Shape', [M], {}, list(2, 3), { opset: 13 }],
  ['Size', [M], {}, int([], 6)],
  ['Range', [int([], 2), int([], 9), int([], 3)], {}, list(2, 5, 8)],
  ['Range', [int([], 5), int([], 1), int([], -2)], {}, list(5, 3)],
  ['Range', [int([], 3), int([], 3), int([], 1)], {}, list()],
  ['Range', [float([], 0), float([], 1), float([], 0.5)], {}, float([2], 0, 0.5)],
  // arithmetic, broadcasting from the last axis
  ['Add', [M, float([3], 10, 20, 30)], {}, float([2, 3], 11, 22, 33, 14, 25, 36)],
  ['Sub', [M, float([2, 1], 1, 2)], {}, float([2, 3], 0, 1, 2, 2, 3, 4)],
  ['Mul', [float([2], 3, 4), float([2, 1], 10, 100)], {}, float([2, 2], 30, 40, 300, 400)],
  ['Div', [float([3], 1, -1, 3), float([], 2)], {}, float([3], 0.5, -0.5, 1.5)],
  ['Div', [list(7, -7, 7, -7), list(2, 2, -2, -2)], {}, list(3, -3, -3, 3)],
  ['Sub', [list(5), list(7)], {}, list(-2)],
  ['Neg', [list(3, -4, 0)], {}, list(-3, 4, 0)],
  ['Neg', [float([2], 1.5, -2)], {}, float([2], -1.5, 2)],
  ['Abs', [list(-3, 0, 4)], {}, list(3, 0, 4)],
  ['Floor', [float([4], 1.5, -1.5, 2, -0.5)], {}, float([4], 1, -2, 2, -1)],
  ['Ceil', [float([4], 1.5, -1.5, 2, 0.5)], {}, float([4], 2, -1, 2, 1)],
  ['Sqrt', [float([3], 4, 2, 0)], {}, float([3], 2, f32(Math.SQRT2), 0)],
  ['Sin', [float([2], 0, 1)], {}, float([2], 0, f32(Math.sin(1)))],
  ['Cos', [float([2], 0, 1)], {}, float([2], 1, f32(Math.cos(1)))],
  ['Reciprocal', [float([3], 4, -0.5, 3)], {}, float([3], 0.25, -2, f32(1 / 3))],
  // comparisons
  ['Equal', [list(1, 2, 3), list(1, 3, 3)], {}, bool([3], 1, 0, 1)],
  ['Less', [list(1, 2, 3), list(2, 2, 2)], {}, bool([3], 1, 0, 0)],
  ['Greater', [list(1, 2, 3), list(2, 2, 2)], {}, bool([3], 0, 0, 1)],
  ['And', [bool([4], 0, 0, 1, 1), bool([4], 0, 1, 0, 1)], {}, bool([4], 0, 0, 0, 1)],
  ['Or', [bool([4], 0, 0, 1, 1), bool([4], 0, 1, 0, 1)], {}, bool([4], 0, 1, 1, 1)],
  ['Not', [bool([2], 0, 1)], {}, bool([2], 1, 0)],
  ['Where', [bool([2], 1, 0), list(1, 2), list(8, 9)], {}, list(1, 9)],
  ['Where', [bool([2, 1], 0, 1), float([2], 1, 2), float([], 5)], {}, float([2, 2], 5, 5, 1, 2)],
  // reductions of one dimension
  ['ReduceSum', [list(1, 2, 4)], {}, list(7)],
  ['ReduceSum', [list(1, 2, 4), list(0)], { keepdims: 0 }, int([], 7)],
  ['ReduceSum', [list(1, 2, 4)], { noop_with_empty_axes: 1 }, list(1, 2, 4)],
  ['ReduceSum', [list(1, 2, 4)], { axes: [0] }, list(7), { opset: 12 }],
  ['ReduceProd', [list(3, 2, 4)], { axes: [0], keepdims: 0 }, int([], 24)],
  ['ReduceProd', [list(3, 2, 4), list(0)], {}, list(24), { opset: 18 }],
  ['ReduceMax', [list(3, 9, 4)], {}, list(9)],
  ['ReduceMax', [float([3], -3, -9, -4)], { keepdims: 0 }, float([], -3)],
  ['ReduceL2', [float([2, 2], 3, 4, 6, 8)], { axes: [1], keepdims: 1 }, float([2, 1], 5, 10), { opset: 13 }],
  ['ReduceMean', [float([2, 2], 3, 4, 6, 8)], { axes: [0], keepdims: 0 }, float([2], 4.5, 6), { opset: 13 }],
  ['ReduceMin', [list(3, 2, 4)], {}, list(2)],
  ['ReduceMin', [float([3], -3, -9, -4)], { keepdims: 0 }, float([], -9)],
  // layout
  ['Transpose', [M], {}, float([3, 2], 1, 4, 2, 5, 3, 6)],
  ['Transpose', [int([2, 1, 3], 1, 2, 3, 4, 5, 6)], { perm: [1, 2, 0] }, int([1, 3, 2], 1, 4, 2, 5, 3, 6)],
  ['Reshape', [M, list(3, 2)], {}, float([3, 2], 1, 2, 3, 4, 5, 6)],
  ['Reshape', [M, list(-1)], {}, float([6], 1, 2, 3, 4, 5, 6)],
  ['Reshape', [M, list(0, -1, 1)], {}, float([2, 3, 1], 1, 2, 3, 4, 5, 6)],
  ['Flatten', [float([2, 1, 3], 1, 2, 3, 4, 5, 6)], {}, float([2, 3], 1, 2, 3, 4, 5, 6)],
  ['Flatten', [M], { axis: 0 }, float([1, 6], 1, 2, 3, 4, 5, 6)],
  ['Flatten', [M], { axis: 2 }, float([6, 1], 1, 2, 3, 4, 5, 6)],
  ['Squeeze', [int([1, 2, 1], 5, 6)], {}, int([2], 5, 6)],
  ['Squeeze', [int([1, 2, 1], 5, 6), list(-1)], {}, int([1, 2], 5, 6)],
  ['Squeeze', [int([1, 2, 1], 5, 6)], { axes: [0] }, int([2, 1], 5, 6), { opset: 11 }],
  ['Unsqueeze', [list(5, 6), list(0)], {}, int([1, 2], 5, 6)],
  ['Unsqueeze', [list(5, 6), list(-1, 0)], {}, int([1, 2, 1], 5, 6)],
  ['Unsqueeze', [list(5, 6)], { axes: [1] }, int([2, 1], 5, 6), { opset: 11 }],
  ['Identity', [M], {}, M],
  ['Dropout', [M], {}, M],
  ['Cast', [float([4], 1.7, -1.7, 0, 0.5)], { to: 7 }, list(1, -1, 0, 0)],
  ['Cast', [float([4], 1.7, -1.7, 0, 0.5)], { to: 9 }, bool([4], 1, 1, 0, 1)],
  ['Cast', [list(2, -3)], { to: 1 }, float([2], 2, -3)],
  ['Expand', [float([2, 1], 1, 2), list(2, 3)], {}, float([2, 3], 1, 1, 1, 2, 2, 2)],
  ['Expand', [float([2], 1, 2), list(2, 1)], {}, float([2, 2], 1, 2, 1, 2)],
  ['Tile', [float([1, 2], 1, 2), list(3, 1)], {}, float([3, 2], 1, 2, 1, 2, 1, 2)],
  ['Tile', [M, list(1, 1)], {}, M],
  // parts
  ['Slice', [M, list(1), list(3), list(1)], {}, float([2, 2], 2, 3, 5, 6)],
  ['Slice', [M, list(0, 0), list(1, 2)], {}, float([1, 2], 1, 2)],
  ['Slice', [M, list(-2), list(2 ** 40), list(-1)], {}, float([2, 2], 2, 3, 5, 6)],
  ['Slice', [M, list(2), list(-(2 ** 40)), list(1), list(-1)], {}, float([2, 3], 3, 2, 1, 6, 5, 4)],
  ['Slice', [list(0, 1, 2, 3, 4, 5), list(1), list(5), list(0), list(2)], {}, list(1, 3)],
  ['Slice', [list(0, 1, 2, 3, 4, 5), list(4), list(1), list(0), list(-2)], {}, list(4, 2)],
  ['Slice', [list(0, 1, 2), list(2), list(1)], {}, list()],
  ['Slice', [list(0, 1, 2, 3), list(0), list(4), list(0), list(2)], {}, list(0, 2), { opset: 10 }],
  ['Slice', [M], { starts: [1], ends: [2], axes: [0] }, float([1, 3], 4, 5, 6), { opset: 9 }],
  ['Gather', [M, list(1, 0)], {}, float([2, 3], 4, 5, 6, 1, 2, 3)],
  ['Gather', [M, list(-1)], { axis: 1 }, float([2, 1], 3, 6)],
  ['Gather', [M, int([], 1)], { axis: 1 }, float([2], 2, 5)],
  ['Gather', [list(7, 8, 9), int([2, 2], 0, 1, 2, 0)], {}, int([2, 2], 7, 8, 9, 7)],
  ['Split', [M, list(1, 2)], { axis: 1 }, [float([2, 1], 1, 4), float([2, 2], 2, 3, 5, 6)], { outputs: 2 }],
  ['Split', [M], {}, [float([1, 3], 1, 2, 3), float([1, 3], 4, 5, 6)], { outputs: 2 }],
  ['Split', [list(1, 2, 3)], { num_outputs: 2 }, [list(1, 2), list(3)], { outputs: 2, opset: 18 }],
  [
    'Split',
    [M],
    { split: [2, 1], axis: -1 },
    [float([2, 2], 1, 2, 4, 5), float([2, 1], 3, 6)],
    { outputs: 2, opset: 11 },
  ],
  ['Concat', [M, float([1, 3], 7, 8, 9)], { axis: 0 }, float([3, 3], 1, 2, 3, 4, 5, 6, 7, 8, 9)],
  ['Concat', [M, float([2, 1], 7, 8)], { axis: -1 }, float([2, 4], 1, 2, 3, 7, 4, 5, 6, 8)],
  ['Concat', [list(1), list(2, 3), list(4)], { axis: 0 }, list(1, 2, 3, 4)],
];

test.each(TABLE.map((row) => [`${row[0]} ${JSON.stringify(row[2])}`, row] as const))(
  'constants: %s',
  (_, [op, inputs, attributes, expected, options]) => {
    expect(evaluate(op, inputs, attributes, options)).toEqual([expected].flat());
  },
);

const REFUSED: [string, (Value | undefined)[], Record<string, Attribute>, Options?][] = [
  ['Reshape', [M, list(4, 2)], {}],
  ['Reshape', [M, list(-1, 4)], {}],
  ['Transpose', [M], { perm: [0, 0] }],
  ['Transpose', [M], { perm: [0] }],
  ['Squeeze', [M, list(0)], {}],
  ['Unsqueeze', [M, list(0, 0)], {}],
  ['Unsqueeze', [M, list(4)], {}],
  ['Expand', [M, list(2, 2)], {}],
  ['Gather', [M, list(2)], {}],
  ['Gather', [M, list(-3)], {}],
  ['Concat', [M, float([1, 2], 1, 2)], { axis: 0 }],
  ['Split', [M, list(1, 1)], { axis: 1 }, { outputs: 2 }],
  ['Split', [M], { num_outputs: 3, axis: 1 }, { outputs: 2, opset: 18 }],
  ['Add', [M, float([2], 1, 2)], {}],
  ['Div', [list(1), list(0)], {}],
  ['Range', [int([], 0), int([], 1), int([], 0)], {}],
  ['Slice', [M, list(0), list(1), list(0), list(0)], {}],
  ['Dropout', [M, undefined, bool([], 1)], {}],
  ['Constant', [], { value_int: 1, value_ints: [1] }],
  ['Constant', [], { value_string: 'a' }],
  ['ConstantOfShape', [list(2)], {}, { value: int([2], 1, 2) }],
];
test.each(REFUSED.map((row) => [`${row[0]} ${JSON.stringify(row[2])}`, row] as const))(
  'refused: %s',
  (_, [op, inputs, attributes, options]) => {
    expect(() => evaluate(op, inputs, attributes, options)).toThrow(
      expect.objectContaining({ name: 'GruError', message: expect.stringContaining(op) as string }) as Error,
    );
  },
);

// ---- operators that compute: over one sequence of two steps of two features

const X = [0.5, -1, 2, 3];
type Constants = Record<string, [shape: number[], data: number[]]>;
/** The result of one node over x (steps, batch 1, 2), or of the features alone for 2 dimensions. */
async function run(
  op: string,
  inputs: string[],
  attributes: Record<string, Attribute>,
  constants: Constants,
  { opset = 17, rank = 3 }: { opset?: number; rank?: number } = {},
): Promise<number[]> {
  const bytes = onnxModel({
    opset,
    nodes: [{ op, inputs, outputs: ['y'], name: 'n', attributes }],
    inputs: [{ name: 'x', shape: rank === 3 ? ['t', 'b', 2] : ['b', 2] }],
    outputs: ['y'],
    initializers: Object.entries(constants).map(([name, [shape, data]]) =>
      tensor(name, shape, data, name === 'lens' ? 7 : 1),
    ),
  });
  const x = { data: Float32Array.from(X), shape: rank === 3 ? [2, 1, 2] : [2, 2] };
  return Array.from(runGraph(jsBackend, await readOnnx(bytes), { x })['y']!.data);
}

const W = [1, 2, 3, 4, 5, 6];
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
/** x W, of two rows. */
const XW = [-3.5, -4, -4.5, 14, 19, 24];
const COMPUTED: [
  string,
  string[],
  Record<string, Attribute>,
  Constants,
  number[],
  { opset?: number; rank?: number }?,
][] = [
  ['MatMul', ['x', 'w'], {}, { w: [[2, 3], W] }, XW],
  ['MatMul', ['x', 'w'], {}, { w: [[1, 2, 3], W] }, XW],
  ['Gemm', ['x', 'w'], {}, { w: [[2, 3], W] }, XW, { rank: 2 }],
  [
    'Gemm',
    ['x', 'w'],
    { transB: 1 },
    {
      w: [
        [3, 2],
        [1, 4, 2, 5, 3, 6],
      ],
    },
    XW,
    { rank: 2 },
  ],
  [
    'Gemm',
    ['x', 'w', 'c'],
    { alpha: { float: 2 }, beta: { float: 0.5 } },
    { w: [[2, 3], W], c: [[3], [2, 4, 6]] },
    [-6, -6, -6, 29, 40, 51],
    { rank: 2 },
  ],
  ['Gemm', ['x', 'w', 'c'], {}, { w: [[2, 3], W], c: [[1], [1]] }, XW.map((v) => v + 1), { rank: 2 }],
  ['Add', ['x', 'c'], {}, { c: [[2], [10, 20]] }, [10.5, 19, 12, 23]],
  ['Add', ['c', 'x'], {}, { c: [[2], [10, 20]] }, [10.5, 19, 12, 23]],
  ['Sub', ['x', 'c'], {}, { c: [[2], [10, 20]] }, [-9.5, -21, -8, -17]],
  ['Sub', ['c', 'x'], {}, { c: [[2], [10, 20]] }, [9.5, 21, 8, 17]],
  ['Mul', ['x', 'c'], {}, { c: [[2], [2, -4]] }, [1, 4, 4, -12]],
  ['Div', ['x', 'c'], {}, { c: [[2], [2, -4]] }, [0.25, 0.25, 1, -0.75]],
  ['Add', ['x', 'c'], {}, { c: [[], [1]] }, [1.5, 0, 3, 4]],
  ['Sub', ['c', 'x'], {}, { c: [[], [1]] }, [0.5, 2, -1, -2]],
  ['Add', ['x', 'x'], {}, {}, [1, -2, 4, 6]],
  ['Sub', ['x', 'x'], {}, {}, [0, 0, 0, 0]],
  ['Mul', ['x', 'x'], {}, {}, [0.25, 1, 4, 9]],
  ['Neg', ['x'], {}, {}, [-0.5, 1, -2, -3]],
  ['Relu', ['x'], {}, {}, [0.5, 0, 2, 3]],
  ['Sigmoid', ['x'], {}, {}, X.map(sigmoid)],
  ['Tanh', ['x'], {}, {}, X.map(Math.tanh)],
  ['Softplus', ['x'], {}, {}, X.map((v) => Math.log(1 + Math.exp(v)))],
  ['Softsign', ['x'], {}, {}, [1 / 3, -0.5, 2 / 3, 0.75]],
  ['HardSigmoid', ['x'], {}, {}, [0.6, 0.3, 0.9, 1]],
  ['HardSigmoid', ['x'], { alpha: { float: 0.5 }, beta: { float: 0.25 } }, {}, [0.5, 0, 1, 1]],
  ['Elu', ['x'], {}, {}, [0.5, Math.exp(-1) - 1, 2, 3]],
  ['Elu', ['x'], { alpha: { float: 2 } }, {}, [0.5, 2 * (Math.exp(-1) - 1), 2, 3]],
  ['LeakyRelu', ['x'], {}, {}, [0.5, -0.01, 2, 3]],
  ['LeakyRelu', ['x'], { alpha: { float: 0.25 } }, {}, [0.5, -0.25, 2, 3]],
  ['PRelu', ['x', 'c'], {}, { c: [[1], [0.5]] }, [0.5, -0.5, 2, 3]],
  ['ThresholdedRelu', ['x'], {}, {}, [0, 0, 2, 3]],
  ['ThresholdedRelu', ['x'], { alpha: { float: 2 } }, {}, [0, 0, 0, 3]],
  ['Softmax', ['x'], {}, {}, [sigmoid(1.5), sigmoid(-1.5), sigmoid(-1), sigmoid(1)]],
  ['Softmax', ['x'], { axis: 2 }, {}, [sigmoid(1.5), sigmoid(-1.5), sigmoid(-1), sigmoid(1)], { opset: 11 }],
  // scale (x - mean) / sqrt(variance + epsilon) + shift
  [
    'BatchNormalization',
    ['x', 's', 'b', 'm', 'v'],
    { epsilon: { float: 1 } },
    { s: [[2], [2, 3]], b: [[2], [1, 10]], m: [[2], [0.5, 1]], v: [[2], [3, 0]] },
    [1, 4, 2.5, 16],
    { rank: 2 },
  ],
  [
    'BatchNormalization',
    ['x', 's', 'b', 'm', 'v'],
    {},
    { s: [[2], [1, 1]], b: [[2], [0, 0]], m: [[2], [0, 0]], v: [[2], [0, 1 - 1e-5]] },
    [0.5, -1, 2, 3].map((v, i) => (i % 2 === 0 ? v / Math.sqrt(1e-5) : v)),
    { rank: 2 },
  ],
];
test.each(COMPUTED.map((row) => [`${row[0]} ${row[1].join(', ')} ${JSON.stringify(row[2])}`, row] as const))(
  'rows: %s',
  async (_, [op, inputs, attributes, constants, expected, options]) => {
    const got = await run(op, inputs, attributes, constants, options);
    expect(got).toHaveLength(expected.length);
    // activations are within 2^-20 of the function, the rest is exact
    for (const [i, value] of expected.entries())
      expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(value)));
  },
);

test.each<[string, number[]]>([
  ['too many rows', [3, 2]],
  ['too few rows', [1, 2]],
  ['no columns', [2, 0]],
  ['a matrix for each step', [2, 2, 2]],
])('MatMul by a matrix of %s is refused', async (_, shape) => {
  const data = Array<number>(shape.reduce((n, d) => n * d, 1)).fill(1);
  const refusal = { name: 'GruError', message: expect.stringContaining('MatMul node') as string };
  await expect(run('MatMul', ['x', 'w'], {}, { w: [shape, data] })).rejects.toMatchObject(refusal);
});

describe('parts of rows', () => {
  const rows = (
    op: string,
    inputs: string[],
    attributes: Record<string, Attribute>,
    initializers: Uint8Array[],
    opset = 17,
  ) =>
    readOnnx(
      onnxModel({
        opset,
        nodes: [
          { op, inputs, outputs: ['p'], name: 'p', attributes },
          { op: 'Relu', inputs: ['p'], outputs: ['y'] },
        ],
        inputs: [{ name: 'x', shape: ['t', 'b', 3] }],
        outputs: ['y'],
        initializers,
      }),
    );
  const ints = (name: string, ...values: number[]) => tensor(name, [values.length], values, 7);
  // two steps of one sequence
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 1, 3] };
  test.each<[string, string, string[], Record<string, Attribute>, Uint8Array[], number[], number[]]>([
    [
      'two features',
      'Slice',
      ['x', 's', 'e', 'a'],
      {},
      [ints('s', 1), ints('e', 3), ints('a', 2)],
      [2, 3, 5, 6],
      [2, 1, 2],
    ],
    [
      'features backwards',
      'Slice',
      ['x', 's', 'e', 'a', 'st'],
      {},
      [ints('s', -1), ints('e', -9), ints('a', 2), ints('st', -1)],
      [3, 2, 1, 6, 5, 4],
      [2, 1, 3],
    ],
    [
      'the first step',
      'Slice',
      ['x', 's', 'e', 'a'],
      {},
      [ints('s', 0), ints('e', 1), ints('a', 0)],
      [1, 2, 3],
      [1, 1, 3],
    ],
    [
      'the last step',
      'Slice',
      ['x', 's', 'e', 'a'],
      {},
      [ints('s', -1), ints('e', 2 ** 40), ints('a', 0)],
      [4, 5, 6],
      [1, 1, 3],
    ],
    [
      'the last step, to 2^31 - 1',
      'Slice',
      ['x', 's', 'e', 'a'],
      {},
      [ints('s', -1), ints('e', 2 ** 31 - 1), ints('a', 0)],
      [4, 5, 6],
      [1, 1, 3],
    ],
    ['the first step by its index', 'Gather', ['x', 'i'], {}, [tensor('i', [], [0], 7)], [1, 2, 3], [1, 3]],
    ['the last step by its index', 'Gather', ['x', 'i'], {}, [tensor('i', [], [-1], 7)], [4, 5, 6], [1, 3]],
    ['features by index', 'Gather', ['x', 'i'], { axis: 2 }, [ints('i', 2, 0)], [3, 1, 6, 4], [2, 1, 2]],
    ['features twice', 'Concat', ['x', 'x'], { axis: 2 }, [], [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6], [2, 1, 6]],
    ['batch first', 'Transpose', ['x'], { perm: [1, 0, 2] }, [], [1, 2, 3, 4, 5, 6], [1, 2, 3]],
    ['features first', 'Transpose', ['x'], { perm: [2, 0, 1] }, [], [1, 4, 2, 5, 3, 6], [3, 2, 1]],
  ])('%s', async (_, op, inputs, attributes, initializers, data, shape) => {
    const { y } = runGraph(jsBackend, await rows(op, inputs, attributes, initializers), { x });
    expect(y).toEqual({ data: Float32Array.from(data), shape });
  });
});
