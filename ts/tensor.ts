import { GruError } from './errors.ts';

/** A result: numbers in row-major order, and how they are laid out. The caller owns it. */
export interface Tensor {
  data: Float32Array;
  shape: number[];
}

/** A tensor handed in: a Float32Array of features or states, or ids as an Int32Array, another typed array or numbers. */
export interface TensorLike {
  data: ArrayLike<number>;
  shape: readonly number[];
}

/** A dimension of a model's value: its size, or what it counts. */
export type Dimension = number | 'batch' | 'steps';

export function isTensorLike(value: unknown): value is TensorLike {
  return typeof value === 'object' && value !== null && 'data' in value && 'shape' in value;
}

/** A typed array or an array. */
export function isArrayLike(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** A record by name, as opposed to a tensor or an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !isArrayLike(value) && !isTensorLike(value);
}

/** What a value is, in words for an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `the string '${value.slice(0, 40)}'`;
  if (isArrayLike(value)) return `${Object.prototype.toString.call(value).slice(8, -1)} of length ${value.length}`;
  if (isTensorLike(value)) return `a tensor of ${describe(value.data)}`;
  if (typeof value === 'object') return `an object with ${Object.keys(value).join(', ') || 'nothing'}`;
  return `${value as number}`;
}

export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`;
}

export function product(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function zeros(shape: number[]): Tensor {
  return { data: new Float32Array(product(shape)), shape };
}

/**
 * Checks that a tensor's shape is one, and that its data fill it.
 *
 * @throws GruError `shape_mismatch` naming the tensor.
 */
export function checkShape(what: string, { data, shape }: TensorLike): void {
  if (!Array.isArray(shape) || !shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    const got = Array.isArray(shape) ? shapeText(shape) : describe(shape);
    throw new GruError('shape_mismatch', `${what}: shape must be an array of whole numbers, got ${got}`);
  }
  const expected = product(shape);
  if (data.length !== expected) {
    const text = shapeText(shape);
    throw new GruError('shape_mismatch', `${what}: shape ${text} takes ${expected} values, data has ${data.length}`);
  }
}

/** Checks for options that do not exist. @throws GruError `invalid_argument`. */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (!isRecord(options)) {
    throw new GruError('invalid_argument', `${where}: options must be an object, got ${describe(options)}`);
  }
  const stray = Object.keys(options).find((key) => !known.includes(key));
  if (stray !== undefined) {
    throw new GruError('invalid_argument', `${where}: unknown option '${stray}'; known: ${known.join(', ')}`);
  }
}
