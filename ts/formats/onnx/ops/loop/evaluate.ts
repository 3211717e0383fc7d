import { numbersOf } from '../../../../base/weights.ts';
import type { LayerSpec, RowActivation, ValueRef } from '../../../../spec/spec.ts';
import { NotTerms, type Piece, type Term, Terms } from './terms.ts';

/** Evaluates the layers that a cell's nodes were read as. */
export class Evaluator {
  readonly terms: Terms;
  readonly #layers: Map<string, LayerSpec>;
  readonly #given = new Map<ValueRef, Piece[]>();
  #known = new Map<ValueRef, Piece[]>();

  readonly #refused: ReadonlyMap<ValueRef, string>;

  readonly #masks: ReadonlySet<string>;

  /**
   * @param refused values that are no terms, and why
   * @param masks values of one number that stays a factor of its own beside more
   */
  constructor(
    terms: Terms,
    layers: readonly LayerSpec[],
    refused: ReadonlyMap<ValueRef, string> = new Map(),
    masks: readonly string[] = [],
  ) {
    this.terms = terms;
    this.#refused = refused;
    this.#masks = new Set(masks);
    this.#layers = new Map(layers.map((layer) => [layer.name, layer]));
  }

  /** A value that is given: of so many columns. What was evaluated before is forgotten, for it may be written by this one. */
  give(ref: ValueRef, size: number): void {
    this.#given.set(ref, [{ size, terms: [{ coefficient: 1, factors: [this.terms.source(ref, 0, size)] }] }]);
    this.#known = new Map(this.#given);
  }

  /** The terms of a value that is one sum. */
  whole(ref: ValueRef): Term[] {
    const pieces = this.value(ref);
    if (pieces.length !== 1) throw new NotTerms('a state in several parts');
    return pieces[0]!.terms;
  }

  value(ref: ValueRef): Piece[] {
    // a chain of layers may be longer than the stack is deep
    const pending = [ref];
    for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
      if (this.#known.has(next)) {
        pending.pop();
        continue;
      }
      const layer = this.#layers.get(next);
      const why = layer ? this.#refused.get(next) : `'${next}'`;
      if (!layer || why !== undefined) throw new NotTerms(why);
      const missing = (layer.inputs ?? []).filter((input) => !this.#known.has(input));
      for (const input of missing) pending.push(input);
      if (missing.length === 0) this.#known.set(next, this.#layer(layer));
    }
    return this.#known.get(ref)!;
  }

  #layer(layer: LayerSpec): Piece[] {
    const inputs = (layer.inputs ?? []).map((input) => this.#known.get(input)!);
    const first = inputs[0] ?? [];
    switch (layer.type) {
      case 'slice':
        return this.#slice(first, layer.start, layer.size);
      case 'merge':
        if (layer.merge === 'concat') return inputs.flat();
        if (!['sum', 'mul', 'sub'].includes(layer.merge)) break;
        if (layer.weights?.constant)
          inputs[layer.constantFirst ? 'unshift' : 'push'](constantPieces(layer.weights.constant));
        return inputs.slice(1).reduce((x, y) => {
          const other = layer.merge === 'sub' ? this.#activate(y, { name: 'affine', alpha: -1, beta: 0 }) : y;
          return this.#combine(x, other, layer.merge === 'mul');
        }, inputs[0] ?? []);
      case 'dense': {
        const { kernel, bias } = layer.weights;
        const size = layer.outputSize;
        const linear = [{ size, terms: this.terms.matrix(size, numbersOf(kernel), first, bias) }];
        return layer.activation === undefined ? linear : this.#activate(linear, layer.activation);
      }
      case 'scale':
        if (layer.steps !== undefined) break;
        return this.#scale(first, layer.weights);
      case 'activation':
        return this.#activate(first, layer.activation);
    }
    throw new NotTerms(`layer '${layer.name}' of type ${layer.type}`);
  }

  #slice(pieces: readonly Piece[], start: number, size: number): Piece[] {
    let at = 0;
    return pieces.flatMap((piece) => {
      const from = Math.max(start - at, 0);
      const to = Math.min(start + size - at, piece.size);
      at += piece.size;
      if (from >= to) return [];
      if (from === 0 && to === piece.size) return [piece];
      return [{ size: to - from, terms: this.terms.slice(piece.terms, from, to - from) }];
    });
  }

  #combine(first: readonly Piece[], second: readonly Piece[], isProduct: boolean): Piece[] {
    const [x, y] = [this.#spread(first, second), this.#spread(second, first)];
    const ends = new Set<number>();
    for (const pieces of [x, y]) {
      let end = 0;
      for (const { size } of pieces) ends.add((end += size));
    }
    let start = 0;
    return [...ends]
      .sort((a, b) => a - b)
      .map((end) => {
        const size = end - start;
        const [a, b] = [x, y].map((pieces) => this.#slice(pieces, start, size)[0]!.terms) as [Term[], Term[]];
        start = end;
        return { size, terms: isProduct ? this.terms.multiply(size, a, b) : this.terms.sum(size, [...a, ...b]) };
      });
  }

  /** A single number beside more: the same for all of them. */
  #spread(pieces: readonly Piece[], beside: readonly Piece[]): readonly Piece[] {
    const [only] = pieces;
    const size = sizeOf(beside);
    if (!only || sizeOf(pieces) !== 1 || size === 1) return pieces;
    return [{ size, terms: this.terms.repeat(size, only.terms, this.#masks) }];
  }

  #scale(pieces: readonly Piece[], { scale, shift }: { scale?: Float32Array; shift?: Float32Array }): Piece[] {
    const scaled = scale ? this.#combine(pieces, constantPieces(scale), true) : [...pieces];
    return shift ? this.#combine(scaled, constantPieces(shift), false) : scaled;
  }

  #activate(pieces: readonly Piece[], activation: RowActivation): Piece[] {
    if (activation === 'softmax' || activation === 'log_softmax') throw new NotTerms(activation);
    const { name, alpha = 1, beta = 0 } = typeof activation === 'string' ? { name: activation } : activation;
    if (name === 'linear') return [...pieces];
    return pieces.map(({ size, terms }) => {
      if (name === 'affine') {
        const scaled = this.terms.multiply(size, terms, [{ coefficient: alpha, factors: [] }]);
        return { size, terms: this.terms.sum(size, [...scaled, { coefficient: beta, factors: [] }]) };
      }
      if (name !== 'hard_sigmoid')
        return { size, terms: [{ coefficient: 1, factors: [this.terms.function(activation, terms)] }] };
      // max(0, min(1, alpha x + beta)) with beta 0.5, as all who say it by its bounds then are the same function
      const { alpha: slope = 0.2, beta: shift = 0.5 } = typeof activation === 'string' ? {} : activation;
      const moved =
        shift === 0.5 ? terms : this.terms.sum(size, [...terms, { coefficient: (shift - 0.5) / slope, factors: [] }]);
      const factor = this.terms.function({ name, alpha: slope, beta: 0.5 }, moved);
      return { size, terms: [{ coefficient: 1, factors: [factor] }] };
    });
  }
}

function constantPieces(values: Float32Array): Piece[] {
  const coefficient = values.every((value) => value === values[0]) ? (values[0] ?? 0) : values;
  return [{ size: values.length, terms: [{ coefficient, factors: [] }] }];
}

const sizeOf = (pieces: readonly Piece[]) => pieces.reduce((sum, { size }) => sum + size, 0);
