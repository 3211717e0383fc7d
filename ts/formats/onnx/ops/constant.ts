import { nodeError } from '../attributes.ts';
import {
  axisIndex,
  broadcastIndex,
  elementwise,
  elements,
  fullData,
  integers,
  makeConstant,
  numbersOf,
  plainIntegers,
  requireConstant,
  requireInput,
  shapeOf,
} from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import {
  addSizes,
  BATCH,
  bakedSize,
  divideSizes,
  equalSizes,
  exactQuotient,
  FREE,
  multiplySizes,
  type Baked,
  type Size,
} from '../size.ts';
import type { StepLayers } from '../step-layers.ts';
import { stepNumbers } from './step-numbers.ts';
import { readTensorData } from '../tensor.ts';
import type { Constant } from '../value.ts';

/** Operators that make constants, and those that take nothing but constants (the chains that compute shapes). */

const constant: Operator = (context) => {
  const { attributes, node } = context;
  const make = (dtype: 'float' | 'int', values: number[], scalar: boolean) =>
    makeConstant(context, dtype, scalar ? [] : [values.length], values, node.outputs[0] ?? '');
  const given = node.attributes.map(({ name }) => name);
  if (given.length !== 1) throw nodeError(node, `takes one value, got ${given.join(', ') || 'none'}`, 'invalid_file');
  const tensor = attributes.tensor('value');
  if (tensor) {
    const value = context.graph.tensorData({ ...tensor, name: node.outputs[0] ?? '' });
    return [value];
  }
  const float = attributes.float('value_float');
  if (float !== undefined) return [make('float', [float], true)];
  const floats = attributes.floats('value_floats');
  if (floats) return [make('float', floats, false)];
  const int = attributes.int('value_int', true);
  if (int !== undefined) return [make('int', [int], true)];
  const ints = attributes.ints('value_ints');
  if (ints) return [make('int', ints, false)];
  throw nodeError(
    node,
    `attribute '${given[0] ?? ''}' is not supported; supported: value, value_float(s), value_int(s)`,
  );
};

const constantOfShape: Operator = (context) => {
  const shape = integers(context, requireInput(context, 0), 'the shape');
  const tensor = context.attributes.tensor('value');
  const value: Constant = tensor ? readTensorData(tensor, new Map()) : makeConstant(context, 'float', [1], [0], '');
  if (elements(value.base) !== 1)
    throw nodeError(context.node, "attribute 'value' must hold one element", 'invalid_file');
  const base = shape.map((size) => (size === 0 ? 0 : 1));
  const data = elements(base) === 0 ? [] : [value.data[0]!];
  return [makeConstant(context, value.dtype, base, data, context.node.outputs[0] ?? '', shape)];
};

/** What Shape gives of these sizes. */
export function partOfShape(context: NodeContext, whole: readonly Size[]): Constant {
  const { attributes, opset } = context;
  const start = opset >= 15 ? (attributes.int('start') ?? 0) : 0;
  const end = opset >= 15 ? (attributes.int('end') ?? whole.length) : whole.length;
  const part = whole.slice(start, end);
  return makeConstant(context, 'int', [part.length], part, '');
}

const shape: Operator = (context) => [partOfShape(context, shapeOf(requireInput(context, 0)))];

const size: Operator = (context) => {
  const product = shapeOf(requireInput(context, 0)).reduce<Size | undefined>(
    (n, d) => (n === undefined ? n : multiplySizes(n, d)),
    1,
  );
  if (product === undefined) throw nodeError(context.node, 'the number of elements is not supported');
  return [makeConstant(context, 'int', [], [product], '')];
};

