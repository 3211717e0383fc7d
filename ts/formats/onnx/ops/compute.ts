import type { Activation } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { axisIndex, broadcastIndex, floatsOf, numbersOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { shapeText } from '../size.ts';
import { axesText, feature, featureSize, role, width, type Constant, type Factor, type Rows } from '../value.ts';
import { foldBinary } from './constant.ts';
import { sameKind } from './join.ts';

/** Operators that compute: products with constants, sums, activations. */

export function layerName({ node }: NodeContext): string {
  return node.name || (node.outputs[0] ?? '');
}

export function floatRows(context: NodeContext, index: number): Rows {
  const value = requireInput(context, index);
  if (value.type === 'rows' && value.dtype === 'float32') return value;
  const what = value.type === 'rows' ? 'whole numbers' : 'a constant';
  throw nodeError(context.node, `input ${index} is ${what}; supported: floats computed from the model's inputs`);
}

/** The product with a (columns, rows) or, `transposed`, (rows, columns) matrix over the last axis. */
function product(context: NodeContext, rows: Rows, matrix: Constant, transposed: boolean, scale = 1): Rows {
  const { graph, node } = context;
  const { shape, data } = floatsOf(context, matrix, 'the matrix');
  const [k, n] = (transposed ? [shape[1], shape[0]] : shape) as [number, number];
  const last = rows.axes.length - 1;
  const features = rows.axes.map((_, axis) => (axis === last ? ('feature' as const) : undefined));
  if (last < 0 || !graph.demand(rows, features) || width(rows) !== k || k < 1 || n < 1) {
    throw nodeError(
      node,
      `multiplies ${axesText(rows.axes)} by ${shapeText(shape)}; supported: all features of a row by a matrix`,
    );
  }
  graph.budget.spend(4 * data.length);
  const kernel = new Float32Array(n * k);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) kernel[i * k + j] = scale * data[transposed ? i * k + j : j * n + i]!;
  }
  const axes = [...rows.axes.slice(0, -1), [feature(n)]];
  const result = graph.builder.dense(
    rows,
    layerName(context),
    { inputSize: k, outputSize: n, weights: { kernel } },
    axes,
  );
  graph.place(matrix, `${result.columns[0]?.ref ?? ''}/kernel`);
  return result;
}

const matMul: Operator = (context) => {
  const [x, matrix] = [floatRows(context, 0), requireConstant(context, 1, 'the matrix')];
  const lead = matrix.shape.length - 2;
  if (lead < 0 || matrix.shape.slice(0, lead).some((size) => size !== 1)) {
    throw nodeError(context.node, `multiplies by ${shapeText(matrix.shape)}; supported: one matrix for all rows`);
  }
  const axes = [...Array<Factor[]>(Math.max(lead + 2 - x.axes.length, 0)).fill([]), ...x.axes];
  if (x.axes.length < 2)
    throw nodeError(context.node, `multiplies ${axesText(x.axes)}; supported: two dimensions or more`);
  return [
    product(
      context,
      { ...x, axes },
      { ...matrix, base: matrix.base.slice(lead), shape: matrix.shape.slice(lead) },
      false,
    ),
  ];
};

const gemm: Operator = (context) => {
  const { attributes, inputs, node } = context;
  const [x, matrix] = [floatRows(context, 0), requireConstant(context, 1, 'the matrix')];
  if (x.axes.length !== 2 || matrix.base.length !== 2) throw nodeError(node, 'takes two dimensions', 'invalid_file');
  if (attributes.int('transA')) throw nodeError(node, "attribute 'transA' 1 is not supported");
  const alpha = attributes.float('alpha') ?? 1;
  const beta = attributes.float('beta') ?? 1;
  const y = product(context, x, matrix, attributes.int('transB') === 1, alpha);
  if (!inputs[2]) return [y];
  const bias = requireConstant(context, 2, 'C');
  const shift = columnValues(context, y, bias).map((v) => v * beta);
  context.graph.place(bias, `${y.columns[0]?.ref ?? ''}/bias`);
  return [context.graph.builder.affine(y, layerName(context), undefined, shift)];
};

