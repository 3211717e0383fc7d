import { GruError } from '../../../base/errors.ts';
import { nodeError } from '../attributes.ts';
import { elements, floatsOf, makeConstant, numbersOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { bakedSize, shapeText } from '../size.ts';
import { batchNorm } from '../../batch-norm.ts';
import {
  axesText,
  axisSize,
  feature,
  featureSize,
  joinColumns,
  role,
  takeColumns,
  width,
  type Constant,
  type Factor,
  type Rows,
  type Value,
} from '../value.ts';
import { multiplyRows, sumOfGrid, weighGrid } from './attention.ts';
import { columnValues, floatRows, layerName } from './columns.ts';
import { combine } from './combine.ts';
import { repeatedSteps, withRoles } from './over-time.ts';
import { constantOfSteps } from './step-table.ts';

/** Products with constants, and what is folded into them. */

function isFloat(value: Value): value is Rows {
  return value.type === 'rows' && value.dtype === 'float32';
}

/** More rows of one value are not multiplied one by one. */
const MOST_ROWS = 64;

/** Kernels by the matrix that they are made of: many nodes may share one. */
const KERNELS = new WeakMap<Float32Array, Map<string, Float32Array>>();

/** The matrix, `scale` times, as n rows of k. */
function kernelOf(
  { graph }: NodeContext,
  matrix: Float32Array,
  [n, k]: [number, number],
  isKernel: boolean,
  scale: number,
): Float32Array {
  const made = KERNELS.get(matrix) ?? new Map<string, Float32Array>();
  KERNELS.set(matrix, made);
  const key = `${n} ${k} ${isKernel} ${scale}`;
  const known = made.get(key);
  if (known) return known;
  graph.budget.spend(4 * matrix.length);
  const kernel = new Float32Array(n * k);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) kernel[i * k + j] = scale * matrix[isKernel ? i * k + j : j * n + i]!;
  }
  made.set(key, kernel);
  return kernel;
}

/** The product with a (columns, rows) or, `transposed`, (rows, columns) matrix over the last axis; what is in front of it shares the matrix. */
function product(context: NodeContext, given: Rows, matrix: Constant, transposed: boolean, scale = 1): Rows {
  const { graph, node } = context;
  const { shape, data } = floatsOf(context, matrix, 'the matrix');
  const [k, n] = (transposed ? [shape[1], shape[0]] : shape) as [number, number];
  const last = given.axes.length - 1;
  const features = given.axes.map((_, axis) => (axis === last ? ('feature' as const) : undefined));
  const rows = last < 0 ? undefined : withRoles(context, given, features);
  const count = rows ? width(rows) / k : 0;
  if (!rows || featureSize(rows.axes[last]!) !== k || k < 1 || n < 1 || count > MOST_ROWS) {
    throw nodeError(
      node,
      `multiplies ${axesText(given.axes)} by ${shapeText(shape)}; supported: all features of a row by a matrix, and up to ${MOST_ROWS} rows of as many`,
    );
  }
  const kernel = kernelOf(context, data, [n, k], transposed, scale);
  const axes = [...rows.axes.slice(0, -1), [feature(n)]];
  const own = [...rows.axes.slice(0, -1).map((axis) => axis.filter(({ role }) => role !== 'feature')), [feature(n)]];
  // a row that is there several times is multiplied once
  const made = new Map<string, Rows>();
  const parts = Array.from({ length: count }, (_, i) => {
    const columns = takeColumns(rows.columns, i * k, k);
    const key = JSON.stringify(columns);
    const part = made.get(key) ?? graph.builder.dense({ ...rows, columns }, layerName(context), { inputSize: k, outputSize: n, weights: { kernel } }, own); // prettier-ignore
    made.set(key, part);
    graph.place(matrix, `${part.columns[0]?.ref ?? ''}/kernel`);
    return part;
  });
  const [only] = parts as [Rows];
  if (count === 1) return { ...only, axes };
  return { ...only, axes, columns: joinColumns(parts.map(({ columns }) => columns)), exclusive: false };
}

