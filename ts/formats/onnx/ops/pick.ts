import { nodeError } from '../attributes.ts';
import {
  axisIndex,
  elements,
  fullData,
  integers,
  makeConstant,
  numbersOf,
  plainIntegers,
  requireInput,
  shapeOf,
} from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { bakedSize, equalSizes, shapeText, sizeText, type Size } from '../size.ts';
import {
  axesText,
  feature,
  featureSize,
  isFeature,
  joinColumns,
  role,
  selectColumns,
  takeColumns,
  width,
  type Constant,
  type Factor,
  type Rows,
} from '../value.ts';

/** Operators that take parts of tensors, and put them side by side. */

/** Entries of one axis, in order. */
function pickConstant(context: NodeContext, input: Constant, axis: number, entries: number[]): Constant {
  if (input.base[axis] === 1 && entries.every((i) => i === 0)) {
    return {
      ...input,
      shape: input.shape.map((size, i) => (i === axis ? entries.length : size)),
      ...(entries.length === 0 ? { base: input.base.map((d, i) => (i === axis ? 0 : d)), data: [] } : {}),
    };
  }
  const inner = elements(input.base.slice(axis + 1));
  const outer = elements(input.base.slice(0, axis));
  const size = input.base[axis] as number;
  const count = outer * entries.length * inner;
  context.graph.budget.spend(8 * count);
  const data: Size[] | Float32Array =
    input.data instanceof Float32Array ? new Float32Array(count) : new Array<Size>(count);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const entry of entries) {
      for (let i = 0; i < inner; i++) data[at++] = input.data[(o * size + entry) * inner + i] as Size;
    }
  }
  const replace = <T>(list: readonly T[]) => list.map((d, i) => (i === axis ? entries.length : d));
  return { ...input, base: replace(input.base) as number[], shape: replace<Size>(input.shape), data };
}

function pickRows(rows: Rows, axis: number, entries: number[]): Rows {
  const picks: number[][] = [];
  picks[axis] = entries;
  const columns = selectColumns(
    rows,
    picks,
    rows.axes.map((_, i) => i),
  );
  return {
    ...rows,
    axes: rows.axes.map((a, i) => (i === axis ? [feature(entries.length)] : a)),
    columns,
    exclusive: false,
  };
}

/** One step of each sequence. */
function pickStep(context: NodeContext, rows: Rows, axis: number, index: 0 | -1): Rows {
  const { graph, node } = context;
  const at = rows.reversed ? ((-1 - index) as 0 | -1) : index;
  if (at === -1) graph.fromEnd ??= `${node.op} node '${node.name}'`;
  const columns = graph.builder.step(rows, at);
  return {
    ...rows,
    kind: 'vector',
    axes: rows.axes.map((a, i) => (i === axis ? [] : a)),
    columns,
    reversed: false,
    exclusive: false,
  };
}

/** Which step an index names: the first, the last, or none that is supported. */
function stepIndex(context: NodeContext, index: Size): 0 | -1 | undefined {
  const { time } = context.graph.baked;
  if (index === 0 || index === -1) return index;
  if (typeof index !== 'number')
    return index.c === 1 && index.t === 1 && index.b === 0 && index.k === -1 ? -1 : undefined;
  if (time !== undefined && index === time - 1) return -1;
  return time !== undefined && index === -time ? 0 : undefined;
}

const HUGE = 2 ** 31 - 1;

interface Range {
  axis: number;
  start: Size;
  end: Size;
  step: number;
}

function ranges(context: NodeContext, shape: readonly Size[]): Range[] {
  const { attributes, inputs, node, opset } = context;
  let [starts, ends, axes, steps]: (Size[] | undefined)[] = [];
  if (opset < 10) {
    [starts, ends, axes] = [attributes.ints('starts'), attributes.ints('ends'), attributes.ints('axes')];
  } else {
    const read = (i: number, what: string) => inputs[i] && integers(context, inputs[i], what);
    [starts, ends, axes, steps] = [read(1, 'starts'), read(2, 'ends'), read(3, 'axes'), read(4, 'steps')];
  }
  if (!starts || !ends) throw nodeError(node, 'starts or ends are missing', 'invalid_file');
  const count = starts.length;
  if ([ends, axes, steps].some((list) => list && list.length !== count) || count > shape.length) {
    throw nodeError(node, 'starts, ends, axes and steps do not fit each other', 'invalid_file');
  }
  return starts.map((start, i) => {
    const step = steps?.[i] ?? 1;
    if (typeof step !== 'number' || step === 0 || !Number.isInteger(step))
      throw nodeError(node, `step ${sizeText(step)} is not supported`);
    const axis = axisIndex(context, (axes?.[i] ?? i) as number, shape.length);
    return { axis, start, end: (ends as Size[])[i] as Size, step };
  });
}