/** One value a column of a constant that is broadcast over rows. */
export function columnValues(context: NodeContext, rows: Rows, constant: Constant): Float32Array {
  const { data } = numbersOf(context, { ...constant, shape: constant.base }, 'the constant');
  const rank = rows.axes.length;
  const base = [...Array<number>(Math.max(rank - constant.base.length, 0)).fill(1), ...constant.base];
  const refuse = (why: string) =>
    nodeError(context.node, `combines ${axesText(rows.axes)} with a constant ${shapeText(constant.shape)}: ${why}`);
  if (base.length > rank) throw refuse('it has more dimensions');
  const sizes = rows.axes.map(featureSize);
  const fits = base.every((size, axis) => {
    if (size === 1) return true;
    const kind = role(rows.axes[axis]!);
    return (kind === 'feature' || kind === 'one') && size === sizes[axis];
  });
  if (!fits) throw refuse('it differs from step to step or from sequence to sequence, or repeats features');
  const size = width(rows);
  context.graph.budget.spend(4 * size);
  const index = broadcastIndex(base, sizes);
  return Float32Array.from({ length: size }, (_, i) => data[index(i)]!);
}

/** Puts axes of size 1 before those of a value, so that it has as many as a constant that it is combined with. */
function padAxes(rows: Rows, rank: number): Rows {
  return { ...rows, axes: [...Array<Factor[]>(Math.max(rank - rows.axes.length, 0)).fill([]), ...rows.axes] };
}

const arithmetic: Operator = (context) => {
  const { graph, node, opset } = context;
  if (opset < 7 && context.attributes.has('broadcast')) throw nodeError(node, "attribute 'broadcast' is not supported");
  const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
  if (x.type === 'constant' && y.type === 'constant') return [foldBinary(context, x, y)];
  if (x.type === 'rows' && y.type === 'rows') return [combine(context, floatRows(context, 0), floatRows(context, 1))];
  const constant = (x.type === 'constant' ? x : y) as Constant;
  const rows = padAxes(floatRows(context, x.type === 'rows' ? 0 : 1), constant.base.length);
  const values = columnValues(context, rows, constant);
  const name = layerName(context);
  const affine = (scale: Float32Array | undefined, shift: Float32Array | undefined) => {
    const result = graph.builder.affine(rows, name, scale, shift);
    const layer = (result.columns[0]?.ref ?? '').split(':')[0] ?? '';
    graph.place(constant, `${layer}/${shift ? 'bias' : 'kernel'}`);
    return [result];
  };
  const isFirst = constant === x;
  if (node.op === 'Add') return affine(undefined, values);
  if (node.op === 'Mul') return affine(values, undefined);
  if (node.op === 'Sub')
    return isFirst
      ? affine(
          values.map(() => -1),
          values,
        )
      : affine(
          undefined,
          values.map((v) => -v),
        );
  if (isFirst) throw nodeError(node, 'divides a constant by a computed value');
  return affine(
    values.map((v) => 1 / v),
    undefined,
  );
};

function combine(context: NodeContext, first: Rows, second: Rows): Rows {
  const { graph, node } = context;
  if (node.op === 'Div') throw nodeError(node, 'divides by a computed value');
  const rank = Math.max(first.axes.length, second.axes.length);
  const [x, y] = sameKind(context, [padAxes(first, rank), padAxes(second, rank)]) as [Rows, Rows];
  if (axesText(x.axes) !== axesText(y.axes) || x.reversed !== y.reversed) {
    const order = x.reversed === y.reversed ? '' : ' of reversed time';
    throw nodeError(
      node,
      `combines ${axesText(x.axes)} with ${axesText(y.axes)}${order}; supported: values of one shape`,
    );
  }
  const name = layerName(context);
  if (node.op === 'Mul') return graph.builder.merge(x, y, name, 'mul');
  const minus =
    node.op === 'Sub' ? graph.builder.activation(y, `${name}_minus`, { name: 'affine', alpha: -1, beta: 0 }) : y;
  return graph.builder.merge(x, minus, name, 'sum');
}

function activation(read: (context: NodeContext) => Activation): Operator {
  return (context) => [context.graph.builder.activation(floatRows(context, 0), layerName(context), read(context))];
}

