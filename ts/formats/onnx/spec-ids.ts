import { GruError } from '../../base/errors.ts';
import type { EmbeddingSpec, LayerSpec, ValueRef } from '../../spec/spec.ts';
import { SpecValues } from './spec-values.ts';
import { width, type Rows, type Segment } from './value.ts';

/** Layers that read ids, or give them. */
export class SpecIds extends SpecValues {
  /** Ids that layers compute: how many there are. */
  readonly #ids = new Map<ValueRef, number>();
  /** How many ids an embedding knows, by the ids that it reads. */
  readonly #vocabularies = new Map<ValueRef, number>();
  /** Ids that are compared with one. */
  readonly #comparisons: { layer: EmbeddingSpec; id: number }[] = [];

  argmax(rows: Rows, name: string, last: boolean): Rows {
    const inputs = this.inputOf(rows);
    const layer: LayerSpec = { type: 'argmax', name: this.name(name), inputs, ...(last ? { last } : {}) };
    const ids = this.single(rows, layer);
    this.#ids.set(layer.name, width(rows));
    return { ...ids, dtype: 'int32' };
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

  /** Where ids are this one, as 0 or 1: a table of one column, made when all embeddings of these ids are known. */
  isId(ids: Rows, name: string, id: number): Rows {
    const layer: EmbeddingSpec = {
      ...{ type: 'embedding', name: this.name(name), inputs: this.#idsOf(ids), vocabularySize: 0, outputSize: 1 },
      weights: { embeddings: new Float32Array(0) },
    };
    this.#comparisons.push({ layer, id });
    return this.single({ ...ids, dtype: 'float32' }, layer);
  }

  /** @throws GruError `unsupported` for ids that are compared, and that no embedding reads. */
  makeComparisons(): void {
    for (const { layer, id } of this.#comparisons) {
      const ids = layer.inputs![0]!;
      const size = this.#vocabularies.get(ids);
      if (size === undefined) {
        const text = `'${layer.name}' compares ids ('${ids}'), and no embedding says how many there are`;
        throw new GruError('unsupported', text);
      }
      this.budget.spend(4 * size);
      layer.vocabularySize = size;
      layer.weights = { embeddings: Float32Array.from({ length: size }, (_, i) => Number(i === id)) };
    }
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
