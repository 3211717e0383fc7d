import { nodeError } from '../attributes.ts';
import {
  axisIndex,
  castTo,
  elements,
  fullData,
  integers,
  makeConstant,
  plainIntegers,
  requireInput,
  shapeOf,
} from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { regroup } from '../regroup.ts';
import { isNotZero } from './masks.ts';
import { asFloats, holdWhole, truncated } from './whole.ts';
import { flattenSteps, repeatSteps, stepsAsFeatures } from './over-time.ts';
import { layerName } from './columns.ts';
import { divideSizes, equalSizes, shapeText, type Size } from '../size.ts';
import { dtypeClass, dtypeName } from '../tensor.ts';
import {
  axisSize,
  checkParts,
  feature,
  featureSize,
  isFeature,
  role,
  selectColumns,
  width,
  type Constant,
  type Rows,
} from '../value.ts';
import { pickRows } from './parts.ts';

/** Operators that move axes about or change nothing. */

const transpose: Operator = (context) => {
  const input = requireInput(context, 0);
  const rank = shapeOf(input).length;
  const perm = context.attributes.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return [permuted(context, input, perm)];
};

/** The axes in another order. */
export function permuted(context: NodeContext, input: Rows | Constant, perm: readonly number[]): Rows | Constant {
  const { length: rank } = shapeOf(input);
  if (perm.length !== rank || new Set(perm).size !== rank || perm.some((axis) => axis < 0 || axis >= rank)) {
    throw nodeError(
      context.node,
      `attribute 'perm' [${perm.slice(0, 20).join(', ')}] does not fit ${rank} dimensions`,
      'invalid_file',
    );
  }
  if (input.type === 'rows') {
    const columns = selectColumns(input, [], [...perm], context.graph.budget);
    return { ...input, axes: perm.map((axis) => input.axes[axis]!), columns, exclusive: false };
  }
  const base = perm.map((axis) => input.base[axis]!);
  const strides = input.base.map((_, axis) => elements(input.base.slice(axis + 1)));
  const count = elements(base);
  context.graph.budget.spend(8 * count);
  const isFloat = input.data instanceof Float32Array;
  const data: { [i: number]: Size; length: number } = isFloat ? new Float32Array(count) : new Array<Size>(count);
  for (let i = 0; i < count; i++) {
    let from = 0;
    let rest = i;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const size = base[axis]!;
      from += (rest % size) * strides[perm[axis]!]!;
      rest = Math.floor(rest / size);
    }
    data[i] = input.data[from]!;
  }
  return { ...input, base, shape: perm.map((axis) => input.shape[axis]!), data };
}

/** A constant in another shape. */
function reshapeConstant(context: NodeContext, input: Constant, target: Size[]): Constant {
  const { budget } = context.graph;
  const single = elements(input.base) === 1;
  const open = target.indexOf(-1);
  if (single && target.every((d) => d !== -1)) return { ...input, base: target.map(() => 1), shape: target };
  const { shape, data } = fullData(context, input);
  const given = target.map((size) => {
    if (typeof size === 'number') return size;
    throw nodeError(context.node, `the shape ${shapeText(target)} of a constant depends on the batch or the steps`);
  });
  const rest = elements(given.filter((size) => size !== -1));
  const base = given.map((size, i) => (i === open ? elements(shape) / rest : size));
  if (elements(base) !== elements(shape) || base.some((size) => !Number.isInteger(size) || size < 0)) {
    throw nodeError(context.node, `cannot reshape ${shapeText(input.shape)} to ${shapeText(target)}`, 'invalid_file');
  }
  budget.spend(64);
  return { ...input, base, shape: base, data };
}

function reshapeTo(context: NodeContext, input: Rows | Constant, target: Size[]): Rows | Constant {
  if (input.type === 'constant') {
    const isFree = input.data.length > 1 && [...input.shape, ...target].some((size) => typeof size !== 'number');
    const rows = isFree ? context.graph.forAll(input, layerName(context)) : undefined;
    return rows ? reshapeTo(context, rows, target) : reshapeConstant(context, input, target);
  }
  const axes = regroup(input.axes, target, context.graph.baked);
  if (!axes) {
    const folded = foldSteps(context, input, target);
    if (folded) return folded;
    const flat = context.graph.flattensSteps() ? stepsAsFeatures(context, input) : undefined;
    if (flat) return reshapeTo(context, flat, target);
    throw nodeError(
      context.node,
      `cannot reshape ${shapeText(shapeOf(input))} to ${shapeText(target)}; supported: axes split and joined in their order`,
    );
  }
  return flattenSteps(context, { ...input, axes });
}

