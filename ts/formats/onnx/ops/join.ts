import { nodeError } from '../attributes.ts';
import {
  axisIndex,
  broadcastSize,
  elements,
  fullData,
  makeConstant,
  plainIntegers,
  requireInput,
  shapeOf,
} from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { equalSizes, shapeText, type Size } from '../size.ts';
import {
  axesText,
  axisSize,
  feature,
  featureSize,
  isFeature,
  joinColumns,
  role,
  sameAxis,
  columnTaker,
  width,
  type Constant,
  type Rows,
} from '../value.ts';
import { layerName } from './columns.ts';
import { padSteps } from './pad.ts';
import { allAsVectors, onStepsOfFirst, repeatedSteps, stepsAsFeatures } from './over-time.ts';
import { pickConstant, pickRows } from './parts.ts';

export const split: Operator = (context) => {
  const { attributes, inputs, node, opset } = context;
  const input = requireInput(context, 0);
  const shape = shapeOf(input);
  const axis = axisIndex(context, attributes.int('axis') ?? 0, shape.length);
  const given = opset >= 13 ? inputs[1] && plainIntegers(context, inputs[1], 'split') : attributes.ints('split');
  const count = (opset >= 18 ? attributes.int('num_outputs') : undefined) ?? node.outputs.length;
  const isComputed = input.type === 'rows';
  if (isComputed) context.graph.preferFeature(input.axes[axis]!);
  const axisRole = isComputed ? role(input.axes[axis]!) : 'feature';
  const size = isComputed ? featureSize(input.axes[axis]!) : shape[axis];
  if ((axisRole !== 'feature' && axisRole !== 'one') || typeof size !== 'number') {
    throw nodeError(node, `splits the ${axisRole} axis of ${shapeText(shape)}; supported: features`);
  }
  if (count !== node.outputs.length)
    throw nodeError(node, `has ${node.outputs.length} outputs, num_outputs is ${count}`, 'invalid_file');
  const each = Math.ceil(size / count);
  const sizes = given ?? Array.from({ length: count }, (_, i) => Math.min(each, size - i * each));
  if (
    sizes.length !== node.outputs.length ||
    sizes.some((n) => n < 0) ||
    elements([sizes.reduce((a, b) => a + b, 0)]) !== size
  ) {
    const parts = given ? `sizes ${shapeText(sizes.slice(0, 20))}` : `${count} parts`;
    throw nodeError(node, `${parts} do not fit an axis of ${size}`, 'invalid_file');
  }
  let start = 0;
  return sizes.map((length) => {
    // TensorFlow splits off a rest of nothing, which nothing reads
    if (length === 0) return undefined;
    context.graph.budget.spend(8 * length);
    const entries = Array.from({ length }, (_, i) => start + i);
    start += length;
    return isComputed
      ? pickRows(context, input, axis, entries)
      : pickConstant(context, input, axis, input.base[axis] === 1 ? entries.map(() => 0) : entries);
  });
};

export const concat: Operator = (context) => {
  const { attributes, inputs, node } = context;
  const values = inputs.map((_, i) => requireInput(context, i));
  const rank = shapeOf(values[0] ?? requireInput(context, 0)).length;
  const axis = axisIndex(context, attributes.int('axis') ?? (context.opset < 4 ? 1 : 0), rank);
  if (values.some((value) => shapeOf(value).length !== rank))
    throw nodeError(node, 'its inputs have differing numbers of dimensions', 'invalid_file');
  if (values.length === 1) return [values[0]];
  if (values.every((value) => value.type === 'constant')) return [concatConstants(context, values, axis)];
  const rows = values.filter((value) => value.type === 'rows');
  if (rows.length < values.length) {
    const padded = rows.length === 1 ? asPadding(context, values, rows[0]!, axis) : undefined;
    if (padded) return [padded];
    throw nodeError(
      node,
      'puts a constant beside a computed value; supported: before and behind the steps of one, a number that is the same in all of it',
    );
  }
  return [concatRows(context, rows, axis)];
};

/** Steps that all hold one number, before and behind those of a value: as an input is shifted by a step. */
function asPadding(
  context: NodeContext,
  values: readonly (Rows | Constant)[],
  rows: Rows,
  axis: number,
): Rows | undefined {
  const { graph } = context;
  const fill = new Set<Size>();
  const fits = values.every((value) => {
    if (value.type === 'rows') return true;
    for (const number of Array.from(value.data)) if (fill.add(number).size > 1) return false;
    return value.shape.every((size, i) =>
      i === axis ? typeof size === 'number' : equalSizes(size, shapeOf(rows)[i]!, graph.baked) === true,
    );
  });
  const [value] = fill;
  if (!fits || typeof value !== 'number') return undefined;
  const roles = rows.axes.map((_, i) => (i === axis ? ('time' as const) : undefined));
  if (!graph.demand(rows, roles) || role(rows.axes[axis]!) !== 'time') return undefined;
  const at = values.indexOf(rows);
  const steps = (list: typeof values) => list.reduce((n, one) => n + Number(shapeOf(one)[axis]), 0);
  return padSteps(context, rows, steps(values.slice(0, at)), steps(values.slice(at + 1)), {
    mode: 'constant',
    ...(value === 0 ? {} : { value }),
  });
}