const range: Operator = (context) => {
  const bounds = [0, 1, 2].map((i) => requireConstant(context, i, 'its input').data);
  const [from, to, by] = bounds.map((data) => (data.length === 1 ? data[0] : undefined));
  if (from === 0 && by === 1 && to !== undefined && typeof to !== 'number')
    return [equalSizes(to, BATCH, FREE) ? { type: 'order', is: 'given' } : stepNumbers(context, to)];
  const count = typeof from === 'number' && by === 1 && to !== undefined && typeof to !== 'number' ? addSizes(to, -from) : undefined; // prettier-ignore
  if (count !== undefined && typeof count !== 'number' && count.b === 0)
    return [stepNumbers(context, count, Number(from))];
  const [start, limit, delta] = [0, 1, 2].map(
    (i) => numbersOf(context, requireConstant(context, i, 'its input'), 'its input').data[0]!,
  ) as [number, number, number];
  const entries = Math.max(Math.ceil((limit - start) / delta), 0);
  if (!Number.isFinite(entries)) throw nodeError(context.node, 'it has no end', 'invalid_file');
  context.graph.budget.spend(8 * entries);
  const { dtype } = requireConstant(context, 0, 'its input');
  const entry = exactly(context, dtype, (first, step, i) => (first as number) + (i as number) * (step as number));
  return [
    makeConstant(
      context,
      dtype,
      [entries],
      Array.from({ length: entries }, (_, i) => entry(start, delta, i)!),
      '',
    ),
  ];
};

/** Of constants. */
export function whereConstant(context: NodeContext): Constant {
  const [condition, x, y] = [0, 1, 2].map((i) => requireConstant(context, i, 'its input')) as [
    Constant,
    Constant,
    Constant,
  ];
  return elementwise(context, x.dtype, [condition, x, y], (c, a, b) => (c === 0 ? b : a));
}

/** (x - zero point) scale of stored whole numbers; scale and zero point are one, one an entry of `axis`, or one a block along it. */
const dequantizeLinear: Operator = (context) => {
  const { attributes, inputs, node, opset } = context;
  const x = requireConstant(context, 0, 'its input');
  const scale = requireConstant(context, 1, 'its scale');
  const zero = inputs[2] ? requireConstant(context, 2, 'its zero point') : undefined;
  const given = opset >= 13 ? (attributes.int('axis') ?? 1) : 1;
  const block = opset >= 21 ? (attributes.int('block_size') ?? 0) : 0;
  attributes.int('output_dtype');
  const rank = x.base.length;
  const axis = scale.data.length === 1 ? 0 : axisIndex(context, given, rank);
  const shape = scale.data.length === 1 ? [] : block > 0 ? x.base.map((size, i) => (i === axis ? Math.ceil(size / block) : size)) : [x.base[axis]!]; // prettier-ignore
  const fits = (constant: Constant) => constant.data.length === elements(shape);
  if (x.dtype !== 'int' || !fits(scale) || (zero && !fits(zero)) || block < 0)
    throw nodeError(node, 'its scale and zero point do not fit what it reads', 'invalid_file');
  const [step, offset] = [scale, zero].map((constant) => constant && numbersOf(context, constant, 'its input').data);
  const { data } = numbersOf(context, x, 'its input');
  const inner = elements(x.base.slice(axis + 1));
  const size = x.base[axis] ?? 1;
  const at = (i: number) => {
    if (shape.length === 0) return 0;
    const entry = Math.floor(i / inner) % size;
    if (block === 0) return entry;
    return (Math.floor(i / (inner * size)) * shape[axis]! + Math.floor(entry / block)) * inner + (i % inner);
  };
  context.graph.budget.spend(4 * data.length);
  const floats = Float32Array.from(data, (v, i) => (v - (offset?.[at(i)] ?? 0)) * step![at(i)]!);
  return [{ ...x, dtype: 'float', data: floats }];
};

/** Applies arithmetic; that of int64 is exact, so whole numbers that a double rounds are refused. */
function exactly(
  { node }: NodeContext,
  dtype: Constant['dtype'],
  apply: (...elements: Size[]) => Size | undefined,
): (...elements: Size[]) => Size | undefined {
  if (dtype !== 'int') return apply;
  const check = (size: Size) => {
    if (Number.isSafeInteger(size)) return;
    const parts = typeof size === 'number' ? [size] : [size.c, size.k];
    const rounded = parts.find((n) => !Number.isSafeInteger(n));
    if (rounded !== undefined) throw nodeError(node, `computes with ${rounded}: no whole number up to 2^53`);
  };
  return (...elements) => {
    elements.forEach(check);
    const result = apply(...elements);
    if (result !== undefined) check(result);
    return result;
  };
}