/** The entries that a range takes of an axis of known size. */
function rangeEntries(context: NodeContext, { start, end, step }: Range, size: number): number[] {
  const number = (value: Size) => {
    if (typeof value === 'number') return value;
    throw nodeError(context.node, `a range up to ${sizeText(value)} of an axis of ${size} is not supported`);
  };
  const clamp = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + size : value, low), high);
  const entries: number[] = [];
  const from = step > 0 ? clamp(number(start), 0, size) : clamp(number(start), 0, size - 1);
  const to = step > 0 ? clamp(number(end), 0, size) : clamp(number(end), -1, size - 1);
  context.graph.budget.spend(8 * Math.max(Math.ceil((to - from) / step), 0));
  for (let i = from; step > 0 ? i < to : i > to; i += step) entries.push(i);
  return entries;
}

const slice: Operator = (context) => {
  const { graph, node } = context;
  let value = requireInput(context, 0);
  for (const range of ranges(context, shapeOf(value))) {
    const { axis, start, end, step } = range;
    const size = shapeOf(value)[axis] as Size;
    const isWhole =
      start === 0 && ((typeof end === 'number' && end >= HUGE) || equalSizes(end, size, graph.baked) === true);
    if (isWhole && step === 1) continue;
    if (value.type === 'constant') {
      const length = value.base[axis] === 1 ? size : value.base[axis];
      if (typeof length !== 'number') throw nodeError(node, `takes a part of an axis of size ${sizeText(size)}`);
      value = pickConstant(
        context,
        value,
        axis,
        value.base[axis] === 1
          ? rangeEntries(context, range, length).map(() => 0)
          : rangeEntries(context, range, length),
      );
      continue;
    }
    graph.preferFeature(value.axes[axis] as Factor[]);
    const axisRole = role(value.axes[axis] as Factor[]);
    if (axisRole === 'feature' || axisRole === 'one') {
      value = pickRows(value, axis, rangeEntries(context, range, featureSize(value.axes[axis] as Factor[])));
      if (width(value) === 0) throw nodeError(node, `leaves nothing of axis ${axis}`);
      continue;
    }
    if (axisRole === 'time') {
      const isReverse =
        step === -1 &&
        (start === -1 || (typeof start === 'number' && start >= HUGE)) &&
        typeof end === 'number' &&
        end <= -HUGE;
      if (isReverse) {
        value = reverse(context, value);
        continue;
      }
      const index = stepIndex(context, start);
      const last =
        step === 1 &&
        index === -1 &&
        ((typeof end === 'number' && end >= HUGE) ||
          equalSizes(end, size, graph.baked) === true ||
          end === graph.baked.time);
      const first =
        step === 1 && index === 0 && (end === 1 || (graph.baked.time !== undefined && end === 1 - graph.baked.time));
      if (first || last) {
        value = pickStep(context, value, axis, last ? -1 : 0);
        continue;
      }
    }
    throw nodeError(
      node,
      `takes ${sizeText(start)} to ${sizeText(end)} by ${step} of the ${axisRole} axis of ${axesText(value.axes)}; supported: features, the first step, the last step, all steps`,
    );
  }
  return [value];
};

function reverse(context: NodeContext, rows: Rows): Rows {
  context.graph.fromEnd ??= `${context.node.op} node '${context.node.name}'`;
  return { ...rows, reversed: !rows.reversed, exclusive: false };
}

/** Turns whole sequences round: the lengths are all of them. */
const reverseSequence: Operator = (context) => {
  const { attributes, graph, node } = context;
  const rows = requireInput(context, 0);
  const batchAxis = attributes.int('batch_axis') ?? 1;
  const timeAxis = attributes.int('time_axis') ?? 0;
  if (rows.type !== 'rows') throw nodeError(node, 'is supported for computed values');
  const roles: Factor['role'][] = [];
  roles[timeAxis] = 'time';
  roles[batchAxis] = 'batch';
  graph.demand(
    rows,
    rows.axes.map((_, axis) => roles[axis]),
  );
  const lengths = integers(context, requireInput(context, 1), 'sequence_lens');
  const time = shapeOf(rows)[timeAxis];
  const all = time !== undefined && lengths.every((n) => equalSizes(n, time, graph.baked) === true);
  if (!all || role(rows.axes[timeAxis] ?? []) !== 'time')
    throw nodeError(node, "input 'sequence_lens' is not the number of steps for all sequences");
  return [reverse(context, rows)];
};