function concatConstants(context: NodeContext, values: Constant[], axis: number): Constant {
  // axes that all of them repeat stay repeated: the batch or the steps of a zero state
  const isRepeated = (i: number) => i !== axis && values.every(({ base }) => base[i] === 1);
  const parts = values.map((value) =>
    fullData(context, { ...value, shape: value.shape.map((size, i) => (isRepeated(i) ? 1 : size)) }),
  );
  const [first] = parts as [(typeof parts)[number]];
  const size = parts.reduce((n, { shape }) => n + shape[axis]!, 0);
  if (parts.some(({ shape }) => shape.some((d, i) => i !== axis && d !== first.shape[i])))
    throw nodeError(context.node, 'its inputs do not fit each other', 'invalid_file');
  const base = first.shape.map((d, i) => (i === axis ? size : d));
  const inner = elements(base.slice(axis + 1));
  const count = elements(base);
  context.graph.budget.spend(8 * count);
  const isFloat = parts.every(({ data }) => data instanceof Float32Array);
  const data: Size[] | Float32Array = isFloat ? new Float32Array(count) : new Array<Size>(count);
  let at = 0;
  const outer = elements(base.slice(0, axis));
  // no elements: the other axes may be of any size
  for (let o = 0; o < outer && at < count; o++) {
    for (const part of parts) {
      const length = part.shape[axis]! * inner;
      for (let i = 0; i < length; i++) data[at++] = part.data[o * length + i]!;
    }
  }
  const { dtype } = values[0]!;
  const shape = base.map((size, i) =>
    isRepeated(i)
      ? values.reduce<Size>((n, value) => broadcastSize(context, n, value.shape[i]!, context.graph.baked), 1)
      : size,
  );
  return makeConstant(context, dtype, base, data, values.find(({ source }) => source !== '')?.source ?? '', shape);
}

function concatRows(context: NodeContext, values: Rows[], axis: number): Rows {
  const { graph, node } = context;
  const [start, behind, ...more] = values;
  const isStart = more.length === 0 && start?.kind === 'vector' && behind?.kind === 'sequence';
  if (isStart && role(start.axes[axis]!) === 'one' && role(behind.axes[axis]!) === 'time') {
    const joined = graph.builder.steps.afterFirst(start, behind, layerName(context));
    if (joined) return joined;
  }
  const joined = behindEachOther(context, values, axis);
  if (joined) return joined;
  const alike = sameKind(context, values);
  const isTurned = alike.some(({ reversed }) => reversed !== alike[0]!.reversed);
  const rows = isTurned ? alike.map((value) => graph.builder.steps.straight(value)) : alike;
  const [first] = rows as [Rows];
  const fits = rows.every(
    (value) =>
      isFeature(value.axes[axis]!) &&
      value.dtype === first.dtype &&
      value.reversed === first.reversed &&
      value.axes.every((a, i) => i === axis || sameAxis(a, first.axes[i]!)),
  );
  const known = fits ? undefined : alikeByFile(context, rows);
  if (known) return concatRows(context, known, axis);
  if (!fits)
    throw nodeError(
      node,
      `puts ${rows.map((value) => axesText(value.axes)).join(' and ')} side by side along axis ${axis}; supported: features of like values`,
    );
  const outer = first.axes.slice(0, axis).reduce((n, a) => n * featureSize(a), 1);
  context.graph.budget.spend(
    16 * outer * rows.length + 8 * rows.reduce((n, { columns, inputs }) => n + columns.length + inputs.length, 0),
  );
  if (outer > 4096) throw nodeError(node, `interleaves ${outer} parts`);
  const takers = rows.map((value) => ({ take: columnTaker(value.columns), length: width(value) / outer }));
  const parts = Array.from({ length: outer }, (_, o) => takers.map(({ take, length }) => take(o * length, length)));
  const size = rows.reduce((n, value) => n + featureSize(value.axes[axis]!), 0);
  return {
    ...first,
    axes: first.axes.map((a, i) => (i === axis ? [feature(size)] : a)),
    columns: joinColumns(parts.flat()),
    inputs: [...new Set(rows.flatMap((value) => value.inputs))],
    exclusive: false,
  };
}