/** Arithmetic of two constants; undefined for operators that have none. */
export function foldBinary(context: NodeContext, x: Constant, y: Constant): Constant {
  const { op } = context.node;
  const isFloat = x.dtype === 'float';
  const compute = (a: Size, b: Size) => {
    if (typeof a === 'number' && typeof b === 'number') {
      if (op === 'Add' || op === 'Sum') return a + b;
      if (op === 'Sub') return a - b;
      if (op === 'Mul') return a * b;
      if (op === 'Min') return Math.min(a, b);
      if (op === 'Max') return Math.max(a, b);
      if (op === 'Pow') return a ** b;
      return isFloat ? a / b : divideSizes(a, b);
    }
    if (op === 'Add' || op === 'Sum') return addSizes(a, b);
    if (op === 'Sub') {
      const minus = multiplySizes(b, -1);
      return minus === undefined ? undefined : addSizes(a, minus);
    }
    if (op === 'Mul') return multiplySizes(a, b);
    if (op === 'Max' || op === 'Min') return bound(a, b, op === 'Max', context.graph.baked);
    return op === 'Div' ? divideSizes(a, b) : undefined;
  };
  return elementwise(context, x.dtype, [x, y], exactly(context, x.dtype, compute));
}

/** The greater or the lesser size, where it is known: of two that are equal, of one with 1, or of those that the file fixes. */
function bound(a: Size, b: Size, isMax: boolean, baked: Baked): Size | undefined {
  const [one, other] = a === 1 ? [a, b] : [b, a];
  if (equalSizes(a, b, baked) === true) return typeof a === 'number' ? b : a;
  if (one === 1) return isMax ? other : one;
  const [p, q] = [bakedSize(a, baked), bakedSize(b, baked)];
  return p === undefined || q === undefined ? undefined : p > q === isMax ? a : b;
}

/** Remainders of whole numbers from 0: torch's MultiheadAttention computes with such where it changes a shape. */
export const modulo: Operator = (context) => {
  const { attributes, node } = context;
  const [x, y] = [requireConstant(context, 0, 'its input'), requireConstant(context, 1, 'its input')];
  const isFloored = (attributes.int('fmod') ?? 0) === 0;
  if (x.dtype !== 'int') throw nodeError(node, 'is supported for whole numbers only');
  const compute = (a?: Size, b?: Size) => {
    // the last of so many steps, as torch.roll counts it
    if (a === -1 && typeof b === 'object' && isFloored) return addSizes(b, -1);
    return typeof a === 'number' && typeof b === 'number' && a >= 0 && b > 0 ? a % b : undefined;
  };
  return [elementwise(context, x.dtype, [x, y], exactly(context, x.dtype, compute))];
};

function comparison(decide: (a: Size, b: Size, context: NodeContext) => boolean | undefined): Operator {
  return (context) => {
    const [x, y] = [requireConstant(context, 0, 'its input'), requireConstant(context, 1, 'its input')];
    const compare = (a: Size, b: Size) => {
      const result = decide(a, b, context);
      return result === undefined ? undefined : Number(result);
    };
    return [elementwise(context, 'bool', [x, y], exactly(context, x.dtype, compare))];
  };
}

export const equalConstant = comparison((a, b, { graph }) => equalSizes(a, b, graph.baked));
export const lessConstant = comparison((a, b, context) => less(a, b, context));
export const greaterConstant = comparison((a, b, context) => less(b, a, context));
export const andConstant = comparison((a, b) => a !== 0 && b !== 0);
export const orConstant = comparison((a, b) => a !== 0 || b !== 0);
export const xorConstant = comparison((a, b) => (a !== 0) !== (b !== 0));
export const notConstant = unary((x) => Number(x === 0));

/** Less and Greater: with sizes that are free, and the steps that a value has, taken to be at least 1. */
function less(a: Size, b: Size, { graph }: NodeContext): boolean | undefined {
  const isSome = (size: Size) => typeof size !== 'number' && size.c > 0 && (size.k >= 0 || areMultiples(graph.builder.steps, size)); // prettier-ignore
  if (typeof a === 'number' && a <= 0 && isSome(b)) return true;
  if (typeof b === 'number' && b <= 0 && isSome(a)) return false;
  const [p, q] = [bakedSize(a, graph.baked), bakedSize(b, graph.baked)];
  return p === undefined || q === undefined ? undefined : p < q;
}