const gather: Operator = (context) => {
  const { attributes, graph, node } = context;
  const data = requireInput(context, 0);
  const indices = requireInput(context, 1);
  const shape = shapeOf(data);
  const axis = axisIndex(context, attributes.int('axis') ?? 0, shape.length);
  if (indices.type === 'rows') {
    if (data.type !== 'constant') throw nodeError(node, 'picks by computed indices from a computed value');
    if (axis !== 0 || data.base.length !== 2)
      throw nodeError(
        node,
        `picks from a table ${shapeText(shape)} along axis ${axis}; supported: rows of a table (ids, features)`,
      );
    if (indices.dtype !== 'int32' || width(indices) !== 1)
      throw nodeError(node, `takes ids ${axesText(indices.axes)}; supported: one id a step or a sequence`);
    const { shape: table, data: floats } = numbersOf(context, data, 'the table');
    const [vocabulary, size] = table as [number, number];
    const columns = graph.builder.embedding(
      indices,
      node.name || (node.outputs[0] ?? ''),
      Float32Array.from(floats),
      vocabulary,
      size,
    );
    graph.place(data, `${columns[0]?.ref ?? ''}/embeddings`);
    return [{ ...indices, dtype: 'float32', axes: [...indices.axes, [feature(size)]], columns, exclusive: false }];
  }
  const { shape: indexShape, data: raw } = fullData(context, indices);
  if (data.type === 'constant') {
    const { shape: whole, data: all } = fullData(context, data);
    const size = whole[axis] as number;
    const entries = Array.from(raw, (i) => entryIndex(context, i, size));
    const picked = pickConstant(context, { ...data, base: whole, shape: whole, data: all }, axis, entries);
    const base = [...whole.slice(0, axis), ...indexShape, ...whole.slice(axis + 1)];
    return [{ ...picked, base, shape: base }];
  }
  if (indexShape.length > 1) throw nodeError(node, `indices have ${indexShape.length} dimensions; supported: 0 or 1`);
  graph.preferFeature(data.axes[axis] as Factor[]);
  const axisRole = role(data.axes[axis] as Factor[]);
  let picked: Rows;
  if (axisRole === 'feature' || axisRole === 'one') {
    const size = featureSize(data.axes[axis] as Factor[]);
    picked = pickRows(
      data,
      axis,
      Array.from(raw, (i) => entryIndex(context, i, size)),
    );
  } else {
    const index = raw.length === 1 && axisRole === 'time' ? stepIndex(context, raw[0] as Size) : undefined;
    if (index === undefined)
      throw nodeError(
        node,
        `picks ${shapeText(Array.from(raw).slice(0, 20))} of the ${axisRole} axis of ${axesText(data.axes)}; supported: features, the first step, the last step`,
      );
    picked = pickStep(context, data, axis, index);
  }
  return [indexShape.length === 0 ? { ...picked, axes: picked.axes.filter((_, i) => i !== axis) } : picked];
};

function entryIndex(context: NodeContext, index: Size, size: number): number {
  const entry = typeof index === 'number' ? index : bakedSize(index, context.graph.baked);
  if (entry === undefined || !Number.isInteger(entry) || entry < -size || entry >= size) {
    throw nodeError(context.node, `index ${sizeText(index)} is outside of an axis of ${size}`, 'invalid_file');
  }
  return entry < 0 ? entry + size : entry;
}

const split: Operator = (context) => {
  const { attributes, inputs, node, opset } = context;
  const input = requireInput(context, 0);
  const shape = shapeOf(input);
  const axis = axisIndex(context, attributes.int('axis') ?? 0, shape.length);
  const given = opset >= 13 ? inputs[1] && plainIntegers(context, inputs[1], 'split') : attributes.ints('split');
  const count = (opset >= 18 ? attributes.int('num_outputs') : undefined) ?? node.outputs.length;
  const isComputed = input.type === 'rows';
  if (isComputed) context.graph.preferFeature(input.axes[axis] as Factor[]);
  const axisRole = isComputed ? role(input.axes[axis] as Factor[]) : 'feature';
  const size = isComputed ? featureSize(input.axes[axis] as Factor[]) : shape[axis];
  if ((axisRole !== 'feature' && axisRole !== 'one') || typeof size !== 'number') {
    throw nodeError(node, `splits the ${axisRole} axis of ${shapeText(shape)}; supported: features`);
  }
  if (count !== node.outputs.length)
    throw nodeError(node, `has ${node.outputs.length} outputs, num_outputs is ${count}`, 'invalid_file');
  const each = Math.ceil(size / count);
  const sizes = given ?? Array.from({ length: count }, (_, i) => Math.min(each, size - i * each));
  if (
    sizes.length !== node.outputs.length ||
    sizes.some((n) => n < 1) ||
    elements([sizes.reduce((a, b) => a + b, 0)]) !== size
  ) {
    throw nodeError(node, `sizes ${shapeText(sizes.slice(0, 20))} do not fit an axis of ${size}`, 'invalid_file');
  }
  let start = 0;
  return sizes.map((length) => {
    context.graph.budget.spend(8 * length);
    const entries = Array.from({ length }, (_, i) => start + i);
    start += length;
    return isComputed
      ? pickRows(input, axis, entries)
      : pickConstant(context, input, axis, input.base[axis] === 1 ? entries.map(() => 0) : entries);
  });
};