/** k steps after each other side by side, as pyramids of recurrent layers have it: a convolution that picks each. */
function foldSteps(context: NodeContext, rows: Rows, target: readonly Size[]): Rows | undefined {
  const { graph, node } = context;
  const at = rows.axes.length - 2;
  const [size, wanted, steps] = [width(rows), target.at(-1), target.at(-2)];
  const isLast = at >= 0 && role(rows.axes[at]!) === 'time' && featureSize(rows.axes[at + 1]!) === size;
  const k = Number(wanted) / size;
  if (!isLast || rows.dtype !== 'float32' || target.length !== rows.axes.length || !Number.isInteger(k) || k < 2)
    return undefined;
  const kernel = new Float32Array(k * size * k * size);
  graph.budget.spend(4 * kernel.length);
  for (let i = 0; i < k * size; i++) kernel[i * (k * size + 1)] = 1;
  const left = axisSize(rows.axes[at]!);
  const few = divideSizes(left, k);
  const fits = few !== undefined && (steps === -1 || equalSizes(steps!, few, graph.baked));
  const isLead = target
    .slice(0, -2)
    .every((d, i) => d === -1 || equalSizes(d, axisSize(rows.axes[i]!), graph.baked) === true);
  if (!fits || !isLead) return undefined;
  const spec = { inputSize: size, outputSize: k * size, kernelSize: k, stride: k, weights: { kernel } };
  graph.conventions.add(
    `${node.op} node '${node.name}' puts ${k} steps side by side: those that are no whole ${k} are left out`,
  );
  const axes = [...rows.axes.slice(0, -1), [feature(k * size)]];
  return {
    ...graph.builder.conv1d(graph.builder.steps.straight(rows), layerName(context), spec, axes),
    exclusive: false,
  };
}

const reshape: Operator = (context) => {
  const input = requireInput(context, 0);
  const before = shapeOf(input);
  const allowZero = context.opset >= 14 && context.attributes.int('allowzero') === 1;
  const target = integers(context, requireInput(context, 1), 'the shape').map((size, i) => {
    if (size !== 0 || allowZero) return size;
    const kept = before[i];
    if (kept === undefined) throw nodeError(context.node, 'the shape keeps an axis that is not there', 'invalid_file');
    return kept;
  });
  if (target.filter((size) => size === -1).length > 1)
    throw nodeError(context.node, 'the shape has -1 twice', 'invalid_file');
  return [reshapeTo(context, input, target)];
};

const flatten: Operator = (context) => {
  const input = requireInput(context, 0);
  const shape = shapeOf(input);
  const axis = context.attributes.int('axis') ?? 1;
  const at = axis < 0 ? axis + shape.length : axis;
  if (at < 0 || at > shape.length)
    throw nodeError(context.node, `axis ${axis} is outside of ${shape.length} dimensions`, 'invalid_file');
  if (input.type === 'rows') {
    const axes = [input.axes.slice(0, at).flat(), input.axes.slice(at).flat()];
    return [flattenSteps(context, { ...input, axes })];
  }
  const { shape: base } = fullData(context, input);
  return [reshapeConstant(context, input, [elements(base.slice(0, at)), elements(base.slice(at))])];
};

/** Axes as an attribute, from opset 13 on as an input. */
function axesOf(context: NodeContext): number[] | undefined {
  const given = context.inputs[1];
  if (context.opset < 13) return context.attributes.ints('axes');
  return given && plainIntegers(context, given, 'axes');
}

