import type { Activation } from '../../../../spec/spec.ts';
import type { Budget } from '../../limits.ts';

/**
 * What a cell computes, in a form in which the ways to write it are one: each vector is a sum of products of factors, so that
 * (1 - z) n + z h and (h - n) z + n are the same three terms.
 */

/** Columns `start` .. `start + size - 1` of a value that is given: of the step's input, or of a state. */
export interface SourceFactor {
  kind: 'source';
  id: number;
  name: string;
  start: number;
  size: number;
}

/** A function of a sum. */
export interface FunctionFactor {
  kind: 'function';
  id: number;
  activation: Activation;
  of: Term[];
}

/** A matrix (rows, columns) times a product of factors. */
export interface ProductFactor {
  kind: 'product';
  id: number;
  matrix: Float32Array;
  columns: number;
  of: Factor[];
}

export type Factor = SourceFactor | FunctionFactor | ProductFactor;

/** coefficient x factor x factor ..., each of them a vector; a number stands for a vector of that number. */
export interface Term {
  coefficient: number | Float32Array;
  factors: Factor[];
}

/** A vector's neighbouring columns that are one sum. */
export interface Piece {
  size: number;
  terms: Term[];
}

/** More terms are no cell. */
const MAX_TERMS = 256;

/** Thrown for what is no sum of products. */
export class NotTerms extends Error {}

/** Whether a coefficient is this number, but for the rounding of folded constants. */
export function isNumber(coefficient: Term['coefficient'], wanted: number): boolean {
  const close = (value: number) => Math.abs(value - wanted) <= 1e-6;
  return typeof coefficient === 'number' ? close(coefficient) : coefficient.every(close);
}

