import type { Activation, RowActivation } from '../../../spec/spec.ts';
import { activationNamed } from '../activation.ts';
import type { Value } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { joinSteps } from './broadcast.ts';
import { cast } from './cast.ts';
import { withConstants } from './constants.ts';
import {
  activation,
  applied,
  asTensor,
  axisOf,
  merged,
  number,
  operand,
  operands,
  operandsOf,
  pair,
  rankOf,
  tensor,
  withRef,
} from './operands.ts';
import { expandDims, pad, reshape, split, squeeze, stack, transpose } from './axes.ts';
import { flip, getItem, sliceOf, stridedSlice } from './items.ts';
import { softmaxOfScores } from './over-steps.ts';
import { argmax, oneHot, repeat, take, tile } from './picks.ts';
import { POWERS } from './powers.ts';
import { alsoOfScores, PRODUCTS } from './products.ts';
import { REDUCTIONS } from './reductions.ts';
import { alsoOfRows } from './rows.ts';

const BOUNDS = ['x_min', 'x_max'] as const;
const TF_BOUNDS = ['clip_value_min', 'clip_value_max'] as const;

/** Of one tensor each, with nothing to set. */
const FUNCTIONS: Record<string, RowActivation> = {
  Absolute: 'abs',
  Ceil: 'ceil',
  Erf: 'erf',
  Floor: 'floor',
  Log: 'log',
  Reciprocal: 'reciprocal',
  Sign: 'sign',
  Sqrt: 'sqrt',
};

/** Of each number by itself. A constant may stand for a tensor. */
const ELEMENTWISE: Record<string, Translate> = {
  Add: (call) => arithmetic(call, 'sum', (c) => affine(1, c)),
  Multiply: (call) => arithmetic(call, 'mul', (c) => affine(c, 0)),
  Subtract: (call) => {
    const [x, y] = operands(call, 2);
    if (typeof x === 'number') return applied(call, tensor(call, y), affine(-1, x));
    if (typeof y === 'number') return applied(call, tensor(call, x), affine(1, -y));
    const found = withConstants(call, [x, y], 'sub');
    if (found) return found;
    const [a, b] = pair(call, x, y);
    const negative = activation(call, b, affine(-1, 0), `${call.name}_negative`);
    return merged(call, [a, withRef(b, negative)], 'sum');
  },
  Negative: (call) => applied(call, tensor(call, operands(call, 1)[0]), affine(-1, 0)),
  Maximum: (call) => arithmetic(call, 'max', (c) => ({ name: 'clip', alpha: c })),
  Minimum: (call) => arithmetic(call, 'min', (c) => ({ name: 'clip', beta: c })),
  Clip: (call) => {
    // TensorFlow's names in Keras 2
    const names = call.kwargs.has('clip_value_min') || call.kwargs.has('clip_value_max') ? TF_BOUNDS : BOUNDS;
    const [alpha, beta] = [number(call, names[0], 1, NaN), number(call, names[1], 2, NaN)];
    if (Number.isNaN(alpha + beta)) throw call.fields.invalid(`${names.join(' and ')} must be numbers`);
    return applied(call, tensor(call, operand(call, operandsOf(call, names, 1)[0])), { name: 'clip', alpha, beta });
  },
  // By tanh, unless it says otherwise.
  Gelu: (call) => {
    const exact = call.fields.flag('approximate', true) ? 'gelu_tanh' : 'gelu';
    return applied(call, tensor(call, operands(call, 1)[0]), exact);
  },
  // TensorFlow's, which is exact unless it says otherwise.
  TfGelu: (call) => {
    const approximate = call.kwargs.get('approximate');
    const isTanh = approximate !== undefined && 'constant' in approximate && approximate.constant === true;
    const [x] = operandsOf(call, ['approximate'], 1);
    return applied(call, tensor(call, operand(call, x)), isTanh ? 'gelu_tanh' : 'gelu');
  },
  Log1p: (call) => {
    const x = tensor(call, operands(call, 1)[0]);
    const more = activation(call, x, affine(1, 1), call.builder.name(`${call.name}_more`));
    return applied(call, withRef(x, more), 'log');
  },
  Round: (call) => {
    call.fields.expect('decimals', [0], 'whole numbers are near');
    return applied(call, tensor(call, operands(call, 1)[0]), 'round');
  },
  ...POWERS,
  LeakyRelu: (call) => slope(call, 'leaky_relu', ['negative_slope', 'alpha'], 0.2),
  Elu: (call) => slope(call, 'elu', ['alpha'], 1),
  Celu: (call) => slope(call, 'celu', ['alpha'], 1),
  ...Object.fromEntries(
    Object.entries({
      Relu: 'relu',
      Relu6: 'relu6',
      Sigmoid: 'sigmoid',
      Tanh: 'tanh',
      Softplus: 'softplus',
      Softsign: 'softsign',
      HardSigmoid: 'hard_sigmoid',
      Selu: 'selu',
      Silu: 'silu',
      Exp: 'exponential',
      HardSilu: 'hard_silu',
      HardTanh: 'hard_tanh',
      LogSigmoid: 'log_sigmoid',
      SparsePlus: 'sparse_plus',
      SparseSigmoid: 'sparse_sigmoid',
      TanhShrink: 'tanh_shrink',
    }).map(([name, fn]): [string, Translate] => [
      name,
      (call) =>
        applied(
          call,
          tensor(call, operands(call, 1)[0]),
          activationNamed(call.fields, 'function', fn, call.builder.dialect),
        ),
    ]),
  ),
  Sin: (call) => wave(call, false),
  Cos: (call) => wave(call, true),
  ...Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, fn]): [string, Translate] => [
      name,
      (call) => applied(call, tensor(call, operands(call, 1)[0]), fn),
    ]),
  ),
};

