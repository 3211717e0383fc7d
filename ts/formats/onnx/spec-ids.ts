import { GruError } from '../../base/errors.ts';
import type { EmbeddingSpec, LayerSpec, RowActivation, ValueRef } from '../../spec/spec.ts';
import { SpecValues } from './spec-values.ts';
import { width, type Rows, type Segment } from './value.ts';

/** A function of whole numbers: of each, and as functions of floats, one after the other. */
export interface IdFunction {
  each: (id: number) => number;
  steps: RowActivation[];
}

/** The numbers themselves. */
export const NUMBERS: IdFunction = { each: (id) => id, steps: ['linear'] };

/** Layers that read ids, or give them. */
export class SpecIds extends SpecValues {
  /** Ids that layers compute: how many there are. */
  readonly #ids = new Map<ValueRef, number>();
  /** How many ids an embedding knows, by the ids that it reads. */
  readonly #vocabularies = new Map<ValueRef, number>();
  /** Functions of ids. */
  readonly #functions: { layer: EmbeddingSpec; of: IdFunction }[] = [];

  /** Whole numbers that are those of an input of the graph, which it gives as floats. */
  readonly #cast = new Set<ValueRef>();

  castInputs(from: Rows, to: Rows): void {
    const [only, ...others] = from.columns;
    const isGiven = this.inputs.some(({ name, size }) => name === only?.ref && size === 1);
    if (others.length === 0 && isGiven) this.#cast.add(to.columns[0]!.ref);
  }

  /** Whether rows are the whole numbers of an input of floats, and nothing computed. */
  areCast({ columns: [only, ...others] }: Rows): boolean {
    return others.length === 0 && only !== undefined && this.#cast.has(only.ref);
  }

  argmax(rows: Rows, name: string, last: boolean): Rows {
    const inputs = this.inputOf(rows);
    const layer: LayerSpec = { type: 'argmax', name: this.name(name), inputs, ...(last ? { last } : {}) };
    const ids = this.single(rows, layer);
    this.#ids.set(layer.name, width(rows));
    return { ...ids, dtype: 'int32' };
  }

  /** Whole numbers that are computed as ids: what is none is refused in a run. */
  asIds(rows: Rows, name: string): Rows {
    return { ...this.single(rows, { type: 'ids', name: this.name(name), inputs: this.inputOf(rows) }), dtype: 'int32' };
  }

  /** How many ids there are that a layer computes. */
  protected idCount(ref: ValueRef): number | undefined {
    return this.#ids.get(ref);
  }

  /** Whole numbers of an input of the graph as floats; undefined for those that layers compute, or read as ids. */
  floatsOf(rows: Rows): Rows | undefined {
    const [only, ...others] = rows.columns;
    const input = this.inputs.find(({ name }) => name === only?.ref);
    if (
      !input ||
      others.length > 0 ||
      this.layers.some(({ inputs }) => inputs?.includes(input.name) && input.dtype === 'int32')
    )
      return undefined;
    input.dtype = 'float32';
    return { ...rows, dtype: 'float32', exclusive: false };
  }

  /** One number of each row. */
  protected single(rows: Rows, layer: LayerSpec): Rows {
    return { ...rows, columns: this.add(layer, { kind: rows.kind, size: 1 }), exclusive: false };
  }

  /** @param ids with the axes of the result */
  oneHot(ids: Rows, name: string, size: number): Rows {
    const layer: LayerSpec = { type: 'oneHot', name: this.name(name), inputs: this.#idsOf(ids), size };
    return { ...ids, dtype: 'float32', columns: this.add(layer, { kind: ids.kind, size }), exclusive: false };
  }

  /** @throws GruError `unsupported` where they are read as numbers too. */
  #idsOf(rows: Rows): ValueRef[] {
    const [ref] = this.inputOf(rows);
    const isNumber = this.inputs.some(({ name, dtype }) => name === ref && dtype === 'float32');
    if (isNumber) throw new GruError('unsupported', `input '${ref}' of the graph is read both as numbers and as ids`);
    return [ref];
  }

  /**
   * A number of each whole number that an input gives: of ids, where an embedding reads them too, by a table of one column, else by
   * functions of floats. Which of the two is known when all is read.
   */
  functionOf(ids: Rows, name: string, of: IdFunction): Rows {
    return { ...ids, dtype: 'float32', columns: this.#table(ids, name, of), exclusive: false };
  }

  #table(ids: Pick<Rows, 'columns' | 'kind'>, name: string, of: IdFunction): Segment[] {
    const ref = this.ref(ids.columns, ids.kind);
    const layer: EmbeddingSpec = {
      ...{ type: 'embedding', name: this.name(name), inputs: [ref], vocabularySize: 0, outputSize: 1 },
      weights: { embeddings: new Float32Array(0) },
    };
    this.#functions.push({ layer, of });
    return this.add(layer, { kind: ids.kind, size: 1 });
  }

  /** Whole numbers of an input, a step each, as floats. */
  numbersOfInput(name: string): ValueRef {
    const columns = [{ ref: name, start: 0, length: 1 }];
    return this.#table({ columns, kind: 'sequence' }, `${name}_numbers`, NUMBERS)[0]!.ref;
  }

  /** Makes what {@link functionOf} has left open. */
  makeFunctions(): void {
    for (const { layer, of } of this.#functions) {
      const ids = layer.inputs![0]!;
      const size = this.#vocabularies.get(ids);
      if (size === undefined) {
        this.#asFloats(layer, of);
        continue;
      }
      this.budget.spend(4 * size);
      layer.vocabularySize = size;
      layer.weights = { embeddings: Float32Array.from({ length: size }, (_, i) => of.each(i)) };
    }
  }

  #asFloats({ name, inputs }: EmbeddingSpec, { steps }: IdFunction): void {
    const input = this.inputs.find((one) => one.name === inputs![0])!;
    input.dtype = 'float32';
    const chain: LayerSpec[] = [];
    for (const [i, activation] of steps.entries()) {
      const from = chain.at(-1)?.name ?? input.name;
      const own = i === steps.length - 1 ? name : this.name(`${name}_${i}`);
      chain.push({ type: 'activation', name: own, inputs: [from], activation });
    }
    const at = this.layers.findIndex((layer) => layer.name === name);
    this.layers.splice(at, 1, ...chain);
  }

  embedding(rows: Rows, name: string, table: Float32Array, vocabularySize: number, outputSize: number): Segment[] {
    const layer: LayerSpec = {
      type: 'embedding',
      name: this.name(name),
      inputs: this.#idsOf(rows),
      vocabularySize,
      outputSize,
      weights: { embeddings: table },
    };
    const ids = layer.inputs![0]!;
    this.#vocabularies.set(ids, Math.max(vocabularySize, this.#vocabularies.get(ids) ?? 0));
    return this.add(layer, { kind: rows.kind, size: outputSize });
  }
}
