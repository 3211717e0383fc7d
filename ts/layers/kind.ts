import type { LayerSpec, ValueKind, ValueRef } from '../spec.ts';

/** A value of the graph as a layer sees it. */
export interface ValueShape {
  kind: ValueKind;
  dtype: 'float32' | 'int32';
  /** Numbers a row. */
  size: number;
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

/**
 * Everything the facade knows of one kind of layer: what it reads and gives, which tensors it holds, and how it is told to
 * the Rust core. The arithmetic is in crate/src/layers/ and, the same bits, in ts/backends/js/layers/.
 */
export interface LayerKind<S extends LayerSpec = LayerSpec> {
  readonly type: S['type'];
  /** The layer's number in `LAYERS` of crate/src/layers/mod.rs. */
  readonly code: number;
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
  /** Parameters for the core: u32 words (floats as their bits). Tensors follow in the order of {@link tensors}. */
  params(spec: S): number[];
  /** Why the layer cannot run step by step, if it cannot. */
  notStreamable?(spec: S): string | undefined;
}