/** Rows that are the same for each sequence, such as a first state or a table of ids, by a matrix. */
function productOfConstants(context: NodeContext, x: Constant, matrix: Constant): Constant {
  const { shape, data } = floatsOf(context, matrix, 'the matrix');
  const [k, n] = shape as [number, number];
  const [lead, size] = [x.base.slice(0, -1), x.shape.at(-1)];
  if (shape.length !== 2 || size !== k)
    throw nodeError(context.node, `multiplies constants of ${shapeText(x.shape)} and ${shapeText(shape)}`);
  const rows = elements(lead);
  const base = [...lead, k];
  const from = numbersOf(context, { ...x, shape: base }, 'the constant').data;
  // sixteen multiplications take as long as a byte
  context.graph.budget.spend(4 * rows * n + (rows * n * k) / 16);
  const made = new Float32Array(rows * n);
  const sums = new Float64Array(n);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    for (let i = 0; i < k; i++) {
      const value = from[row * k + i]!;
      for (let j = 0; j < n; j++) sums[j]! += value * data[i * n + j]!;
    }
    made.set(sums, row * n);
  }
  return { ...x, base: [...lead, n], shape: [...x.shape.slice(0, -1), n], data: made };
}

/** Additive scores as a product with a matrix of one column. */
function gridProduct(context: NodeContext, rows: Rows, matrix: Constant): Rows | undefined {
  if (matrix.base.length !== 2 || matrix.base[1] !== 1) return undefined;
  const { data } = numbersOf(context, matrix, 'the matrix');
  const weighed = weighGrid(rows, Float32Array.from(data));
  return weighed && sumOfGrid(weighed, true);
}

/** With steps that were each repeated, and lie beside their steps still, as the steps that they are. */
function asSteps(context: NodeContext, rows: Rows): Rows {
  return (rows.scores ? undefined : repeatedSteps(context, rows)) ?? rows;
}

const matMul: Operator = (context) => {
  const [left, right] = [requireInput(context, 0), requireInput(context, 1)];
  if (isFloat(left) && isFloat(right)) return [multiplyRows(context, asSteps(context, left), asSteps(context, right))];
  if (left.type === 'constant' && right.type === 'constant') return [productOfConstants(context, left, right)];
  const grid =
    left.type === 'rows' && left.scores && right.type === 'constant' ? gridProduct(context, left, right) : undefined;
  if (grid) return [grid];
  const [x, given] = [floatRows(context, 0), requireConstant(context, 1, 'the matrix')];
  // a vector is a matrix of one column, which the result has no axis for
  const isVector = given.base.length === 1;
  const matrix = isVector ? { ...given, base: [...given.base, 1], shape: [...given.shape, 1] } : given;
  const lead = matrix.shape.length - 2;
  if (lead < 0 || matrix.shape.slice(0, lead).some((size) => size !== 1)) {
    throw nodeError(context.node, `multiplies by ${shapeText(matrix.shape)}; supported: one matrix for all rows`);
  }
  const axes = [...Array<Factor[]>(Math.max(lead + 2 - x.axes.length, 0)).fill([]), ...x.axes];
  if (x.axes.length < 2)
    throw nodeError(context.node, `multiplies ${axesText(x.axes)}; supported: two dimensions or more`);
  const plain = { ...matrix, base: matrix.base.slice(lead), shape: matrix.shape.slice(lead) };
  const result = product(context, { ...x, axes }, plain, false);
  return [isVector ? { ...result, axes: result.axes.slice(0, -1) } : result];
};

const gemm: Operator = (context) => {
  const { attributes, graph, inputs, node } = context;
  const [x, matrix] = [floatRows(context, 0), requireConstant(context, 1, 'the matrix')];
  if (x.axes.length !== 2 || matrix.base.length !== 2) throw nodeError(node, 'takes two dimensions', 'invalid_file');
  if (attributes.int('transA')) throw nodeError(node, "attribute 'transA' 1 is not supported");
  const alpha = attributes.float('alpha') ?? 1;
  const beta = attributes.float('beta') ?? 1;
  const y = product(context, x, matrix, attributes.int('transB') === 1, alpha);
  const shiftRows = inputs[2];
  if (!shiftRows) return [y];
  if (isFloat(shiftRows)) {
    const scaled = graph.builder.affine(shiftRows, `${layerName(context)}_scaled`, beta);
    return [combine(context, y, scaled, 'sum')];
  }
  const bias = requireConstant(context, 2, 'C');
  const shift = columnValues(context, y, bias).map((v) => v * beta);
  graph.place(bias, `${y.columns[0]?.ref ?? ''}/bias`);
  return [graph.builder.affine(y, layerName(context), undefined, shift)];
};

