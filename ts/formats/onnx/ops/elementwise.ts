import type { Activation, MergeSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { numbersOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import {
  axesText,
  feature,
  featureSize,
  isFeature,
  selectColumns,
  width,
  type Constant,
  type Factor,
  type Rows,
} from '../value.ts';
import { scaleScores } from './attention.ts';
import { columnValues, floatRows, layerName, padAxes } from './columns.ts';
import { foldBinary } from './constant.ts';
import { sameKind } from './join.ts';

/** Operators on two values or more, element by element, with broadcasting. */

type Op = Exclude<MergeSpec['merge'], 'concat' | 'prelu' | 'ave'>;

/** By operator. */
const OPS: Record<string, Op> = {
  Add: 'sum',
  Sum: 'sum',
  Mean: 'sum',
  Sub: 'sub',
  Mul: 'mul',
  Div: 'div',
  Min: 'min',
  Max: 'max',
  Pow: 'pow',
};

/** Of two values, of which one or both may be constants. */
function binary(context: NodeContext, x: Rows | Constant, y: Rows | Constant): Rows | Constant {
  if (x.type === 'constant' && y.type === 'constant') return foldBinary(context, x, y);
  if (x.type === 'rows' && y.type === 'rows') return combine(context, floats(context, x), floats(context, y));
  const isFirst = x.type === 'constant';
  const constant = (isFirst ? x : y) as Constant;
  const value = (isFirst ? y : x) as Rows;
  if (value.scores) return scaleScores(context, value, value.scores, factorOf(context, constant, isFirst));
  return withConstant(context, floats(context, (isFirst ? y : x) as Rows), constant, isFirst);
}

/** The number that scores are multiplied by. */
function factorOf(context: NodeContext, constant: Constant, isFirst: boolean): number {
  const { node } = context;
  const { data } = numbersOf(context, { ...constant, shape: constant.base }, 'the factor');
  const [factor] = Array.from(data);
  const op = OPS[node.op];
  if (data.length === 1 && factor !== undefined && (op === 'mul' || (op === 'div' && !isFirst))) {
    return op === 'mul' ? factor : 1 / factor;
  }
  throw nodeError(node, 'changes scores of steps by steps; supported: times a number, Softmax, then MatMul by values');
}

function floats({ node }: NodeContext, rows: Rows): Rows {
  if (rows.scores) throw nodeError(node, 'reads scores of steps by steps; supported: Softmax, MatMul, a factor');
  if (rows.dtype === 'float32') return rows;
  throw nodeError(node, "reads whole numbers; supported: floats computed from the model's inputs");
}

function withConstant(context: NodeContext, given: Rows, constant: Constant, isFirst: boolean): Rows {
  const { graph, node } = context;
  const { builder } = graph;
  const rows = padAxes(given, constant.base.length);
  const name = layerName(context);
  const op = OPS[node.op]!;
  const placed = (result: Rows, key = 'constant') => {
    graph.place(constant, `${(result.columns[0]?.ref ?? '').split(':')[0] ?? ''}/${key}`);
    return result;
  };
  if (width(rows) === 1 && constant.base.some((size) => size > 1)) {
    // One number a row, repeated along the features of the constant.
    const pad = rows.axes.length - constant.base.length;
    const axes = rows.axes.map((axis, i) => {
      const size = constant.base[i - pad] ?? 1;
      return size > 1 && isFeature(axis) ? [feature(size)] : axis;
    });
    const wide = columnValues(context, { ...rows, axes }, constant);
    return { ...placed(builder.mergeConstant(rows, name, op, wide, isFirst)), axes };
  }
  const values = columnValues(context, rows, constant);
  const affine = (scale: Float32Array | undefined, shift: Float32Array | undefined) =>
    placed(builder.affine(rows, name, scale, shift), shift ? 'bias' : 'kernel');
  if (op === 'sum') return affine(undefined, values);
  if (op === 'mul') return affine(values, undefined);
  const minus = (numbers: Float32Array) => numbers.map((v) => -v);
  if (op === 'sub')
    return isFirst
      ? affine(
          values.map(() => -1),
          values,
        )
      : affine(undefined, minus(values));
  if (op === 'div' && !isFirst)
    return affine(
      values.map((v) => 1 / v),
      undefined,
    );
  const [value = 0] = values;
  if (values.every((v) => v === value)) {
    const known = uniform(op, value, isFirst);
    if (known) return placed(builder.activation(rows, name, known));
  }
  return placed(builder.mergeConstant(rows, name, op, values, isFirst));
}

/** The function that an operation with one number is, where there is one. */
function uniform(op: Op, value: number, isFirst: boolean): Activation | undefined {
  if (op === 'max' && Number.isFinite(value)) return { name: 'clip', alpha: value };
  if (op === 'min' && Number.isFinite(value)) return { name: 'clip', beta: value };
  if (op === 'div' && value === 1) return 'reciprocal';
  if (op !== 'pow' || isFirst) return undefined;
  const powers: Record<number, Activation> = { 0.5: 'sqrt', 1: 'linear', 2: 'square', [-1]: 'reciprocal' };
  return powers[value];
}

function combine(context: NodeContext, first: Rows, second: Rows): Rows {
  const { graph, node } = context;
  const rank = Math.max(first.axes.length, second.axes.length);
  const [x, y] = oneKind(context, padAxes(first, rank), padAxes(second, rank));
  const isOne = (axis: Rows['axes'][number]) => isFeature(axis) && featureSize(axis) === 1;
  const axes = x.axes.map((a, i) => {
    const b = y.axes[i]!;
    if (alike(a, b) || isOne(b)) return a;
    return isOne(a) ? b : undefined;
  });
  const turned = x.kind === y.kind && x.reversed !== y.reversed;
  const isWhole = (rows: Rows) => rows.axes.flat().some(({ role }) => role === 'batch');
  if (turned || axes.includes(undefined) || isWhole(x) !== isWhole(y)) {
    throw nodeError(
      node,
      `combines ${axesText(x.axes)} with ${axesText(y.axes)}${turned ? ' of reversed time' : ''}; supported: values of one shape, ` +
        'vectors with steps, and what is repeated along features',
    );
  }
  const known = axes as Rows['axes'];
  const both = [x, y].map((rows) => repeated(context, rows, known)) as [Rows, Rows];
  const result = graph.builder.merge(both, layerName(context), OPS[node.op]!);
  return { ...result, axes: known, reversed: (x.kind === 'sequence' ? x : y).reversed };
}

/** Whether two axes are of the same steps, sequences or number of features, whatever else of size 1 is in them. */
function alike(a: readonly Factor[], b: readonly Factor[]): boolean {
  const others = (axis: readonly Factor[]) => axis.filter(({ role, size }) => role !== 'feature' || size !== 1);
  return (
    (isFeature(a) && isFeature(b) && featureSize(a) === featureSize(b)) ||
    axesText([others(a)]) === axesText([others(b)])
  );
}

/** A sequence of one step beside steps or vectors is a vector. */
function oneKind(context: NodeContext, x: Rows, y: Rows): [Rows, Rows] {
  const onTime = ({ axes }: Rows) => axes.flat().some(({ role }) => role === 'time');
  if (onTime(x) !== onTime(y)) {
    const vector = (rows: Rows): Rows =>
      rows.kind === 'vector' || onTime(rows)
        ? rows
        : { ...rows, kind: 'vector', columns: context.graph.builder.steps.step(rows, 0), exclusive: false };
    return [vector(x), vector(y)];
  }
  return sameKind(context, [x, y]) as [Rows, Rows];
}

/** Features repeated along axes that have 1 of them; a row of one number stays so. */
function repeated({ graph }: NodeContext, rows: Rows, axes: Rows['axes']): Rows {
  if (width(rows) === 1) return rows;
  const sizes = axes.map(featureSize);
  const picks = rows.axes.map((axis, i) =>
    featureSize(axis) === sizes[i] ? undefined : Array.from({ length: sizes[i]! }, () => 0),
  );
  if (picks.every((pick) => pick === undefined)) return rows;
  const order = axes.map((_, i) => i);
  return { ...rows, axes, columns: selectColumns(rows, picks, order, graph.budget), exclusive: false };
}

const pair: Operator = (context) => {
  if (context.opset < 7 && context.attributes.has('broadcast'))
    throw nodeError(context.node, "attribute 'broadcast' is not supported");
  return [binary(context, requireInput(context, 0), requireInput(context, 1))];
};

/** From the first input to the last. */
const any: Operator = (context) => {
  const { node, inputs, graph } = context;
  const [first, ...others] = inputs.map((_, i) => requireInput(context, i));
  if (!first) throw nodeError(node, 'has no inputs', 'invalid_file');
  const all = others.reduce((x, y) => binary(context, x, y), first);
  if (node.op !== 'Mean' || others.length === 0) return [all];
  if (all.type === 'constant') throw nodeError(node, 'is supported for computed values only');
  return [
    graph.builder.affine(all, layerName(context), new Float32Array(width(all)).fill(1 / inputs.length), undefined),
  ];
};

const prelu: Operator = (context) => {
  const { builder } = context.graph;
  const slope = requireConstant(context, 1, 'the slope');
  const rows = padAxes(floatRows(context, 0), slope.base.length);
  const values = columnValues(context, rows, slope);
  const [alpha = 0] = values;
  const name = layerName(context);
  if (values.every((v) => v === alpha)) return [builder.activation(rows, name, { name: 'leaky_relu', alpha })];
  const result = builder.mergeConstant(rows, name, 'prelu', values, false);
  context.graph.place(slope, `${result.columns[0]?.ref ?? ''}/constant`);
  return [result];
};

export const ELEMENTWISE_OPERATORS: Record<string, Operator> = {
  Add: pair,
  Sub: pair,
  Mul: pair,
  Div: pair,
  Pow: pair,
  Min: any,
  Max: any,
  Sum: any,
  Mean: any,
  PRelu: prelu,
};