/** Repeated values are looked for so often. */
const MOST_TIMES = 64;

/** Whether it is a whole number of times the steps that a value has: those of one whose steps were repeated, too. */
function areMultiples(steps: StepLayers, size: Size): boolean {
  return Array.from({ length: MOST_TIMES }, (_, i) => exactQuotient(size, i + 1)).some(
    (part) => part !== undefined && steps.has(part),
  );
}

export function unary(apply: (x: number) => number): Operator {
  return (context) => {
    const x = requireConstant(context, 0, 'its input');
    const one = (a?: Size) => (typeof a === 'number' ? apply(a) : undefined);
    return [elementwise(context, x.dtype, [x], exactly(context, x.dtype, one))];
  };
}

/** How a reduction of constants computes: each element, two of them, and what they have come to. */
interface Folding {
  step: (a: Size, b: Size) => Size | undefined;
  before?: ((x: number) => number) | undefined;
  after?: ((sum: number, count: number) => number) | undefined;
}

/** Reductions of constants: shapes, and weights that are normalized when a model runs. */
function reduction({ step, before, after }: Folding): Operator {
  return (context) => {
    const { attributes, node, opset } = context;
    const input = requireConstant(context, 0, 'its input');
    const given = opset >= (node.op === 'ReduceSum' ? 13 : 18) ? context.inputs[1] : undefined;
    const axes = (given ? plainIntegers(context, given, 'axes') : attributes.ints('axes')) ?? [];
    const keep = attributes.int('keepdims') ?? 1;
    if (attributes.int('noop_with_empty_axes') && axes.length === 0) return [input];
    const { shape, data } = fullData(context, input);
    const indices = axes.map((axis) => axisIndex(context, axis, shape.length));
    const isTaken = shape.map((_, i) => axes.length === 0 || indices.includes(i));
    const base = shape.map((size, i) => (isTaken[i] ? 1 : size));
    context.graph.budget.spend(16 * (data.length + elements(base)));
    const place = broadcastIndex(base, shape);
    const results = new Array<Size | undefined>(elements(base)).fill(undefined);
    const unknown = () =>
      nodeError(node, 'its result depends on the batch or the steps in a way that is not supported');
    const number = (size: Size): number => {
      if (typeof size === 'number') return size;
      throw unknown();
    };
    const next = exactly(context, input.dtype, step);
    for (let i = 0; i < data.length; i++) {
      const [at, value] = [place(i), before ? before(number(data[i]!)) : data[i]!];
      const sum = results[at];
      const result = sum === undefined ? value : next(sum, value);
      if (result === undefined) throw unknown();
      results[at] = result;
    }
    const count = data.length / results.length;
    const all = results.map((sum) => {
      if (sum === undefined) throw unknown();
      return after ? after(number(sum), count) : sum;
    });
    return [makeConstant(context, input.dtype, keep ? base : base.filter((_, i) => !isTaken[i]), all, input.source)];
  };
}

const plain = (apply: (a: number, b: number) => number) => (a: Size, b: Size) =>
  typeof a === 'number' && typeof b === 'number' ? apply(a, b) : undefined;

export const CONSTANT_OPERATORS: Record<string, Operator> = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: shape,
  Size: size,
  Range: range,
  DequantizeLinear: dequantizeLinear,
};

const sumOf = (before?: Folding['before'], after?: Folding['after']): Operator =>
  reduction({ step: addSizes, before, after });

/** Reductions that constants go through too. */
export const CONSTANT_REDUCTIONS: Record<string, Operator> = {
  ReduceProd: reduction({ step: multiplySizes }),
  ReduceSum: sumOf(),
  ReduceMax: reduction({ step: plain(Math.max) }),
  ReduceMin: reduction({ step: plain(Math.min) }),
  ReduceMean: sumOf(undefined, (sum, count) => sum / count),
  ReduceL1: sumOf(Math.abs),
  ReduceL2: sumOf((x) => x * x, Math.sqrt),
  ReduceSumSquare: sumOf((x) => x * x),
  ReduceLogSum: sumOf(undefined, Math.log),
};
