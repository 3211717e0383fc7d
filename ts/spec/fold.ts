import { isFloats } from '../base/typed-array.ts';
import { weightsOf } from '../base/weights.ts';
import type { Affine } from '../layers/fold.ts';
import { layerKind } from '../layers/index.ts';
import { extrasOf, nameOf } from './refs.ts';
import type { LayerSpec, ModelSpec, ValueRef } from './spec.ts';

/**
 * Largest summand that is folded into the layer which reads the scaled values. Batch normalization gives values of the order of 1:
 * with it, the terms W scale x and W shift, which are rounded apart, are at most some 5 times as large as their sum.
 */
export const MAX_SHIFT = 4;

/** A spec without the scale layers that a neighbour could take in, and where they went: by name, the names of those neighbours. */
export interface Folded {
  spec: ModelSpec;
  into: ReadonlyMap<string, readonly string[]>;
}

/**
 * Takes scale layers into the weights of the layer before them, if nobody else reads that one; else of all layers that read them. What
 * it gives is read as their input alone: not as a state or a mask.
 */
export function foldScales(spec: ModelSpec): Folded {
  const graph = new Wiring(spec);
  const taken: [string, string[]][] = [];
  // The last one first: one may go into another, which then goes on.
  for (const { name } of [...spec.layers].reverse()) {
    const layer = graph.layers.get(name);
    const affine = layer && layerKind(layer.type)?.affine?.(layer);
    if (!layer || !affine || graph.isReadAside(name)) continue;
    const names = foldBack(graph, layer, affine) ?? foldOn(graph, layer, affine);
    if (names) taken.push([name, names]);
  }
  const into = new Map<string, readonly string[]>();
  for (const [name, names] of taken.reverse())
    into.set(
      name,
      names.flatMap((other) => into.get(other) ?? [other]),
    );
  return { spec: graph.spec(), into };
}

/** Into the layer before. */
function foldBack(graph: Wiring, layer: LayerSpec, affine: Affine): string[] | undefined {
  const [from] = graph.inputsOf(layer);
  const maker = graph.layers.get(from ?? '');
  if (!maker || graph.readers(maker.name).length !== 1 || graph.isOutput(maker.name)) return undefined;
  const folded = layerKind(maker.type)?.foldOutput?.(maker, affine);
  if (!folded || !isFinite(folded)) return undefined;
  graph.replace(folded);
  graph.drop(layer.name, maker.name);
  return [maker.name];
}

/** Into all layers that read it. */
function foldOn(graph: Wiring, layer: LayerSpec, affine: Affine): string[] | undefined {
  const readers = graph.readers(layer.name);
  if (graph.isOutput(layer.name) || readers.length === 0 || affine.shift?.some((t) => Math.abs(t) > MAX_SHIFT))
    return undefined;
  const [from] = graph.inputsOf(layer);
  const folded: LayerSpec[] = [];
  for (const reader of readers) {
    const taken = layerKind(reader.type)?.foldInput?.(reader, affine);
    if (!taken || !isFinite(taken)) return undefined;
    folded.push(taken);
  }
  folded.forEach((taken) => {
    graph.replace(taken);
  });
  graph.drop(layer.name, from!);
  return folded.map(({ name }) => name);
}

function isFinite(layer: LayerSpec): boolean {
  const weights = weightsOf(layer);
  return Object.values(weights).every((tensor) => !isFloats(tensor) || tensor.every(Number.isFinite));
}

/** The layers of a spec by name, and who reads whom. */
class Wiring {
  readonly layers = new Map<string, LayerSpec>();
  readonly #spec: ModelSpec;
  readonly #readers = new Map<string, Set<string>>();
  readonly #outputs: { name: string; from: ValueRef }[];
  readonly #outputsOf = new Map<string, { from: ValueRef }[]>();

  constructor(spec: ModelSpec) {
    this.#spec = spec;
    let previous = spec.inputs[0]!.name;
    for (const layer of spec.layers) {
      const inputs = layer.inputs ?? [previous];
      this.layers.set(layer.name, { ...layer, inputs });
      for (const ref of [...inputs, ...extrasOf(layer)]) {
        const readers = this.#readers.get(nameOf(ref)) ?? new Set();
        this.#readers.set(nameOf(ref), readers.add(layer.name));
      }
      previous = layer.name;
    }
    this.#outputs = (spec.outputs ?? [previous]).map((output) =>
      typeof output === 'string' ? { name: output, from: output } : { ...output },
    );
    for (const output of this.#outputs) {
      const known = this.#outputsOf.get(nameOf(output.from));
      if (known) known.push(output);
      else this.#outputsOf.set(nameOf(output.from), [output]);
    }
  }

  inputsOf(layer: LayerSpec): ValueRef[] {
    return this.layers.get(layer.name)!.inputs!;
  }

  /** Whether something reads a layer otherwise than by its inputs. */
  isReadAside(name: string): boolean {
    return this.readers(name).some((reader) => extrasOf(reader).some((ref) => nameOf(ref) === name));
  }

  readers(name: string): LayerSpec[] {
    return [...(this.#readers.get(name) ?? [])].map((reader) => this.layers.get(reader)!);
  }

  isOutput(name: string): boolean {
    return this.#outputsOf.has(name);
  }

  replace(layer: LayerSpec): void {
    this.layers.set(layer.name, layer);
  }

  /** Takes a layer away: who read it reads what it read. */
  drop(name: string, from: ValueRef): void {
    const readers = this.readers(name);
    const moved = (ref: ValueRef) => (nameOf(ref) === name ? from : ref);
    this.layers.delete(name);
    const others = this.#readers.get(nameOf(from));
    others?.delete(name);
    for (const reader of readers) {
      others?.add(reader.name);
      this.layers.set(reader.name, { ...reader, inputs: reader.inputs!.map(moved) });
    }
    const outputs = this.#outputsOf.get(name);
    if (!outputs) return;
    // Only what was taken into the layer before is an output.
    for (const output of outputs) output.from = moved(output.from);
    this.#outputsOf.set(nameOf(from), outputs);
  }

  spec(): ModelSpec {
    return { ...this.#spec, layers: [...this.layers.values()], outputs: this.#outputs };
  }
}