const prelu = activation((context) => {
  const { data } = floatsOf(context, requireConstant(context, 1, 'the slope'), 'the slope');
  if (data.length !== 1) throw nodeError(context.node, 'has a slope for each feature; supported: one slope');
  return { name: 'leaky_relu', alpha: data[0]! };
});

const softmax: Operator = (context) => {
  const { attributes, graph, node, opset } = context;
  const rows = floatRows(context, 0);
  const rank = rows.axes.length;
  const axis = axisIndex(context, attributes.int('axis') ?? (opset >= 13 ? -1 : 1), rank);
  // before opset 13 the axes from this one on are one row
  const taken = rows.axes.map((_, i) => (i === axis || (opset < 13 && i > axis) ? ('feature' as const) : undefined));
  const size = rows.axes.reduce((n, a, i) => (taken[i] ? n * featureSize(a) : n), 1);
  if (!graph.demand(rows, taken) || size !== width(rows)) {
    throw nodeError(node, `attribute 'axis' ${axis} of ${axesText(rows.axes)}; supported: all features of a row`);
  }
  return [graph.builder.activation(rows, layerName(context), 'softmax')];
};

/** y = scale (x - mean) / sqrt(var + epsilon) + B for each feature of axis 1. */
const batchNormalization: Operator = (context) => {
  const { attributes, graph, node } = context;
  const rows = floatRows(context, 0);
  attributes.float('momentum');
  const epsilon = attributes.float('epsilon') ?? 1e-5;
  if (attributes.int('training_mode')) throw nodeError(node, "attribute 'training_mode' is 1");
  if ((attributes.int('spatial') ?? 1) !== 1) throw nodeError(node, "attribute 'spatial' is 0");
  const roles = rows.axes.map((_, axis) => (axis === 1 ? ('feature' as const) : undefined));
  if (rows.axes.length < 2 || !graph.demand(rows, roles))
    throw nodeError(node, `normalizes axis 1 of ${axesText(rows.axes)}; supported: features`);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => {
    const constant = requireConstant(context, i, 'its parameter');
    const lead = [...constant.base, ...Array<number>(rows.axes.length - 2).fill(1)];
    graph.place(constant, `${layerName(context)} (folded)`);
    return columnValues(context, rows, { ...constant, base: lead, shape: lead });
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const factor = scale.map((s, i) => s / Math.sqrt(variance[i]! + epsilon));
  const shift = bias.map((b, i) => b - mean[i]! * factor[i]!);
  return [graph.builder.affine(rows, layerName(context), factor, shift)];
};

export const COMPUTE_OPERATORS: Record<string, Operator> = {
  MatMul: matMul,
  Gemm: gemm,
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: arithmetic,
  Neg: (context) => {
    const x = requireInput(context, 0);
    if (x.type === 'constant') {
      const zero: Constant = { ...x, base: [], shape: [], data: [0] };
      return [foldBinary({ ...context, node: { ...context.node, op: 'Sub' } }, zero, x)];
    }
    return [
      context.graph.builder.activation(floatRows(context, 0), layerName(context), {
        name: 'affine',
        alpha: -1,
        beta: 0,
      }),
    ];
  },
  Softmax: softmax,
  BatchNormalization: batchNormalization,
  Sigmoid: activation(() => 'sigmoid'),
  Tanh: activation(() => 'tanh'),
  Relu: activation(() => 'relu'),
  Softplus: activation(() => 'softplus'),
  Softsign: activation(() => 'softsign'),
  HardSigmoid: activation(({ attributes }) => ({
    name: 'hard_sigmoid',
    alpha: attributes.float('alpha') ?? 0.2,
    beta: attributes.float('beta') ?? 0.5,
  })),
  Elu: activation(({ attributes }) => ({ name: 'elu', alpha: attributes.float('alpha') ?? 1 })),
  LeakyRelu: activation(({ attributes }) => ({ name: 'leaky_relu', alpha: attributes.float('alpha') ?? 0.01 })),
  ThresholdedRelu: activation(({ attributes }) => ({
    name: 'thresholded_relu',
    alpha: attributes.float('alpha') ?? 1,
  })),
  PRelu: prelu,
};
