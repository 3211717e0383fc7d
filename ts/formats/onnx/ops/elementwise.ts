import type { Activation } from '../../../spec/spec.ts';
import { powerFunction } from '../../powers.ts';
import { nodeError } from '../attributes.ts';
import { numbersOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { feature, isFeature, width, type Constant, type Rows } from '../value.ts';
import { joinParts, lowered, numbersOfScores, partOf, penalize, scaleScores, weighGrid } from './attention.ts';
import { columnValues, floatRows, layerName, padAxes } from './columns.ts';
import { combine, type BinaryOp } from './combine.ts';
import { foldBinary, modulo } from './constant.ts';
import { timesBatch } from './order.ts';
import { countedSteps } from './step-numbers.ts';
import { constantOfSteps } from './step-table.ts';
import { asFloats, inTurn, truncated } from './whole.ts';

/** Operators on two values or more, element by element, with broadcasting. */

/** By operator. */
const OPS: Record<string, BinaryOp> = {
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

/** Of two values, of which one or both may be constants; quotients of whole numbers are such. */
function binary(context: NodeContext, x: Rows | Constant, y: Rows | Constant): Rows | Constant {
  const result = quotientOrOther(context, x, y);
  return result.type === 'rows' && result.whole && context.node.op === 'Div' ? truncated(context, result) : result;
}

function quotientOrOther(context: NodeContext, x: Rows | Constant, y: Rows | Constant): Rows | Constant {
  if (x.type === 'constant' && y.type === 'constant') return foldBinary(context, x, y);
  if (x.type === 'rows' && y.type === 'rows' && x.scores?.part && y.scores?.part && OPS[context.node.op] === 'sum')
    return joinParts(context, x, y);
  if (x.type === 'rows' && y.type === 'rows' && (x.scores !== undefined) !== (y.scores !== undefined)) {
    const [op, [scores, other]] = [OPS[context.node.op], x.scores ? [x, y] : [y, x]];
    const part = op === 'mul' ? partOf(context, scores, other) : undefined;
    if (part) return part;
    const penalized =
      op === 'sum' || (op === 'sub' && scores === x) ? penalize(context, scores, other, op === 'sub') : undefined;
    if (penalized) return penalized;
  }
  if (x.type === 'rows' && y.type === 'rows')
    return combine(context, floats(context, x), floats(context, y), OPS[context.node.op]!);
  const isFirst = x.type === 'constant';
  const constant = (isFirst ? x : y) as Constant;
  const value = (isFirst ? y : x) as Rows;
  const counted = value.scores ? undefined : countedSteps(context, constant, value);
  if (counted) {
    const both: [Rows, Rows] = isFirst ? [counted, floats(context, value)] : [floats(context, value), counted];
    return combine(context, ...both, OPS[context.node.op]!);
  }
  if (value.scores?.additive && value.scores.additive.form !== 'score') return withFactors(context, value, constant);
  const shift = value.scores && ['Sub', 'Add'].includes(context.node.op) && !isFirst ? constant.data[0] : undefined;
  const low = typeof shift === 'number' && constant.data.length === 1 ? lowered(value, context.node.op === 'Sub' ? -shift : shift) : undefined; // prettier-ignore
  if (low) return low;
  if (value.scores) return scaleScores(context, value, value.scores, factorOf(context, constant, isFirst));
  return withConstant(context, floats(context, (isFirst ? y : x) as Rows), constant, isFirst);
}

/** Features of additive scores times a constant: one number for all, or one each. */
function withFactors(context: NodeContext, rows: Rows, constant: Constant): Rows {
  const { scores } = rows;
  const size = width(scores!.x);
  const { data } = numbersOf(context, { ...constant, shape: constant.base }, 'the factors');
  const factors = Float32Array.from({ length: size }, (_, i) => data[data.length === 1 ? 0 : i]!);
  const fits = data.length === 1 || (data.length === size && constant.base.at(-1) === size);
  const result = OPS[context.node.op] === 'mul' && fits ? weighGrid(rows, factors) : undefined;
  if (result) return result;
  throw nodeError(context.node, 'changes sums of steps by steps; supported: Tanh, a factor each feature, their sum');
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

function floats(context: NodeContext, rows: Rows): Rows {
  const numbers = rows.scores && numbersOfScores(context.graph.builder, rows, layerName(context));
  if (numbers) return numbers;
  if (rows.scores)
    throw nodeError(context.node, 'reads scores of steps by steps; supported: Softmax, MatMul, a factor');
  return asFloats(context, rows);
}

function withConstant(context: NodeContext, given: Rows, constant: Constant, isFirst: boolean): Rows {
  const { graph, node } = context;
  const { builder } = graph;
  const rows = padAxes(given, constant.base.length);
  const name = layerName(context);
  const op = OPS[node.op]!;
  const ofSteps = constantOfSteps(context, rows, constant);
  if (ofSteps) return isFirst ? combine(context, ofSteps, rows, op) : combine(context, rows, ofSteps, op);
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
  if (op === 'div' && !isFirst && rows.whole && values.includes(0))
    throw nodeError(node, 'divides whole numbers by 0', 'invalid_file');
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
  if (op === 'div' && !isFirst && !rows.whole)
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
function uniform(op: BinaryOp, value: number, isFirst: boolean): Activation | undefined {
  if (op === 'max' && Number.isFinite(value)) return { name: 'clip', alpha: value };
  if (op === 'min' && Number.isFinite(value)) return { name: 'clip', beta: value };
  if (op === 'div' && value === 1) return 'reciprocal';
  if (op !== 'pow' || isFirst) return undefined;
  return powerFunction(value);
}

const pair: Operator = (context) => {
  if (context.opset < 7 && context.attributes.has('broadcast'))
    throw nodeError(context.node, "attribute 'broadcast' is not supported");
  const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
  const order = context.node.op === 'Mul' ? timesBatch(context, x, y) : undefined;
  return [order ?? binary(context, x, y)];
};

/** From the first input to the last. */
const any: Operator = (context) => {
  const { node, inputs, graph } = context;
  const [first, ...others] = inputs.map((_, i) => requireInput(context, i));
  if (!first) throw nodeError(node, 'has no inputs', 'invalid_file');
  const all = others.reduce((x, y) => binary(context, x, y), first);
  if (node.op !== 'Mean' || others.length === 0) return [all];
  if (all.type === 'constant') throw nodeError(node, 'is supported for computed values only');
  return [graph.builder.affine(all, layerName(context), 1 / inputs.length)];
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

/** Of whole numbers by one: x - d floor(x / d), which has the sign of d. */
const mod: Operator = (context) => {
  const [x, y] = [requireInput(context, 0), requireInput(context, 1)];
  if (x.type === 'constant' && y.type === 'constant') return [modulo(context)[0]];
  const divisor = y.type === 'constant' && y.data.length === 1 ? y.data[0] : undefined;
  const numbers = x.type === 'rows' ? floats(context, x) : undefined;
  if (!numbers?.whole || typeof divisor !== 'number' || divisor === 0 || context.attributes.int('fmod'))
    throw nodeError(context.node, 'is supported for whole numbers and one number that is not 0');
  const name = layerName(context);
  const by = new Float32Array(width(numbers)).fill(divisor);
  const quotient = context.graph.builder.mergeConstant(numbers, `${name}_quotient`, 'div', by, false);
  const taken = inTurn(context, quotient, `${name}_whole`, ['floor', { name: 'affine', alpha: divisor, beta: 0 }]);
  return [context.graph.builder.merge([numbers, taken], name, 'sub')];
};

export const ELEMENTWISE_OPERATORS: Record<string, Operator> = {
  Add: pair,
  Sub: pair,
  Mul: pair,
  Div: pair,
  Pow: pair,
  Mod: mod,
  Min: any,
  Max: any,
  Sum: any,
  Mean: any,
  PRelu: prelu,
};