const concat: Operator = (context) => {
  const { attributes, inputs, node } = context;
  const values = inputs.map((_, i) => requireInput(context, i));
  const rank = shapeOf(values[0] ?? requireInput(context, 0)).length;
  const axis = axisIndex(context, attributes.int('axis') ?? (context.opset < 4 ? 1 : 0), rank);
  if (values.some((value) => shapeOf(value).length !== rank))
    throw nodeError(node, 'its inputs have differing numbers of dimensions', 'invalid_file');
  if (values.length === 1) return [values[0]];
  if (values.every((value) => value.type === 'constant')) return [concatConstants(context, values, axis)];
  const rows = values.filter((value) => value.type === 'rows');
  if (rows.length < values.length) throw nodeError(node, 'puts a constant beside a computed value');
  return [concatRows(context, rows, axis)];
};

function concatConstants(context: NodeContext, values: Constant[], axis: number): Constant {
  const parts = values.map((value) => fullData(context, value));
  const [first] = parts as [(typeof parts)[number]];
  const size = parts.reduce((n, { shape }) => n + (shape[axis] as number), 0);
  if (parts.some(({ shape }) => shape.some((d, i) => i !== axis && d !== first.shape[i])))
    throw nodeError(context.node, 'its inputs do not fit each other', 'invalid_file');
  const base = first.shape.map((d, i) => (i === axis ? size : d));
  const inner = elements(base.slice(axis + 1));
  const count = elements(base);
  context.graph.budget.spend(8 * count);
  const isFloat = parts.every(({ data }) => data instanceof Float32Array);
  const data: Size[] | Float32Array = isFloat ? new Float32Array(count) : new Array<Size>(count);
  let at = 0;
  for (let o = 0; o < elements(base.slice(0, axis)); o++) {
    for (const part of parts) {
      const length = (part.shape[axis] as number) * inner;
      for (let i = 0; i < length; i++) data[at++] = part.data[o * length + i] as Size;
    }
  }
  const { dtype } = values[0] as Constant;
  return makeConstant(context, dtype, base, data, values.find(({ source }) => source !== '')?.source ?? '');
}

function concatRows(context: NodeContext, values: Rows[], axis: number): Rows {
  const { node } = context;
  const rows = sameKind(context, values);
  const [first] = rows as [Rows];
  const fits = rows.every(
    (value) =>
      isFeature(value.axes[axis] as Factor[]) &&
      value.dtype === first.dtype &&
      value.reversed === first.reversed &&
      value.axes.every((a, i) => i === axis || axesText([a]) === axesText([first.axes[i] as Factor[]])),
  );
  if (!fits)
    throw nodeError(
      node,
      `puts ${rows.map((value) => axesText(value.axes)).join(' and ')} side by side along axis ${axis}; supported: features of like values`,
    );
  const outer = first.axes.slice(0, axis).reduce((n, a) => n * featureSize(a), 1);
  context.graph.budget.spend(16 * outer * rows.length);
  if (outer > 4096) throw nodeError(node, `interleaves ${outer} parts`);
  const parts = Array.from({ length: outer }, (_, o) =>
    rows.map((value) => {
      const length = width(value) / outer;
      return takeColumns(value.columns, o * length, length);
    }),
  );
  const size = rows.reduce((n, value) => n + featureSize(value.axes[axis] as Factor[]), 0);
  return {
    ...first,
    axes: first.axes.map((a, i) => (i === axis ? [feature(size)] : a)),
    columns: joinColumns(parts.flat()),
    inputs: [...new Set(rows.flatMap((value) => value.inputs))],
    exclusive: false,
  };
}

/** Values of one kind: a sequence without a time axis (it is known to have one step) is read as a vector beside vectors. */
export function sameKind(context: NodeContext, values: Rows[]): Rows[] {
  if (values.every(({ kind }) => kind === values[0]?.kind)) return values;
  return values.map((value) => {
    if (value.kind === 'vector') return value;
    if (value.axes.flat().some((factor) => factor.role === 'time')) {
      throw nodeError(context.node, 'combines a value of steps with one of whole sequences');
    }
    return { ...value, kind: 'vector', columns: context.graph.builder.step(value, 0), exclusive: false };
  });
}

export const PICK_OPERATORS: Record<string, Operator> = {
  Slice: slice,
  Gather: gather,
  Split: split,
  Concat: concat,
  ReverseSequence: reverseSequence,
};