/** Makes terms; what is equal has one id. */
export class Terms {
  readonly #ids = new Map<string, number>();
  readonly #buffers = new WeakMap<ArrayBufferLike, number>();
  readonly #budget: Budget;
  #count = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  #id(key: string): number {
    this.#budget.spend(64 + key.length);
    const id = this.#ids.get(key) ?? ++this.#count;
    this.#ids.set(key, id);
    return id;
  }

  #numbers(values: number | Float32Array): string {
    if (typeof values === 'number') return String(values);
    const id = this.#buffers.get(values.buffer) ?? ++this.#count;
    this.#buffers.set(values.buffer, id);
    return `${id}@${values.byteOffset}+${values.length}`;
  }

  /** Equal for terms of the same factors. */
  factorsKey(factors: readonly Factor[]): string {
    return factors
      .map(({ id }) => id)
      .sort((a, b) => a - b)
      .join('*');
  }

  key(terms: readonly Term[]): string {
    return terms
      .map(({ coefficient, factors }) => `${this.#numbers(coefficient)}:${this.factorsKey(factors)}`)
      .sort()
      .join('+');
  }

  source(name: string, start: number, size: number): SourceFactor {
    return { kind: 'source', id: this.#id(`source ${start} ${size} ${name}`), name, start, size };
  }

  function(activation: Activation, of: Term[]): FunctionFactor {
    return { kind: 'function', id: this.#id(`${JSON.stringify(activation)}(${this.key(of)})`), activation, of };
  }

  #product(matrix: Float32Array, columns: number, of: Factor[]): ProductFactor {
    const id = this.#id(`${this.#numbers(matrix)} . ${this.factorsKey(of)}`);
    return { kind: 'product', id, matrix, columns, of };
  }

  /** Terms of the same factors added up. */
  sum(size: number, terms: readonly Term[]): Term[] {
    const sums = new Map<string, Term>();
    for (const term of terms) {
      const [only] = term.factors;
      const product = term.factors.length === 1 && only?.kind === 'product' ? only : undefined;
      // products with the same vector are one product
      const key = product ? `. ${this.factorsKey(product.of)}` : this.factorsKey(term.factors);
      const before = sums.get(key);
      if (!before) sums.set(key, term);
      else if (product) sums.set(key, this.#sumProducts(size, before, term));
      else sums.set(key, { ...term, coefficient: this.#add(size, before.coefficient, term.coefficient) });
      if (sums.size > MAX_TERMS) throw new NotTerms(`a sum of more than ${MAX_TERMS} products`);
    }
    return [...sums.values()].filter(({ coefficient }) => coefficient !== 0);
  }

  #add(size: number, x: Term['coefficient'], y: Term['coefficient']): Term['coefficient'] {
    if (typeof x === 'number' && typeof y === 'number') return x + y;
    this.#budget.spend(4 * size);
    return Float32Array.from({ length: size }, (_, i) => at(x, i) + at(y, i));
  }

  #sumProducts(size: number, x: Term, y: Term): Term {
    const [p, q] = [x.factors[0], y.factors[0]] as [ProductFactor, ProductFactor];
    this.#budget.spend(4 * p.matrix.length);
    const matrix = new Float32Array(p.matrix.length);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < p.columns; j++) {
        const k = i * p.columns + j;
        matrix[k] = at(x.coefficient, i) * p.matrix[k]! + at(y.coefficient, i) * q.matrix[k]!;
      }
    }
    return { coefficient: 1, factors: [this.#product(matrix, p.columns, p.of)] };
  }

  #scale(size: number, x: Term['coefficient'], y: Term['coefficient']): Term['coefficient'] {
    if (typeof x === 'number' && typeof y === 'number') return x * y;
    if (x === 1) return y;
    if (y === 1) return x;
    this.#budget.spend(4 * size);
    return Float32Array.from({ length: size }, (_, i) => at(x, i) * at(y, i));
  }

  multiply(size: number, x: readonly Term[], y: readonly Term[]): Term[] {
    if (x.length * y.length > MAX_TERMS) throw new NotTerms(`a sum of more than ${MAX_TERMS} products`);
    const terms = x.flatMap((a) =>
      y.map((b) => ({
        coefficient: this.#scale(size, a.coefficient, b.coefficient),
        factors: [...a.factors, ...b.factors],
      })),
    );
    return this.sum(size, terms);
  }

  /** matrix (rows, columns of all pieces) times a vector, plus a bias. */
  matrix(rows: number, matrix: Float32Array, pieces: readonly Piece[], bias: Float32Array | undefined): Term[] {
    const columns = matrix.length / rows;
    const terms: Term[] = bias ? [{ coefficient: bias, factors: [] }] : [];
    let start = 0;
    for (const { size, terms: of } of pieces) {
      for (const term of of) {
        this.#budget.spend(4 * rows * size);
        const scaled = new Float32Array(rows * size);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < size; j++) {
            scaled[i * size + j] = at(term.coefficient, j) * matrix[i * columns + start + j]!;
          }
        }
        terms.push(this.#matrixTerm(rows, scaled, size, term.factors));
      }
      start += size;
    }
    return this.sum(rows, terms);
  }

  #matrixTerm(rows: number, matrix: Float32Array, columns: number, factors: Factor[]): Term {
    if (factors.length > 0) return { coefficient: 1, factors: [this.#product(matrix, columns, factors)] };
    const coefficient = Float32Array.from({ length: rows }, (_, i) =>
      matrix.subarray(i * columns, (i + 1) * columns).reduce((sum, value) => sum + value, 0),
    );
    return { coefficient, factors };
  }

  /** Columns of a piece. */
  slice(terms: readonly Term[], start: number, size: number): Term[] {
    return terms.map(({ coefficient, factors }) => ({
      coefficient: typeof coefficient === 'number' ? coefficient : coefficient.subarray(start, start + size),
      factors: factors.map((factor) => this.#sliceFactor(factor, start, size)),
    }));
  }

  /** A vector of so many numbers that are each the one number of these terms; what is in `kept` stands for any of them as it is. */
  repeat(size: number, terms: readonly Term[], kept: ReadonlySet<string>): Term[] {
    return terms.map(({ coefficient, factors }) => ({
      coefficient: at(coefficient, 0),
      factors: factors.map((factor) => this.#repeatFactor(size, factor, kept)),
    }));
  }

  #repeatFactor(size: number, factor: Factor, kept: ReadonlySet<string>): Factor {
    if (factor.kind === 'function') return this.function(factor.activation, this.repeat(size, factor.of, kept));
    if (factor.kind === 'source' && kept.has(factor.name)) return factor;
    const row = factor.kind === 'source' ? Float32Array.of(1) : factor.matrix.subarray(0, factor.columns);
    this.#budget.spend(4 * size * row.length);
    const matrix = Float32Array.from({ length: size * row.length }, (_, i) => row[i % row.length]!);
    return this.#product(matrix, row.length, factor.kind === 'source' ? [factor] : factor.of);
  }

  #sliceFactor(factor: Factor, start: number, size: number): Factor {
    // A single number may stand for any of them.
    if (factor.kind === 'source' && factor.size === 1) return factor;
    if (factor.kind === 'source') return this.source(factor.name, factor.start + start, size);
    if (factor.kind === 'function') return this.function(factor.activation, this.slice(factor.of, start, size));
    const { matrix, columns, of } = factor;
    return this.#product(matrix.subarray(start * columns, (start + size) * columns), columns, of);
  }
}

function at(values: number | Float32Array, i: number): number {
  return typeof values === 'number' ? values : values[i]!;
}