const squeeze: Operator = (context) => {
  const input = requireInput(context, 0);
  const shape = shapeOf(input);
  const { baked } = context.graph;
  const given = axesOf(context)?.map((axis) => axisIndex(context, axis, shape.length));
  const isOne = (axis: number) => equalSizes(shape[axis]!, 1, baked) === true;
  const drop = new Set(given ?? shape.flatMap((size, axis) => (size === 1 ? [axis] : [])));
  for (const axis of drop) {
    if (isOne(axis)) continue;
    const size = shapeText([shape[axis]!]);
    throw nodeError(context.node, `drops axis ${axis} of size ${size}: a size of 1 that the file does not fix`);
  }
  const keep = shape.flatMap((_, axis) => (drop.has(axis) ? [] : [axis]));
  if (input.type === 'rows') {
    const made = [...drop].some((axis) => input.axes[axis]!.some(({ steps }) => steps !== undefined));
    // the row of a sequence of one step: a run in which there are more is refused
    const rows = made ? stepsAsFeatures(context, input) : input;
    if (!rows) throw nodeError(context.node, 'drops the steps of what is no value of floats');
    return [{ ...rows, axes: keep.map((axis) => rows.axes[axis]!) }];
  }
  return [{ ...input, base: keep.map((axis) => input.base[axis]!), shape: keep.map((axis) => shape[axis]!) }];
};

const unsqueeze: Operator = (context) => {
  const input = requireInput(context, 0);
  const axes = axesOf(context);
  if (!axes) throw nodeError(context.node, 'axes are missing', 'invalid_file');
  const rank = shapeOf(input).length + axes.length;
  if (rank > 16) throw nodeError(context.node, `makes ${rank} dimensions`);
  const added = new Set(axes.map((axis) => axisIndex(context, axis, rank)));
  if (added.size !== axes.length) throw nodeError(context.node, 'axes repeat', 'invalid_file');
  const insert = <T>(list: readonly T[], one: T) => {
    const rest = [...list];
    return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? one : (rest.shift() as T)));
  };
  if (input.type === 'rows') return [{ ...input, axes: insert<Rows['axes'][number]>(input.axes, []) }];
  return [{ ...input, base: insert(input.base, 1), shape: insert<Size>(input.shape, 1) }];
};

const identity: Operator = (context) => [requireInput(context, 0)];

/** Not at inference. The mask output, if there is one, is not to be read. */
const dropout: Operator = (context) => {
  const { attributes, inputs, opset } = context;
  attributes.float('ratio');
  attributes.int('seed', true);
  attributes.int('is_test');
  const training = opset >= 12 ? inputs[2] : undefined;
  if (training && !(training.type === 'constant' && training.data[0] === 0)) {
    throw nodeError(context.node, "input 'training_mode' is not false");
  }
  return [requireInput(context, 0)];
};

const cast: Operator = (context) => {
  const input = requireInput(context, 0);
  const to = castTo(context);
  const dtype = dtypeClass(to);
  if (!dtype) throw nodeError(context.node, `attribute 'to': ${dtypeName(to)} is not supported`);
  if (input.type === 'rows') {
    if (input.scores) throw nodeError(context.node, 'casts scores of steps by steps');
    if (dtype === 'bool') return [isNotZero(context, input)];
    if (dtype === 'int') {
      if (input.dtype === 'int32') return [input];
      if (holdWhole(context, input)) return [{ ...input, whole: true }];
      const result = truncated(context, input);
      context.graph.builder.castInputs(input, result);
      return [result];
    }
    if (holdWhole(context, input)) {
      const floats = { ...asFloats(context, input) };
      delete floats.whole;
      return [floats];
    }
    if (to === 10 || to === 16) context.graph.conventions.add(`${dtypeName(to)} values are computed in float32`);
    return [input];
  }
  if (dtype === input.dtype) return [input];
  const { data } = input;
  const convert = (value: Size) => {
    if (typeof value !== 'number' || dtype === 'float') return value;
    return dtype === 'bool' ? Number(value !== 0) : Math.trunc(value);
  };
  context.graph.budget.spend(8 * data.length);
  return [{ ...makeConstant(context, dtype, input.base, Array.from(data, convert), input.source), shape: input.shape }];
};

