import type { AnyLayer, ValueKind, ValueRef } from './spec.ts';

/** A value of the graph as a layer sees it. */
export interface ValueShape {
  kind: ValueKind;
  dtype: 'float32' | 'int32';
  /** Numbers a row. */
  size: number;
  /** Of ids that a layer computes: they are below this. */
  vocabularySize?: number;
}

/** A value that a layer gives, under the name that follows the colon in a reference. */
export interface Port extends ValueShape {
  port: string;
}

/** A tensor that a layer's spec holds, or must hold. */
export interface TensorSlot {
  /** Key in `spec.weights`. */
  key: string;
  shape: number[];
  optional?: boolean;
}

/** What a layer carries from step to step, one buffer of (sequences, size) values. Zero at first. */
export interface StateSlot {
  slot: 'hidden' | 'cell';
  direction: 'forward' | 'reverse';
  size: number;
  /** The state is computed by the graph (initialState): what the caller gives would be overwritten. */
  fromGraph: boolean;
}

/**
 * Everything the facade knows of one kind of layer: what it reads and gives, which tensors it holds, and how it is told to
 * the Rust core. The arithmetic is in crate/src/layers/ and, the same bits, in ts/backends/js/layers/.
 */
export interface LayerKind<S extends AnyLayer> {
  readonly type: S['type'];
  /** The layer's number in `LAYERS` of crate/src/layers/mod.rs. */
  readonly code: number;
  /** Its spec has weights. */
  readonly weighted?: boolean;
  /** Fields of the spec beyond name, type, inputs and weights; any other is refused. */
  readonly fields: readonly string[];
  /** Checks sizes and options. @throws GruError `invalid_spec` naming the layer and the field. */
  check(spec: S): void;
  /** References beyond `inputs`; undefined for those left out. */
  extraInputs?(spec: S): (ValueRef | undefined)[];
  /** Values given, in the order of the core; the first is the main one unless {@link mainPort} says otherwise. */
  ports(spec: S, inputs: ValueShape[], extra: (ValueShape | undefined)[]): Port[];
  mainPort?(spec: S): string;
  tensors(spec: S): TensorSlot[];
  /**
   * Parameters for the core by name, in its order: u32 words (floats as their bits). The core's names are in
   * crate/src/layers/params.json, and a test compares. Tensors follow in the order of {@link tensors}.
   */
  params(spec: S): Record<string, number | number[]>;
  /** The layer's state slots, in the order of the core. */
  slots?(spec: S): StateSlot[];
  /** Number of ids that it takes, where it reads ids. */
  vocabularySize?(spec: S): number;
  /** Why the layer cannot run step by step, if it cannot. */
  notStreamable?(spec: S): string | undefined;
}

/** The parameters of a layer as the core reads them, one word after another. */
export function paramWords(params: Record<string, number | number[]>): number[] {
  return Object.values(params).flat();
}
