import type { ReduceFeaturesSpec } from '../../../spec/spec.ts';
import { Attributes, nodeError } from '../attributes.ts';
import { axisIndex, numbersOf, plainIntegers, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { StepLayers } from '../step-layers.ts';
import { axesText, feature, featureSize, role, selectColumns, width, type Rows } from '../value.ts';
import { softmaxOfScores, sumOfGrid } from './attention.ts';
import { floatRows, layerName } from './columns.ts';
import { combine, type BinaryOp } from './combine.ts';
import { CONSTANT_REDUCTIONS } from './constant.ts';
import { argMaxSteps, logSoftmaxSteps, OVER_TIME, reduceSteps } from './over-time.ts';
import { pickRows } from './parts.ts';
import { stepsEqual } from './masks.ts';
import { stepNumbers } from './step-numbers.ts';
import { holdWhole, maskOf } from './whole.ts';

/** Operators over the features of each row: functions of rows, reductions, ids. */

/** Demands that these axes are features, and all those of the row. */
function wholeRow(context: NodeContext, rows: Rows, taken: readonly boolean[]): void {
  const { graph, node } = context;
  const size = rows.axes.reduce((n, axis, i) => (taken[i] ? n * featureSize(axis) : n), 1);
  const demanded = taken.map((is) => (is ? ('feature' as const) : undefined));
  if (graph.demand(rows, demanded) && size === width(rows)) return;
  const axes = taken.flatMap((is, i) => (is ? [i] : []));
  throw nodeError(node, `takes axis ${axes.join(', ')} of ${axesText(rows.axes)}; supported: all features of a row`);
}

/** softmax and log_softmax. */
function ofRows(activation: 'softmax' | 'log_softmax'): Operator {
  return (context) => {
    const { attributes, graph, opset } = context;
    const input = requireInput(context, 0);
    const isWeighed = input.type === 'rows' && input.scores && activation === 'softmax';
    const rows = isWeighed ? input : floatRows(context, 0);
    const axis = axisIndex(context, attributes.int('axis') ?? (opset >= 13 ? -1 : 1), rows.axes.length);
    // Before opset 13 axes behind this one are of the same row.
    const alone = opset >= 13 || rows.axes.slice(axis + 1).every((other) => role(other) === 'one');
    if (alone && rows.scores) return [softmaxOfScores(context, rows, rows.scores, axis)];
    if (rows.scores) floatRows(context, 0);
    if (alone && role(rows.axes[axis]!) === 'time') {
      if (activation === 'softmax') return [graph.builder.steps.softmax(rows, layerName(context))];
      return [logSoftmaxSteps(context, rows, axis)];
    }
    const part = alone ? inParts(context, rows, axis, { type: 'activation', activation }) : undefined;
    if (part) return [part];
    // before opset 13 the axes from this one on are one row
    const taken = rows.axes.map((_, i) => i === axis || (opset < 13 && i > axis));
    wholeRow(context, rows, taken);
    return [graph.builder.activation(rows, layerName(context), activation)];
  };
}

/** A layer along one axis of features where there are others: undefined for the only one, or what is no axis of features. */
function inParts(
  context: NodeContext,
  rows: Rows,
  axis: number,
  layer: Parameters<StepLayers['inParts']>[3],
): Rows | undefined {
  const { builder, budget } = context.graph;
  const size = featureSize(rows.axes[axis]!);
  const parts = width(rows) / size;
  // an axis of an input may yet turn out to be another's
  const isInput = rows.axes[axis]!.some(({ origin }) => origin);
  if (role(rows.axes[axis]!) !== 'feature' || parts === 1 || isInput || rows.scores) return undefined;
  const others = rows.axes.flatMap((_, i) => (i === axis ? [] : [i]));
  const moved = { ...rows, columns: selectColumns(rows, [], [...others, axis], budget), exclusive: false };
  const columns = builder.steps.inParts(moved, layerName(context), parts, layer);
  const isSame = layer.type === 'activation';
  const made = [...others.map((i) => rows.axes[i]!), isSame ? rows.axes[axis]! : []];
  // back in the order of the axes
  const back = rows.axes.map((_, i) => (i === axis ? others.length : others.indexOf(i)));
  const result = { ...rows, axes: made, columns, exclusive: false };
  return { ...result, axes: back.map((i) => made[i]!), columns: selectColumns(result, [], back, budget) };
}

/** What comes before and after the sum or the like. */
interface Reduction {
  reduce: ReduceFeaturesSpec['reduce'];
  before?: 'abs' | 'square';
  after?: 'log';
}

const REDUCTIONS: Record<string, Reduction> = {
  ReduceSum: { reduce: 'sum' },
  ReduceMean: { reduce: 'mean' },
  ReduceProd: { reduce: 'prod' },
  ReduceMax: { reduce: 'max' },
  ReduceMin: { reduce: 'min' },
  ReduceL1: { reduce: 'sum', before: 'abs' },
  ReduceL2: { reduce: 'l2' },
  ReduceSumSquare: { reduce: 'sum', before: 'square' },
  ReduceLogSum: { reduce: 'sum', after: 'log' },
};

/** A reduction of computed values over all features of a row; of constants as `constants` has it. */
function reduction(constants: Operator | undefined): Operator {
  return (context) => {
    const { attributes, graph, node } = context;
    const input = requireInput(context, 0);
    if (input.type === 'constant') {
      if (constants) return constants(context);
      throw nodeError(node, `${node.op} is supported for computed values only`);
    }
    const rows = input.scores?.additive ? input : floatRows(context, 0);
    const axes = axesOf(context);
    const keep = (attributes.int('keepdims') ?? 1) !== 0;
    if (attributes.int('noop_with_empty_axes') && axes.length === 0) return [rows];
    const indices = axes.map((axis) => axisIndex(context, axis, rows.axes.length));
    const [axis] = indices;
    if (rows.scores) {
      const isLast = node.op === 'ReduceSum' && indices.length === 1 && axis === rows.axes.length - 1;
      const sum = isLast ? sumOfGrid(rows, keep) : undefined;
      if (sum) return [sum];
      throw nodeError(node, 'reduces scores of steps by steps; supported: the sum over features of tanh');
    }
    if (rows.whole && !['ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd'].includes(node.op))
      throw nodeError(node, 'is supported for floats only, it reads whole numbers');
    const isCount = ['ReduceSum', 'ReduceMax'].includes(node.op) && maskOf(context, rows) !== undefined;
    const counted = (result: Rows) => {
      if (isCount) graph.builder.whole.set(result.columns[0]!.ref, 'count');
      return result;
    };
    const overSteps = OVER_TIME[node.op];
    const taken = rows.axes.map((_, i) => axes.length === 0 || indices.includes(i));
    // axes of size 1 beside the steps, as adaptive pools are exported, change nothing
    const [wide, ...more] = indices.filter((i) => role(rows.axes[i]!) !== 'one');
    if (overSteps && wide !== undefined && more.length === 0 && role(rows.axes[wide]!) === 'time') {
      const reduced = reduceSteps(context, rows, wide, overSteps, true);
      return [counted({ ...reduced, axes: reducedAxes(reduced, taken, keep) })];
    }
    const time = indices.find((i) => role(rows.axes[i]!) === 'time');
    const { reduce, before, after } = REDUCTIONS[node.op]!;
    if (overSteps && time !== undefined && more.length > 0) {
      // of each step first
      wholeRow(context, rows, taken.map((is, i) => is && i !== time)); // prettier-ignore
      const ofSteps = graph.builder.reduceFeatures(rows, `${layerName(context)}_of_steps`, reduce);
      const alone = { ...ofSteps, axes: rows.axes.map((axis, i) => (taken[i] && i !== time ? [] : axis)) };
      const reduced = reduceSteps(context, alone, time, overSteps, true);
      return [{ ...reduced, axes: reducedAxes(reduced, taken, keep) }];
    }
    const other = rows.axes.find((axis, i) => taken[i] && ['time', 'batch', 'mixed'].includes(role(axis)));
    if (other && rows.axes.flat().every(({ origin }) => !origin))
      throw nodeError(node, `reduces the ${role(other)} axis of ${axesText(rows.axes)}; supported: features`);
    const part = partOfRow(context, rows, indices);
    if (part) return [{ ...part, axes: reducedAxes(rows, taken, keep) }];
    const name = layerName(context);
    const [only] = indices.length === 1 ? indices : [];
    if (only !== undefined && !before && !after) {
      const made = inParts(context, rows, only, { type: 'reduceFeatures', reduce });
      if (made) return [{ ...made, axes: reducedAxes(made, taken, keep) }];
    }
    const prepared = before ? graph.builder.activation(rows, `${name}_${before}`, before) : rows;
    if (wide === undefined && indices.length > 0 && width(rows) > 1) {
      // of one entry each, beside features: the state of a single layer
      const own = reduce === 'l2' ? 'abs' : after;
      const same = own ? graph.builder.activation(prepared, `${name}_${own}`, own) : prepared;
      return [{ ...same, axes: reducedAxes(rows, taken, keep) }];
    }
    wholeRow(context, rows, taken);
    const result = counted(graph.builder.reduceFeatures(prepared, name, reduce));
    const done = after ? graph.builder.activation(result, `${name}_${after}`, after) : result;
    return [{ ...done, axes: reducedAxes(rows, taken, keep) }];
  };
}

const PARTS: Record<string, BinaryOp> = { ReduceSum: 'sum', ReduceMean: 'sum', ReduceMax: 'max', ReduceMin: 'min' };

/** More entries of an axis are not taken one by one. */
const MOST_PARTS = 256;

/** One axis of several that are features: its entries, one after the other. undefined for a whole row, or what has no such form. */
function partOfRow(context: NodeContext, rows: Rows, indices: readonly number[]): Rows | undefined {
  const { builder } = context.graph;
  const [axis, ...others] = indices;
  const op = PARTS[context.node.op];
  if (axis === undefined || others.length > 0 || !op || role(rows.axes[axis]!) !== 'feature') return undefined;
  const count = featureSize(rows.axes[axis]!);
  if (count === width(rows) || count > MOST_PARTS) return undefined;
  const name = layerName(context);
  const entries = Array.from({ length: count }, (_, i) => pickRows(context, rows, axis, [i]));
  const all = entries.reduce((x, y) => builder.merge([x, y], name, op));
  return context.node.op === 'ReduceMean' ? builder.affine(all, `${name}_mean`, 1 / count) : all;
}

/** The axes that a reduction names. */
function axesOf(context: NodeContext): readonly number[] {
  const { attributes, inputs, node, opset } = context;
  const given = opset >= (node.op === 'ReduceSum' ? 13 : 18) ? inputs[1] : undefined;
  return (given ? plainIntegers(context, given, 'axes') : attributes.ints('axes')) ?? [];
}

function reducedAxes({ axes }: Rows, taken: readonly boolean[], keep: boolean): Rows['axes'] {
  return keep ? axes.map((axis, i) => (taken[i] ? [] : axis)) : axes.filter((_, i) => !taken[i]);
}

/** log(sum exp x) = max x + log(sum exp(x - max x)). */
const logSumExp: Operator = (context) => {
  const { attributes, graph, node } = context;
  const rows = floatRows(context, 0);
  const name = layerName(context);
  const keep = (attributes.int('keepdims') ?? 1) !== 0;
  const given = node.attributes.filter((one) => one.name !== 'keepdims');
  const reduce = (x: Rows, op: string): Rows => {
    const own = { ...node, op, name: `${name}_${op}`, attributes: [...given, { name: 'keepdims', type: 2, i: 1 }] };
    const inputs = [x, ...context.inputs.slice(1)];
    return reduction(undefined)({ ...context, node: own, inputs, attributes: new Attributes(own) })[0] as Rows;
  };
  const axes = axesOf(context);
  const indices = axes.map((axis) => axisIndex(context, axis, rows.axes.length));
  attributes.int('noop_with_empty_axes');
  const most = reduce(rows, 'ReduceMax');
  // a reduction of no axes
  if (most === rows) return [rows];
  const powers = graph.builder.activation(combine(context, rows, most, 'sub'), `${name}_powers`, 'exp');
  const sum = graph.builder.activation(reduce(powers, 'ReduceSum'), `${name}_log`, 'log');
  const result = combine(context, sum, most, 'sum');
  const taken = rows.axes.map((_, i) => axes.length === 0 || indices.includes(i));
  return [keep ? result : { ...result, axes: reducedAxes(result, taken, false) }];
};

const argMax: Operator = (context) => {
  const { attributes, graph } = context;
  const rows = floatRows(context, 0);
  const axis = axisIndex(context, attributes.int('axis') ?? 0, rows.axes.length);
  const keep = (attributes.int('keepdims') ?? 1) !== 0;
  const last = attributes.int('select_last_index') === 1;
  const taken = rows.axes.map((_, i) => i === axis);
  if (role(rows.axes[axis]!) === 'time') {
    const step = argMaxSteps(context, rows, axis, last);
    return [{ ...step, axes: reducedAxes(step, taken, keep) }];
  }
  wholeRow(context, rows, taken);
  const ids = graph.builder.argmax(rows, layerName(context), last);
  return [{ ...ids, axes: reducedAxes(rows, taken, keep) }];
};

/** A one at the step of each sequence that a whole number says: as many places as there are steps. */
function oneHotOfSteps(context: NodeContext, ids: Rows): Rows | undefined {
  const { attributes, inputs, node } = context;
  const [, depth, values] = inputs;
  const [steps] = depth?.type === 'constant' && depth.data.length === 1 ? Array.from(depth.data) : [];
  if (steps === undefined || typeof steps === 'number' || steps.t === 0) return undefined;
  const axis = axisIndex(context, attributes.int('axis') ?? -1, ids.axes.length + 1);
  const [off, on] = values?.type === 'constant' ? Array.from(values.data) : [];
  if (off !== 0 || on !== 1 || axis !== ids.axes.length || !holdWhole(context, ids))
    throw nodeError(node, 'has as many places as there are steps; supported: ones of whole numbers, at the end');
  return stepsEqual(context, stepNumbers(context, steps), { ...ids, axes: [...ids.axes, []] });
}

const oneHot: Operator = (context) => {
  const { attributes, graph, node } = context;
  const ids = requireInput(context, 0);
  const ofSteps = ids.type === 'rows' ? oneHotOfSteps(context, ids) : undefined;
  if (ofSteps) return [ofSteps];
  if (ids.type === 'rows' && graph.builder.areCast(ids)) graph.demandIds(ids);
  if (ids.type !== 'rows' || ids.dtype !== 'int32' || width(ids) !== 1) {
    throw nodeError(node, 'reads something else than one id a row');
  }
  const number = (index: number, what: string) =>
    Array.from(numbersOf(context, requireConstant(context, index, what), what).data);
  const [depth] = number(1, 'the depth');
  const [off, on] = number(2, 'the values') as [number, number];
  if (depth === undefined || !Number.isInteger(depth) || depth < 1)
    throw nodeError(node, `its depth is ${depth}`, 'invalid_file');
  const rank = ids.axes.length + 1;
  const axis = axisIndex(context, attributes.int('axis') ?? -1, rank);
  const axes = [...ids.axes.slice(0, axis), [feature(depth)], ...ids.axes.slice(axis)];
  graph.conventions.add(
    `ids of ${node.op} node '${layerName(context)}' are 0 to ${depth - 1}: any other is refused in a run`,
  );
  const hot = graph.builder.oneHot({ ...ids, axes }, layerName(context), depth);
  if (off === 0 && on === 1) return [hot];
  return [
    graph.builder.activation(hot, `${layerName(context)}_values`, { name: 'affine', alpha: on - off, beta: off }),
  ];
};

export const ROW_OPERATORS: Record<string, Operator> = {
  Softmax: ofRows('softmax'),
  LogSoftmax: ofRows('log_softmax'),
  ...Object.fromEntries(Object.keys(REDUCTIONS).map((op) => [op, reduction(CONSTANT_REDUCTIONS[op])])),
  ReduceLogSumExp: logSumExp,
  ArgMax: argMax,
  OneHot: oneHot,
};
