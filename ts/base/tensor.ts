import { GruError } from './errors.ts';
import { allocate } from './limits.ts';
import { kindOf, type Values } from './typed-array.ts';

/** A result: numbers in row-major order, and how they are laid out. The caller owns it. */
export interface Tensor<Data extends Values = Float32Array> {
  /** Row-major: the last dimension is the one whose values lie side by side. */
  data: Data;
  /** Dimensions, whose product is the length of `data`. */
  shape: number[];
}

/** Numbers as the caller has them: a Float32Array is taken as it is, everything else is converted to one. */
export type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** A tensor handed in: features, states or ids, as any typed array or an array of numbers. */
export interface TensorLike {
  /** Row-major. */
  data: Numbers;
  /** Dimensions, whose product is the length of `data`. */
  shape: readonly number[];
}

/** A dimension of a model's value: its size, or what it counts. */
export type Dimension = number | 'batch' | 'steps';

export function isTensorLike(value: unknown): value is TensorLike {
  return typeof value === 'object' && value !== null && !isRevoked(value) && 'data' in value && 'shape' in value;
}

/** A typed array or an array. */
export function isArrayLike(value: unknown): value is ArrayLike<number> {
  return kindOf(value) !== undefined || (!isRevoked(value) && Array.isArray(value));
}

/** A record by name, as opposed to a tensor, an array, or what holds no fields of its own: a Map, a Promise, a Date, ... */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || isRevoked(value) || isArrayLike(value)) return false;
  return !isTensorLike(value) && RECORDS.has(Object.prototype.toString.call(value));
}

const RECORDS = new Set(['[object Object]', '[object Module]']);

/** A revoked Proxy throws at every touch: it is taken for no kind of thing. */
export function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}

/** What a value is, in words for an error message. Of any value whatever: it never throws. */
export function describe(value: unknown): string {
  try {
    return inWords(value);
  } catch {
    return `an odd ${typeof value}`;
  }
}

function inWords(value: unknown, inside = false): string {
  if (typeof value === 'string') return `the string '${value.slice(0, 40)}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `the BigInt ${value.toString().slice(0, 40)}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (isArrayLike(value)) return `${kindOf(value) ?? 'Array'} of length ${value.length}`;
  if (isTensorLike(value)) return inside ? 'a tensor' : `a tensor of ${inWords(value.data, true)}`;
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === 'Promise') return 'a Promise (await it first)';
  const keys = Object.keys(value);
  if (keys.length === 0 && tag !== 'Object') return `an object of ${tag}`;
  return `an object with ${keys.slice(0, 8).join(', ') || 'nothing'}${keys.length > 8 ? ', ...' : ''}`;
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

/** A new tensor. @throws GruError `out_of_memory`. */
export function zeros(shape: number[]): Tensor;
export function zeros(shape: number[], dtype: 'float32' | 'int32'): Tensor<Values>;
export function zeros(shape: number[], dtype?: 'float32' | 'int32'): Tensor<Values> {
  const length = product(shape);
  const what = () => `a result of shape ${shapeText(shape)}`;
  const type = dtype === 'int32' ? Int32Array : Float32Array;
  return { data: allocate(length, what, () => new type(length)), shape };
}

/** A list that has not the names of all fields of T, or has others, does not compile; of an `unknown` any does. */
export type Names<T, List extends readonly string[]> = [keyof T] extends [never]
  ? List
  : [keyof T, List[number]] extends [List[number], keyof T]
    ? List
    : readonly Exclude<keyof T | List[number], keyof T & List[number]>[] & 'left out, or unknown';

/** Checks for options that do not exist. @throws GruError `invalid_argument`. */
export function checkKnown<T, const List extends readonly string[]>(
  where: string,
  options: T,
  known: List & Names<T, List>,
  what = 'option',
): void {
  if (!isRecord(options)) {
    throw new GruError('invalid_argument', `${where}: ${what}s must be an object, got ${describe(options)}`);
  }
  const stray = Object.keys(options).find((key) => !known.includes(key));
  if (stray !== undefined) {
    throw new GruError('invalid_argument', `${where}: unknown ${what} '${stray}'; known: ${known.join(', ')}`);
  }
}

/** {@link checkKnown}. @returns A copy of the options, each read once: they may be the caller's getters. */
export function checkOptions<T extends object, const List extends readonly string[]>(
  where: string,
  options: T,
  known: List & Names<T, List>,
  what?: string,
): T {
  checkKnown(where, options, known, what);
  return Object.fromEntries(known.map((key) => [key, options[key as keyof T]])) as T;
}

/** @throws GruError `invalid_argument` for an option that is neither true, false nor left out. */
export function checkFlag(where: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw new GruError('invalid_argument', `${where}: ${name} must be true or false, got ${describe(value)}`);
}

/** @throws GruError `invalid_argument` for an option that is neither a function nor left out. */
export function checkCallback(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new GruError('invalid_argument', `${name} must be a function, got ${describe(value)}`);
}
