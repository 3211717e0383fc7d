import { nodeError } from '../attributes.ts';
import {
  elementwise,
  elements,
  integers,
  makeConstant,
  numbersOf,
  requireConstant,
  requireInput,
  shapeOf,
} from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { addSizes, bakedSize, divideSizes, equalSizes, multiplySizes, type Size } from '../size.ts';
import { globalPool, overTime } from './over-time.ts';
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

const shape: Operator = (context) => {
  const { attributes, opset } = context;
  const whole = shapeOf(requireInput(context, 0));
  const start = opset >= 15 ? (attributes.int('start') ?? 0) : 0;
  const end = opset >= 15 ? (attributes.int('end') ?? whole.length) : whole.length;
  const part = whole.slice(start, end);
  return [makeConstant(context, 'int', [part.length], part, '')];
};

const size: Operator = (context) => {
  const product = shapeOf(requireInput(context, 0)).reduce<Size | undefined>(
    (n, d) => (n === undefined ? n : multiplySizes(n, d)),
    1,
  );
  if (product === undefined) throw nodeError(context.node, 'the number of elements is not supported');
  return [makeConstant(context, 'int', [], [product], '')];
};

const range: Operator = (context) => {
  const [start, limit, delta] = [0, 1, 2].map(
    (i) => numbersOf(context, requireConstant(context, i, 'its input'), 'its input').data[0]!,
  ) as [number, number, number];
  const count = Math.max(Math.ceil((limit - start) / delta), 0);
  if (!Number.isFinite(count)) throw nodeError(context.node, 'it has no end', 'invalid_file');
  context.graph.budget.spend(8 * count);
  const { dtype } = requireConstant(context, 0, 'its input');
  const entry = exactly(context, dtype, (first, step, i) => (first as number) + (i as number) * (step as number));
  return [
    makeConstant(
      context,
      dtype,
      [count],
      Array.from({ length: count }, (_, i) => entry(start, delta, i)!),
      '',
    ),
  ];
};

const where: Operator = (context) => {
  const [condition, x, y] = [0, 1, 2].map((i) => requireConstant(context, i, 'its input')) as [
    Constant,
    Constant,
    Constant,
  ];
  return [elementwise(context, x.dtype, [condition, x, y], (c, a, b) => (c === 0 ? b : a))];
};

/** Applies arithmetic; that of int64 is exact, so whole numbers that a double rounds are refused. */
function exactly(
  { node }: NodeContext,
  dtype: Constant['dtype'],
  apply: (...elements: Size[]) => Size | undefined,
): (...elements: Size[]) => Size | undefined {
  if (dtype !== 'int') return apply;
  const check = (size: Size) => {
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
      if (op === 'Add') return a + b;
      if (op === 'Sub') return a - b;
      if (op === 'Mul') return a * b;
      return isFloat ? a / b : divideSizes(a, b);
    }
    if (op === 'Add') return addSizes(a, b);
    if (op === 'Sub') {
      const minus = multiplySizes(b, -1);
      return minus === undefined ? undefined : addSizes(a, minus);
    }
    return op === 'Mul' ? multiplySizes(a, b) : divideSizes(a, b);
  };
  return elementwise(context, x.dtype, [x, y], exactly(context, x.dtype, compute));
}

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

/** Less and Greater: with sizes that are free taken to be at least 1. */
function less(a: Size, b: Size, { graph }: NodeContext): boolean | undefined {
  if (typeof a === 'number' && a <= 0 && typeof b !== 'number' && b.k >= 0 && b.c > 0) return true;
  if (typeof b === 'number' && b <= 0 && typeof a !== 'number' && a.k >= 0 && a.c > 0) return false;
  const [p, q] = [bakedSize(a, graph.baked), bakedSize(b, graph.baked)];
  return p === undefined || q === undefined ? undefined : p < q;
}

function unary(apply: (x: number) => number): Operator {
  return (context) => {
    const x = requireConstant(context, 0, 'its input');
    const one = (a?: Size) => (typeof a === 'number' ? apply(a) : undefined);
    return [elementwise(context, x.dtype, [x], exactly(context, x.dtype, one))];
  };
}

/** Reductions of constants, over all elements: shapes need no more. */
function reduction(combine: (a: Size, b: Size) => Size | undefined): Operator {
  return (context) => {
    const { attributes, node, opset } = context;
    const input = requireInput(context, 0);
    if (input.type !== 'constant') throw nodeError(node, `${node.op} is supported for constants only`);
    const given = opset >= (node.op === 'ReduceSum' ? 13 : 18) ? context.inputs[1] : undefined;
    const axes = given ? integers(context, given, 'axes') : attributes.ints('axes');
    const keep = attributes.int('keepdims') ?? 1;
    if (attributes.int('noop_with_empty_axes') && !axes?.length) return [input];
    if (input.base.length > 1 || (axes && axes.length > input.base.length))
      throw nodeError(node, 'reduces a constant of more than one dimension');
    const data = integers(context, input, 'its input');
    const step = exactly(context, input.dtype, combine);
    const result = data.slice(1).reduce<Size | undefined>((a, b) => (a === undefined ? a : step(a, b)), data[0]);
    if (result === undefined)
      throw nodeError(node, 'its result depends on the batch or the steps in a way that is not supported');
    return [makeConstant(context, input.dtype, keep ? input.base.map(() => 1) : [], [result], input.source)];
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
  Where: where,
  Equal: comparison((a, b, { graph }) => equalSizes(a, b, graph.baked)),
  Less: comparison(less),
  Greater: comparison((a, b, context) => less(b, a, context)),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Not: unary((x) => Number(x === 0)),
  Abs: unary(Math.abs),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  ReduceProd: reduction(multiplySizes),
  ReduceSum: overTime('sum', 13, reduction(addSizes)),
  ReduceMax: overTime('max', 18, reduction(plain(Math.max))),
  ReduceMin: overTime('min', 18, reduction(plain(Math.min))),
  ReduceMean: overTime('mean', 18),
  ReduceL2: overTime('l2', 18),
  GlobalAveragePool: globalPool('mean'),
  GlobalMaxPool: globalPool('max'),
};