/**
 * Operations on tensors, by the name of their class in keras.ops: `x + y` is Add. Masks do not go through them.
 *
 * Arguments are by place or by name.
 */
export const OPERATIONS: Record<string, Translate> = {
  ...Object.fromEntries(Object.entries(ELEMENTWISE).map(([name, translate]) => [name, alsoOfRows(translate)])),
  Multiply: alsoOfScores(alsoOfRows(ELEMENTWISE['Multiply']!), (c) => c),
  ...Object.fromEntries(
    ['Divide', 'TrueDivide'].map((name) => [name, alsoOfScores(alsoOfRows(ELEMENTWISE[name]!), (c) => 1 / c)]),
  ),
  Concatenate: (call) => {
    const axis = axisOf(call, 1, -1);
    const [list] = operandsOf(call, ['axis'], 1);
    if (!Array.isArray(list)) throw call.fields.unsupported('takes a list of tensors');
    const parts = list.map((item) => tensor(call, operand(call, item)));
    if (parts.some(({ kind }) => kind !== parts[0]!.kind))
      throw call.fields.unsupported('combines steps with whole sequences');
    const rank = rankOf(parts[0]!);
    const place = axis < 0 ? axis + rank : axis;
    if (rank === 3 && place === 1) return [joinSteps(call, parts)];
    if (place !== rank - 1)
      throw call.fields.unsupported(`axis ${axis} is not supported; supported: features and steps`);
    return merged(call, parts, 'concat');
  },
  // What it is already.
  ConvertToTensor: (call) => {
    for (const name of ['sparse', 'ragged']) call.fields.expect(name, [null, false], 'tensors are dense');
    return [tensor(call, operands(call, 1)[0])];
  },
  StopGradient: (call) => [asTensor(call, operandsOf(call, [], 1)[0])],
  Cast: cast,
  GetItem: getItem,
  StridedSlice: stridedSlice,
  Slice: sliceOf,
  Flip: flip,
  ExpandDims: expandDims,
  Squeeze: squeeze,
  Reshape: reshape,
  Stack: stack,
  Split: split,
  Transpose: transpose,
  Swapaxes: transpose,
  Tile: tile,
  Repeat: repeat,
  Take: take,
  Pad: pad,
  Argmax: argmax,
  OneHot: oneHot,
  Softmax: softmax,
  LogSoftmax: (call) => overFeatures(call, 'log_softmax'),
  ...REDUCTIONS,
  ...PRODUCTS,
};

