import { nodeError } from './attributes.ts';
import type { NodeContext } from './context.ts';
import { axisSize, type Constant, type Rows, type Value } from './value.ts';
import { equalSizes, shapeText, type Baked, type Size } from './size.ts';

/** The parts of a node's context that reading constants takes. */
type Context = Pick<NodeContext, 'node' | 'graph'>;

export function elements(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

/** A constant made by a node; floats become float32 where all are known. */
export function makeConstant(
  { graph }: Context,
  dtype: Constant['dtype'],
  base: number[],
  data: ArrayLike<Size>,
  source: string,
  shape: Size[] = base,
): Constant {
  graph.budget.spend(8 * data.length + 64);
  const known = dtype === 'float' && Array.isArray(data) && data.every((v) => typeof v === 'number');
  return { type: 'constant', dtype, shape, base, data: known ? Float32Array.from(data) : data, source };
}

export function shapeOf(value: Rows | Constant): Size[] {
  return value.type === 'constant' ? value.shape : value.axes.map(axisSize);
}

/** Input `index`, which has to be there. */
export function requireInput({ node, inputs }: Pick<NodeContext, 'node' | 'inputs'>, index: number): Rows | Constant {
  const value = inputs[index];
  if (value?.type === 'rows' || value?.type === 'constant') return value;
  throw nodeError(node, `input ${index} is missing`, 'invalid_file');
}

export function requireConstant(context: Pick<NodeContext, 'node' | 'inputs'>, index: number, what: string): Constant {
  const value = requireInput(context, index);
  if (value.type === 'constant') return value;
  throw nodeError(
    context.node,
    `${what} (input ${index}, '${context.node.inputs[index] ?? ''}') is computed by the graph; supported: constants`,
  );
}

/** The elements of a constant, each of them: a broadcast one is copied out. */
export function fullData(context: Context, constant: Constant): { shape: number[]; data: ArrayLike<Size> } {
  const shape = constant.shape.map((size, axis) => {
    const known = typeof size === 'number' ? size : constant.base[axis] === 1 ? undefined : constant.base[axis];
    if (known === undefined)
      throw nodeError(
        context.node,
        `a constant of shape ${shapeText(constant.shape)} depends on the batch or the steps`,
      );
    return known;
  });
  if (shape.every((size, axis) => size === constant.base[axis])) return { shape, data: constant.data };
  const count = elements(shape);
  context.graph.budget.spend(8 * count);
  const index = broadcastIndex(constant.base, shape);
  return { shape, data: Array.from({ length: count }, (_, i) => constant.data[index(i)]!) };
}

/** All elements as plain numbers. */
export function numbersOf(
  context: Context,
  constant: Constant,
  what: string,
): { shape: number[]; data: ArrayLike<number> } {
  const { shape, data } = fullData(context, constant);
  if (data instanceof Float32Array || data instanceof Float64Array) return { shape, data };
  const list = Array.from(data);
  if (list.every((v) => typeof v === 'number')) return { shape, data: list };
  throw nodeError(context.node, `${what} depends on the batch or the steps`);
}

export function floatsOf(context: Context, constant: Constant, what: string): { shape: number[]; data: Float32Array } {
  if (constant.dtype !== 'float')
    throw nodeError(context.node, `${what} must hold floats, it holds ${constant.dtype}`, 'invalid_file');
  const { shape, data } = numbersOf(context, constant, what);
  return { shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** Whole numbers of a one-dimensional constant, or of a scalar. */
export function integers(context: Context, value: Value, what: string): Size[] {
  if (value.type !== 'constant')
    throw nodeError(context.node, `${what} is computed from the model's inputs; supported: constants and shapes`);
  if (value.base.length > 1)
    throw nodeError(context.node, `${what} has ${value.base.length} dimensions, expected 1`, 'invalid_file');
  const { data } = fullData(context, value);
  context.graph.budget.spend(8 * data.length);
  return Array.from(data);
}

/** Whole numbers that are plain or, where the file bakes them in, what they were at export. */
export function plainIntegers(context: Context, value: Value, what: string): number[] {
  return integers(context, value, what).map((size) => {
    if (typeof size === 'number' && Number.isInteger(size)) return size;
    throw nodeError(context.node, `${what} depends on the batch or the steps`);
  });
}

/** The type that a Cast casts to. How it rounds and saturates is of casts to 8 bits. */
export function castTo({ attributes }: Pick<NodeContext, 'attributes'>): number {
  attributes.int('saturate');
  attributes.text('round_mode');
  return attributes.int('to') ?? 0;
}

/** The axis that a node names, counted from the start. */
export function axisIndex({ node }: Pick<NodeContext, 'node'>, axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || index < 0 || index >= rank) {
    throw nodeError(node, `axis ${axis} is outside of a tensor of ${rank} dimensions`, 'invalid_file');
  }
  return index;
}

/** For a position in a tensor of shape `to`: the position in `from`, whose axes of size 1 are repeated. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): (position: number) => number {
  const pad = to.length - from.length;
  const strides = new Array<number>(to.length).fill(0);
  let stride = 1;
  for (let axis = from.length - 1; axis >= 0; axis--) {
    const size = from[axis]!;
    if (size !== 1) strides[axis + pad] = stride;
    stride *= size;
  }
  return (position) => {
    let index = 0;
    let rest = position;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const size = to[axis]!;
      index += (rest % size) * strides[axis]!;
      rest = Math.floor(rest / size);
    }
    return index;
  };
}

/** The size that two sizes of one axis make together. @throws GruError if they do not fit. */
export function broadcastSize(context: Context, x: Size, y: Size, baked: Baked): Size {
  if (x === 1) return y;
  if (y === 1) return x;
  if (equalSizes(x, y, baked)) return typeof x === 'number' ? y : x;
  throw nodeError(context.node, `sizes ${shapeText([x, y])} do not fit each other`, 'invalid_file');
}

/** Applies a function element by element, broadcasting. */
export function elementwise(
  context: Context,
  dtype: Constant['dtype'],
  values: Constant[],
  apply: (...elements: Size[]) => Size | undefined,
): Constant {
  const rank = values.reduce((most, { base }) => Math.max(most, base.length), 0);
  const pad = <T>(list: readonly T[], one: T) => [...Array<T>(rank - list.length).fill(one), ...list];
  const base = Array.from({ length: rank }, (_, axis) => {
    const sizes = values.map((v) => pad(v.base, 1)[axis]!).filter((size) => size !== 1);
    if (sizes.some((size) => size !== sizes[0]))
      throw nodeError(
        context.node,
        `shapes ${values.map((v) => shapeText(v.shape)).join(' and ')} do not fit each other`,
        'invalid_file',
      );
    return sizes[0] ?? 1;
  });
  const shape = values
    .map((v) => pad<Size>(v.shape, 1))
    .reduce((x, y) => x.map((size, axis) => broadcastSize(context, size, y[axis]!, context.graph.baked)));
  const count = elements(base);
  context.graph.budget.spend(16 * count + 64);
  const indices = values.map((v) => broadcastIndex(pad(v.base, 1), base));
  const data = Array.from({ length: count }, (_, i) => {
    const sizes = values.map((v, k) => v.data[(indices[k] as (i: number) => number)(i)]!);
    const value = apply(...sizes);
    if (value === undefined) {
      const { batch, time } = context.graph.baked;
      const isFree = sizes.some(
        (size) =>
          typeof size === 'object' && ((size.b > 0 && batch === undefined) || (size.t > 0 && time === undefined)),
      );
      const hint = isFree ? '; { onnx: { inputShapes } } says sizes that the file leaves free' : '';
      throw nodeError(
        context.node,
        `its result depends on the batch or the steps in a way that is not supported${hint}`,
      );
    }
    return value;
  });
  return makeConstant(context, dtype, base, data, values.find(({ source }) => source !== '')?.source ?? '', shape);
}
