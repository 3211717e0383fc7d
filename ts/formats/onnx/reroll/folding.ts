import type { OnnxNode } from '../messages.ts';
import type { Constant } from '../value.ts';
import { attribute } from './steps.ts';

/** Rows of numbers. */
interface Matrix {
  rows: number;
  columns: number;
  data: ArrayLike<number>;
}

/** Numbers computed, and values upon each other: more are no cell's. */
const MOST_PRODUCTS = 2 ** 26;
const MOST_DEPTH = 32;
/** Exporters compute in float32, in an order of their own. */
const TOLERANCE = 1e-5;

/** What exporters compute of constants: products, sums and their parts. */
export class Folding {
  readonly #makers: ReadonlyMap<string, OnnxNode>;
  readonly #constant: (name: string) => Constant | undefined;
  readonly #known = new Map<string, Matrix | undefined>();
  #left = MOST_PRODUCTS;

  /** @param constant gives those that are not computed */
  constructor(makers: ReadonlyMap<string, OnnxNode>, constant: (name: string) => Constant | undefined) {
    this.#makers = makers;
    this.#constant = constant;
  }

  /** Whether a value, computed, is this constant. */
  gives(name: string, wanted: Constant): boolean {
    const [made, given] = [this.#value(name, 0), matrix(wanted)];
    if (!made || made.columns !== given?.columns) return false;
    const isNear = (value: number, i: number) => {
      const other = made.data[made.rows === 1 ? i % made.columns : i]!;
      return Math.abs(value - other) <= TOLERANCE * (1 + Math.abs(value));
    };
    return (made.rows === 1 || made.rows === given.rows) && Array.from(given.data).every(isNear);
  }

  #value(name: string, depth: number): Matrix | undefined {
    if (this.#known.has(name) || depth > MOST_DEPTH) return this.#known.get(name);
    // what is asked for while it is computed is no constant
    this.#known.set(name, undefined);
    const constant = this.#constant(name);
    const node = this.#makers.get(name);
    const value = constant ? matrix(constant) : node && this.#computed(node, name, depth + 1);
    this.#known.set(name, value);
    return value;
  }

  #computed(node: OnnxNode, name: string, depth: number): Matrix | undefined {
    const [x, y, z] = node.inputs.map((input) => (input === '' ? undefined : this.#value(input, depth)));
    const number = (attributeName: string, fallback: number) => {
      const { i, f } = attribute(node, attributeName) ?? {};
      return i ?? f ?? fallback;
    };
    if (!x || (this.#left -= x.rows * x.columns) < 0) return undefined;
    switch (node.op) {
      case 'MatMul':
        return y && this.#product(x, y, 1);
      case 'Gemm': {
        if (!y || number('transA', 0) !== 0) return undefined;
        const scaled = this.#product(x, number('transB', 0) === 1 ? transposed(y) : y, number('alpha', 1));
        if (node.inputs.length < 3 || !scaled) return scaled;
        return z && sum(scaled, z, number('beta', 1));
      }
      case 'Add':
        return y && sum(x, y, 1);
      case 'Transpose':
        return transposed(x);
      case 'Split': {
        const { length } = node.outputs;
        if (node.inputs.length > 1 && !(y && Array.from(y.data).every((n) => n === y.data[0]))) return undefined;
        return Math.abs(number('axis', 0)) === 1 ? part(x, node.outputs.indexOf(name), length) : undefined;
      }
      case 'Slice': {
        const [, , , axes, steps] = node.inputs.map((input) => (input === '' ? undefined : this.#value(input, depth)));
        return y && z && axes && (node.inputs.length < 5 || steps) ? sliced(x, [y, z, axes, steps]) : undefined;
      }
      default:
        return undefined;
    }
  }

  #product(x: Matrix, y: Matrix, alpha: number): Matrix | undefined {
    this.#left -= x.rows * x.columns * y.columns;
    return this.#left < 0 || x.columns !== y.rows ? undefined : product(x, y, alpha);
  }
}

function matrix({ base, data }: Constant): Matrix | undefined {
  const list = Array.from(data);
  if (base.length > 2 || !list.every((n) => typeof n === 'number')) return undefined;
  const columns = base.at(-1) ?? 1;
  return { rows: columns === 0 ? 0 : list.length / columns, columns, data: list };
}

function product(x: Matrix, y: Matrix, alpha: number): Matrix {
  const data = new Float64Array(x.rows * y.columns);
  for (let i = 0; i < x.rows; i++) {
    for (let k = 0; k < x.columns; k++) {
      const factor = alpha * x.data[i * x.columns + k]!;
      if (factor === 0) continue;
      for (let j = 0; j < y.columns; j++)
        data[i * y.columns + j] = data[i * y.columns + j]! + factor * y.data[k * y.columns + j]!;
    }
  }
  return { rows: x.rows, columns: y.columns, data };
}

/** x + beta y, where y may be one row for all. */
function sum(x: Matrix, y: Matrix, beta: number): Matrix | undefined {
  if (x.rows === 1 && y.rows > 1 && beta === 1) return sum(y, x, 1);
  if (x.columns !== y.columns || (y.rows !== 1 && y.rows !== x.rows)) return undefined;
  const data = Float64Array.from(x.data, (v, i) => v + beta * y.data[y.rows === 1 ? i % x.columns : i]!);
  return { ...x, data };
}

function transposed({ rows, columns, data }: Matrix): Matrix {
  const turned = Float64Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
  return { rows: columns, columns: rows, data: turned };
}

function part(x: Matrix, index: number, count: number): Matrix | undefined {
  const columns = x.columns / count;
  if (!Number.isInteger(columns)) return undefined;
  const at = (i: number) => Math.floor(i / columns) * x.columns + index * columns + (i % columns);
  return { rows: x.rows, columns, data: Float64Array.from({ length: x.rows * columns }, (_, i) => x.data[at(i)]!) };
}

/** Entries from start to end along each of these axes, one by one. */
function sliced(
  x: Matrix,
  [starts, ends, axes, steps]: [Matrix, Matrix, Matrix, Matrix | undefined],
): Matrix | undefined {
  const sizes = [x.rows, x.columns];
  const from = [0, 0];
  const to = [...sizes];
  for (let i = 0; i < axes.data.length; i++) {
    const axis = axes.data[i]! < 0 ? axes.data[i]! + 2 : axes.data[i]!;
    const size = sizes[axis];
    if (size === undefined || (steps && steps.data[i] !== 1)) return undefined;
    const within = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, 0), size);
    from[axis] = within(starts.data[i]!);
    to[axis] = within(ends.data[i]!);
  }
  const [rows, columns] = [to[0]! - from[0]!, to[1]! - from[1]!];
  if (rows < 1 || columns < 1) return undefined;
  const at = (i: number) => (from[0]! + Math.floor(i / columns)) * x.columns + from[1]! + (i % columns);
  return { rows, columns, data: Float64Array.from({ length: rows * columns }, (_, i) => x.data[at(i)]!) };
}