/** y = scale (x - mean) / sqrt(var + epsilon) + B for each feature of axis 1. */
const batchNormalization: Operator = (context) => {
  const { attributes, graph, node } = context;
  const rows = floatRows(context, 0);
  attributes.float('momentum');
  const epsilon = attributes.float('epsilon') ?? 1e-5;
  if (attributes.int('training_mode')) throw nodeError(node, "attribute 'training_mode' is 1");
  if ((attributes.int('spatial') ?? 1) !== 1) throw nodeError(node, "attribute 'spatial' is 0");
  const moments: Value[] = [requireInput(context, 3), requireInput(context, 4)];
  if (moments.every(isFloat)) return [byComputed(context, rows, moments, epsilon)];
  const channels = channelsOf(context, rows);
  if (!channels) throw nodeError(node, `normalizes axis 1 of ${axesText(rows.axes)}; supported: features`);
  if (channels === 'steps') return [byStep(context, rows, epsilon)];
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => {
    const constant = requireConstant(context, i, 'its parameter');
    const lead = [...constant.base, ...Array<number>(rows.axes.length - 2).fill(1)];
    graph.place(constant, `${layerName(context)} (folded)`);
    return columnValues(context, rows, { ...constant, base: lead, shape: lead });
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const affine = batchNorm({ gamma, beta, mean, variance }, epsilon);
  const [factor, shift] = [Float32Array.from(affine.scale), Float32Array.from(affine.shift)];
  return [graph.builder.affine(rows, layerName(context), factor, shift)];
};

/** Of an axis 1 that other nodes take as steps, as many as there are parameters, those are the channels; undefined for no such axis. */
function channelsOf({ graph, inputs }: NodeContext, rows: Rows): 'features' | 'steps' | undefined {
  const roles = rows.axes.map((_, axis) => (axis === 1 ? ('feature' as const) : undefined));
  try {
    return rows.axes.length >= 2 && graph.demand(rows, roles) ? 'features' : undefined;
  } catch (cause) {
    const [time, gamma] = [rows.axes[1]!, inputs[1]];
    const steps = role(time) === 'time' ? bakedSize(axisSize(time), graph.baked) : undefined;
    if (!(cause instanceof GruError) || gamma?.type !== 'constant' || gamma.shape[0] !== steps) throw cause;
    return 'steps';
  }
}

/** Each step by parameters of its own. */
function byStep(context: NodeContext, given: Rows, epsilon: number): Rows {
  const { graph } = context;
  const rows = graph.builder.steps.straight(given);
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => {
    const constant = requireConstant(context, i, 'its parameter');
    graph.place(constant, `${layerName(context)} (folded)`);
    return floatsOf(context, constant, 'its parameter').data;
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const { scale, shift } = batchNorm({ gamma, beta, mean, variance }, epsilon);
  const base = rows.axes.map((_, axis) => (axis === 1 ? gamma.length : 1));
  const ofSteps = (values: ArrayLike<number>) =>
    constantOfSteps(context, rows, makeConstant(context, 'float', base, Float32Array.from(values), ''));
  const [factors, terms] = [ofSteps(scale), ofSteps(shift)];
  if (!factors || !terms) throw nodeError(context.node, `normalizes the steps of ${axesText(rows.axes)}`);
  return combine(context, combine(context, rows, factors, 'mul'), terms, 'sum');
}

/** By moments that the graph computes of each row, laid along axis 1: how Keras 2 writes a layer normalization. */
function byComputed(context: NodeContext, rows: Rows, moments: readonly Rows[], epsilon: number): Rows {
  const [mean, variance] = moments as [Rows, Rows];
  const { graph, node } = context;
  const name = layerName(context);
  const [scale, shift] = [1, 2].map((i) => {
    const { data } = requireConstant(context, i, 'its parameter');
    const values = Array.from(data, Number);
    if (values.every((value) => value === values[0])) return values[0] ?? NaN;
    throw nodeError(node, 'normalizes by computed moments with a parameter that is not one number for all');
  }) as [number, number];
  const along = (moment: Rows): Rows => {
    if (moment.axes.length !== 1) throw nodeError(node, `its moments are ${axesText(moment.axes)}`, 'invalid_file');
    return { ...moment, axes: rows.axes.map((_, axis) => (axis === 1 ? moment.axes[0]! : [])) };
  };
  const added = graph.builder.affine(variance, `${name}_epsilon`, undefined, epsilon);
  const root = graph.builder.activation({ ...added, exclusive: false }, `${name}_root`, 'sqrt');
  const factor = graph.builder.activation(root, `${name}_factor`, 'reciprocal');
  const centred = combine(context, rows, along(mean), 'sub');
  const normal = combine(context, centred, along(factor), 'mul');
  return graph.builder.affine(normal, `${name}_scaled`, scale, shift);
}

export const COMPUTE_OPERATORS: Record<string, Operator> = {
  MatMul: matMul,
  Gemm: gemm,
  BatchNormalization: batchNormalization,
};