/** TFOpLambda and SlicingOpLambda of Keras 2: functions of TensorFlow, and the operation that each is. */
export const TF_FUNCTIONS: Record<string, string> = {
  '__operators__.add': 'Add',
  '__operators__.getitem': 'GetItem',
  'math.add': 'Add',
  'math.multiply': 'Multiply',
  'math.subtract': 'Subtract',
  'math.divide': 'Divide',
  'math.truediv': 'Divide',
  'math.negative': 'Negative',
  'math.square': 'Square',
  'math.squared_difference': 'SquaredDifference',
  'math.pow': 'Power',
  'math.rsqrt': 'Rsqrt',
  'math.reciprocal': 'Reciprocal',
  'math.sign': 'Sign',
  'math.floor': 'Floor',
  'math.ceil': 'Ceil',
  'math.erf': 'Erf',
  'math.log_sigmoid': 'LogSigmoid',
  clip_by_value: 'Clip',
  identity: 'ConvertToTensor',
  stop_gradient: 'StopGradient',
  'math.sigmoid': 'Sigmoid',
  'math.tanh': 'Tanh',
  'math.softplus': 'Softplus',
  'math.exp': 'Exp',
  'math.log': 'Log',
  'math.log1p': 'Log1p',
  'math.round': 'Round',
  'math.equal': 'Equal',
  'math.not_equal': 'NotEqual',
  'math.greater': 'Greater',
  'math.greater_equal': 'GreaterEqual',
  'math.less': 'Less',
  'math.less_equal': 'LessEqual',
  'math.logical_not': 'LogicalNot',
  'math.logical_and': 'LogicalAnd',
  'math.logical_or': 'LogicalOr',
  where: 'Where',
  'compat.v1.norm': 'Norm',
  norm: 'Norm',
  'compat.v1.pad': 'Pad',
  pad: 'Pad',
  one_hot: 'OneHot',
  'math.l2_normalize': 'L2Normalize',
  'linalg.matmul': 'Matmul',
  'math.sqrt': 'Sqrt',
  'math.abs': 'Absolute',
  'math.sin': 'Sin',
  'math.cos': 'Cos',
  'math.maximum': 'Maximum',
  'math.minimum': 'Minimum',
  'math.reduce_sum': 'Sum',
  'math.reduce_mean': 'Mean',
  'math.reduce_max': 'Max',
  'math.reduce_min': 'Min',
  'math.reduce_std': 'Std',
  'math.reduce_variance': 'Var',
  'nn.log_softmax': 'LogSoftmax',
  strided_slice: 'StridedSlice',
  slice: 'Slice',
  reverse: 'Flip',
  squeeze: 'Squeeze',
  reshape: 'Reshape',
  'compat.v1.squeeze': 'Squeeze',
  stack: 'Stack',
  split: 'Split',
  transpose: 'Transpose',
  'compat.v1.transpose': 'Transpose',
  cast: 'Cast',
  tile: 'Tile',
  repeat: 'Repeat',
  gather: 'Take',
  'compat.v1.gather': 'Take',
  'math.argmax': 'Argmax',
  expand_dims: 'ExpandDims',
  concat: 'Concatenate',
  'nn.relu': 'Relu',
  'nn.relu6': 'Relu6',
  'nn.leaky_relu': 'LeakyRelu',
  'nn.elu': 'Elu',
  'nn.gelu': 'TfGelu',
  'nn.selu': 'Selu',
  'nn.silu': 'Silu',
  'nn.sigmoid': 'Sigmoid',
  'nn.tanh': 'Tanh',
  'nn.softplus': 'Softplus',
  'nn.softsign': 'Softsign',
  'nn.softmax': 'Softmax',
};

/** TensorFlowOpLayer of TensorFlow 2.0 to 2.3: nodes of its graphs. */
export const TF_NODES: Record<string, string> = {
  AddV2: 'Add',
  Add: 'Add',
  Mul: 'Multiply',
  Sub: 'Subtract',
  RealDiv: 'Divide',
  Neg: 'Negative',
  StridedSlice: 'StridedSlice',
  Square: 'Square',
  Relu: 'Relu',
  Sigmoid: 'Sigmoid',
  Tanh: 'Tanh',
  Softplus: 'Softplus',
  Softsign: 'Softsign',
};

const affine = (alpha: number, beta: number): Activation => ({ name: 'affine', alpha, beta });

function wave(call: Call, cosine: boolean): Value[] {
  const x = tensor(call, operands(call, 1)[0]);
  const own = { name: call.name, inputs: [call.builder.exact(x)], ...(cosine ? { cosine } : {}) };
  return [withRef(x, call.builder.add({ type: 'sine', ...own }))];
}

/** Over features, or over steps: of one number a step in a row too. */
function softmax(call: Call): Value[] {
  const { builder, name } = call;
  const axis = axisOf(call, 1, -1);
  const value = asTensor(call, operandsOf(call, ['axis'], 1)[0]);
  if (value.is === 'scores' && !value.keys) return [softmaxOfScores(call, value, axis)];
  const isRow = value.is === 'transposed' && value.flat;
  const isSteps = value.is === 'features' && value.kind === 'sequence';
  if (isRow && (axis === -1 || axis === 1))
    return [{ ...value, ref: builder.add({ type: 'timeSoftmax', name, inputs: [value.ref] }) }];
  if (isSteps && (axis === 1 || axis === -2)) {
    const ref = builder.add({ type: 'timeSoftmax', name, inputs: [builder.exact(value)] });
    return [{ is: 'features', ref, kind: 'sequence', size: value.size }];
  }
  return overFeatures(call, 'softmax');
}

function overFeatures(call: Call, fn: 'softmax' | 'log_softmax') {
  const axis = axisOf(call, 1, -1);
  const x = tensor(call, operand(call, operandsOf(call, ['axis'], 1)[0]));
  if (axis !== -1 && axis !== rankOf(x) - 1)
    throw call.fields.unsupported(`axis ${axis} is not supported; supported: -1, the last`);
  return applied(call, x, fn);
}

function slope(call: Call, name: 'leaky_relu' | 'elu' | 'celu', settings: string[], fallback: number) {
  const alpha = settings.reduce((found, setting) => number(call, setting, 1, found), fallback);
  return applied(call, tensor(call, operand(call, operandsOf(call, settings, 1)[0])), { name, alpha });
}

function arithmetic(call: Call, merge: 'sum' | 'mul' | 'max' | 'min', by: (constant: number) => Activation) {
  const [x, y] = operands(call, 2);
  if (typeof x === 'number') return applied(call, tensor(call, y), by(x));
  if (typeof y === 'number') return applied(call, tensor(call, x), by(y));
  return withConstants(call, [x, y], merge) ?? merged(call, pair(call, x, y), merge);
}