const expand: Operator = (context) => {
  const input = requireInput(context, 0);
  const target = integers(context, requireInput(context, 1), 'the shape');
  const before = shapeOf(input);
  const { baked } = context.graph;
  const rank = Math.max(before.length, target.length);
  const pad = <T>(list: readonly T[], one: T) => [...Array<T>(rank - list.length).fill(one), ...list];
  const [from, to] = [pad<Size>(before, 1), pad<Size>(target, 1)];
  const shape = from.map((size, axis) => {
    const wanted = to[axis]!;
    if (wanted === 1 || equalSizes(size, wanted, baked)) return typeof wanted === 'number' ? size : wanted;
    if (size === 1) return wanted;
    throw nodeError(context.node, `cannot expand ${shapeText(before)} to ${shapeText(target)}`, 'invalid_file');
  });
  if (input.type === 'constant') return [{ ...input, base: pad(input.base, 1), shape }];
  const padded: Rows = { ...input, axes: pad<Rows['axes'][number]>(input.axes, []) };
  if (shape.some((size, axis) => equalSizes(size, from[axis]!, baked) !== true)) {
    const asFeatures = () => repeatFeatures(context, padded, from, shape);
    // indices are repeated for each feature, and so is one number a row along the last axis: a norm beside what it divides
    const isLast = from.every((size, axis) => axis === rank - 1 || equalSizes(size, shape[axis]!, baked) === true);
    const first = padded.whole === true || (isLast && width(padded) === 1) ? asFeatures() : undefined;
    const repeated = first ?? repeatSteps(context, padded, from, shape) ?? asFeatures();
    if (repeated) return [repeated];
    throw nodeError(
      context.node,
      `repeats a computed value (${shapeText(before)} to ${shapeText(shape)}); supported: constants`,
    );
  }
  return [padded];
};

/** One number along axes of features; undefined for what else is repeated. */
function repeatFeatures(context: NodeContext, rows: Rows, from: Size[], to: Size[]): Rows | undefined {
  const { graph } = context;
  const isSame = (i: number) => equalSizes(to[i]!, from[i]!, graph.baked) === true;
  const changed = to.flatMap((_, i) => (isSame(i) ? [] : [i]));
  const fits = changed.every((i) => from[i] === 1 && typeof to[i] === 'number' && isFeature(rows.axes[i]!));
  if (!fits || rows.scores) return undefined;
  return changed.reduce(
    (x, i) => pickRows(context, x, i, new Array<number>(checkParts(to[i] as number)).fill(0)),
    rows,
  );
}

const tile: Operator = (context) => {
  const input = requireInput(context, 0);
  const repeats = integers(context, requireInput(context, 1), 'repeats');
  if (repeats.every((n) => n === 1)) return [input];
  const shape = shapeOf(input);
  if (repeats.length !== shape.length)
    throw nodeError(context.node, `repeats ${shapeText(repeats)} do not fit ${shapeText(shape)}`, 'invalid_file');
  const alone = shape.every((size, i) => size === 1 || repeats[i] === 1);
  const wider = () => shape.map((size, i) => (size === 1 ? repeats[i]! : size));
  if (input.type === 'constant') {
    if (alone) return [{ ...input, shape: wider() }];
    throw nodeError(context.node, 'repeats a constant; supported: along axes of size 1');
  }
  // indices are repeated for each feature
  const asSteps = alone && !holdWhole(context, input);
  const repeated = asSteps ? repeatSteps(context, input, shape, wider()) : undefined;
  return [repeated ?? tileFeatures(context, input, repeats)];
};

/** Features again and again, in their order. */
function tileFeatures(context: NodeContext, input: Rows, repeats: readonly Size[]): Rows {
  return repeats.reduce<Rows>((rows, times, axis) => {
    if (times === 1) return rows;
    if (typeof times !== 'number' || times < 1 || !isFeature(rows.axes[axis]!))
      throw nodeError(
        context.node,
        `repeats ${shapeText(shapeOf(input))} ${shapeText(repeats)} times; supported: features`,
      );
    const size = featureSize(rows.axes[axis]!);
    return pickRows(
      context,
      rows,
      axis,
      Array.from({ length: checkParts(size * times) }, (_, i) => i % size),
    );
  }, input);
}

export const LAYOUT_OPERATORS: Record<string, Operator> = {
  Transpose: transpose,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Identity: identity,
  Dropout: dropout,
  Cast: cast,
  Expand: expand,
  Tile: tile,
};
