import { isRecord, product } from '../../../base/tensor.ts';
import type { Fields } from '../fields.ts';
import type { Call, Resolved } from './call.ts';
import { shown } from '../shown.ts';

/** A number for each feature or, with `steps`, for each feature of each step: (steps, size). */
export interface Table {
  steps: number | undefined;
  values: Float64Array;
}

/** An array of the config or of the file. */
interface Numbers {
  shape: readonly number[];
  values: ArrayLike<number>;
}

/** An array where a tensor might be. */
export interface Constants extends Numbers {
  is: 'constants';
}

/** What holds numbers alone: one, lists of them, or an array of NumPy or TensorFlow as Keras writes it. */
function arrayOf(given: unknown): { shape: number[]; values: number[] } | undefined {
  const shape: number[] = [];
  const values: number[] = [];
  const visit = (value: unknown, depth: number): boolean => {
    let one = value;
    if (isRecord(one) && 'constant' in one) one = one['constant'];
    if (isRecord(one) && isRecord(one['config'])) one = one['config']['value'];
    if (!Array.isArray(one)) return depth === shape.length && typeof one === 'number' && values.push(one) > 0;
    if (values.length === 0 && depth === shape.length) shape.push(one.length);
    return one.length === shape[depth] && one.every((item) => visit(item, depth + 1));
  };
  return visit(given, 0) && values.length > 0 && values.length === product(shape) ? { shape, values } : undefined;
}

/** A number, or an array of any shape; undefined where there is none. */
export function readNumbers(fields: Fields, name: string): Numbers | undefined {
  const value = fields.take(name);
  if (value === undefined || value === null) return undefined;
  const array = arrayOf(value);
  if (!array?.values.every(Number.isFinite)) {
    throw fields.invalid(`${name} must be a number or an array, got ${shown(value)}`);
  }
  return array;
}

/** An argument that holds numbers alone. */
export function numbersOf(argument: Resolved): number | Constants | undefined {
  const array = arrayOf(argument);
  return array && array.shape.length < 2 && array.values.length === 1
    ? array.values[0]
    : array && { is: 'constants', ...array };
}

/**
 * Axes of a tensor of `rank` dimensions that a field names, from the first on.
 *
 * @throws GruError `unsupported` for the axis of the batch.
 */
export function readAxes(fields: Fields, rank: number, fallback: number): number[] {
  const value = fields.take('axis') ?? fallback;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const axes = list.map((axis) => {
    if (typeof axis !== 'number' || !Number.isInteger(axis) || axis < -rank || axis >= rank) {
      throw fields.invalid(`axis ${shown(value)} is not of a tensor of ${rank} dimensions`);
    }
    return axis < 0 ? axis + rank : axis;
  });
  if (axes.includes(0)) throw fields.unsupported('axis 0, the batch, is not supported; supported: steps and features');
  return [...new Set(axes)].sort((a, b) => a - b);
}

/**
 * An array as a table: its dimensions are those of the axes `axes` (the last of them where it has fewer) of a tensor of `rank`
 * dimensions, the last being the features.
 */
export function toTable(
  { fields, builder }: Pick<Call, 'fields' | 'builder'>,
  name: string,
  of: Numbers,
  axes: readonly number[],
  rank: number,
  size: number,
): Table {
  const { shape, values } = of;
  const along = (axis: number) => {
    const i = axes.indexOf(axis);
    return i < 0 ? 1 : (shape[shape.length - axes.length + i] ?? 1);
  };
  const steps = rank === 3 ? along(1) : 1;
  const features = along(rank - 1);
  if (product(shape) !== steps * features || (features !== 1 && features !== size)) {
    throw fields.invalid(`${name} has shape [${shape.join(', ')}], which does not fit ${size} features`);
  }
  if (features < size) builder.make(steps * size, fields.layer);
  const full = new Float64Array(steps * size);
  for (let i = 0; i < full.length; i++) full[i] = values[features === 1 ? Math.floor(i / size) : i]!;
  return { steps: steps === 1 ? undefined : steps, values: full };
}

/** `f` of each pair of entries; a table of steps where one of them is. */
export function combine(x: Table, y: Table, f: (x: number, y: number) => number): Table {
  const [long, other] = x.steps === undefined ? [y, x] : [x, y];
  const values = long.values.map((_, i) => f(x.values[i % x.values.length]!, y.values[i % y.values.length]!));
  return { steps: long.steps ?? other.steps, values };
}