/** More rows beside steps are not put there one by one. */
const MOST_BESIDE = 16;

/** Rows of whole sequences before and behind steps, along their axis; undefined where that is no axis of steps. */
function behindEachOther(context: NodeContext, given: readonly Rows[], axis: number): Rows | undefined {
  const { graph } = context;
  // steps of a fixed number are rows of the whole sequence
  const isFixed = ({ axes }: Rows) => role(axes[axis]!) === 'time' && typeof axisSize(axes[axis]!) === 'number';
  const values = given.map((value) => (isFixed(value) ? (stepsAsFeatures(context, value) ?? value) : value));
  const at = values.findIndex((value) => role(value.axes[axis]!) === 'time');
  const steps = values[at];
  const [others, before] = [values.filter((_, i) => i !== at), values.slice(0, at)];
  const isBeside = (value: Rows) =>
    value.kind === 'vector' &&
    value.dtype === 'float32' &&
    isFeature(value.axes[axis]!) &&
    value.axes.every((a, i) => i === axis || sameAxis(a, steps?.axes[i] ?? []));
  if (steps?.dtype !== 'float32') return undefined;
  if (others.every(isBeside)) {
    const count = others.reduce((n, value) => n + featureSize(value.axes[axis]!), 0);
    if (count > MOST_BESIDE) throw nodeError(context.node, `puts ${count} rows beside steps; at most ${MOST_BESIDE}`);
    const each = (value: Rows) =>
      Array.from({ length: featureSize(value.axes[axis]!) }, (_, i) => pickRows(context, value, axis, [i]));
    const [first, last] = [before.flatMap(each), values.slice(at + 1).flatMap(each)];
    const straight = graph.builder.steps.straight(steps);
    const behind = first.reduceRight((rows, row) => besideSteps(context, rows, row, true), straight);
    return last.reduce((rows, row) => besideSteps(context, rows, row, false), behind);
  }
  if (!graph.flattensSteps()) return undefined;
  const vectors = allAsVectors(context, values);
  return vectors && concatRows(context, vectors, axis);
}

/** A row of each sequence as a step before, or behind, those of a value: that step is 0, and the row is added where there is no step's number. */
function besideSteps(context: NodeContext, rows: Rows, row: Rows, isBefore: boolean): Rows {
  const { builder } = context.graph;
  const name = layerName(context);
  const before = Number(isBefore);
  const after = 1 - before;
  const padded = padSteps(context, rows, before, after, { mode: 'constant' });
  const numbered = padSteps(context, builder.steps.numbersWithin(rows, `${name}_numbers`), before, after, {
    mode: 'constant',
  });
  const isNew = builder.activation(builder.affine(numbered, `${name}_new`, -1, 1), `${name}_is_new`, 'relu');
  const added = builder.merge([{ ...isNew, exclusive: false }, row], `${name}_row`, 'mul');
  const sum = builder.merge([padded, added], name, 'sum');
  return { ...sum, axes: padded.axes, inputs: [...new Set([...rows.inputs, ...row.inputs])] };
}

/**
 * Values that are alike by what the file says of steps: of as many steps all, on the axis of the first, or none of them steps. undefined
 * where that is not so, or nothing is gained. Starts the reading anew where steps of which there is one are none.
 */
export function alikeByFile(context: NodeContext, values: readonly Rows[]): Rows[] | undefined {
  const { graph } = context;
  for (const value of values) graph.demandVector(value);
  const made = values.map((value) => repeatedSteps(context, value));
  if (made.some((rows) => rows !== undefined)) return made.map((rows, i) => rows ?? values[i]!);
  if (!graph.flattensSteps() || values.some(({ scores }) => scores)) return undefined;
  if (values.some(({ kind }) => kind === 'vector'))
    return values.some(({ kind }) => kind === 'sequence') ? allAsVectors(context, values) : undefined;
  return onStepsOfFirst(context, values);
}

/** Values of one kind: a sequence without a time axis (it is known to have one step) is read as a vector beside vectors. */
export function sameKind(context: NodeContext, values: Rows[]): Rows[] {
  if (values.every(({ kind }) => kind === values[0]?.kind)) return values;
  return values.map((value) => {
    if (value.kind === 'vector') return value;
    if (value.axes.flat().some((factor) => factor.role === 'time')) {
      context.graph.demandVector(value);
      throw nodeError(context.node, 'combines a value of steps with one of whole sequences');
    }
    return { ...value, kind: 'vector', columns: context.graph.builder.steps.step(value, 0), exclusive: false };
  });
}
