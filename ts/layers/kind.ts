import type { Affine } from './fold.ts';
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
  /** Products are made with its rows: they may be integers (ts/base/weights.ts). */
  quantizable?: true;
}

/**
 * The steps of an axis that a layer makes of another's: `max(0, floor((mul * steps + add) / div))`. Of no other axis (the layer reads
 * vectors alone): mul is 0.
 */
export interface AxisRule {
  mul: number;
  add: number;
  div: number;
}

/** The states of a recurrent layer. */
export type RecurrentSlot = 'hidden' | 'cell';

/** What a layer carries from step to step, one buffer of (sequences, size) values. Zero at first. */
export interface StateSlot {
  /** `past`: what streams alone go on with: the steps that a window still needs, the last one, whether any has counted. */
  slot: RecurrentSlot | 'past';
  direction: 'forward' | 'reverse';
  size: number;
  /** The state is computed by the graph (initialState): what the caller gives would be overwritten. */
  fromGraph: boolean;
  /** What its last value is when so many steps of the layer's input have come; undefined: it counts none. */
  count?: (steps: number) => number;
}

/** The slot of what streams alone go on with. */
export function keptSlot(size: number): StateSlot {
  return { slot: 'past', direction: 'forward', size, fromGraph: false };
}

/**
 * What the wasm binaries hold: `full`, all kinds of layers; `core`, in about half of the bytes, those alone that most models of
 * recurrent layers need, of weights in f32.
 */
export type Flavour = 'core' | 'full';

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
  /** The axis that its sequences lie on, where it is not the one that it reads. */
  axis?(spec: S): AxisRule | undefined;
  /** It makes a sequence of each step that it reads: for what it reads, and all that reads those, a step is a sequence of its own. */
  nests?(spec: S): boolean;
  /**
   * It may read sequences of several axes: the places, among its inputs and extra inputs, of those that lie on one; its own axis is that
   * of the first sequence.
   */
  readonly crossesAxes?: readonly (readonly number[])[];
  /**
   * Parameters for the core by name, in its order: u32 words (floats as their bits). The core's names are in
   * crate/src/layers/params.json, and a test compares. Tensors follow in the order of {@link tensors}. `axis`: the number of the axis
   * that its sequences lie on, for a layer that makes one. `inputs`: the values of the spec's inputs.
   */
  params(spec: S, axis: number, inputs: readonly ValueShape[]): Record<string, number | number[]>;
  /** The layer's state slots, in the order of the core. */
  slots?(spec: S, inputs: readonly ValueShape[]): StateSlot[];
  /** Number of ids that it takes, where it reads ids. */
  vocabularySize?(spec: S): number;
  /** Steps that every sequence it reads must have, if it can take no other number. */
  steps?(spec: S): number | undefined;
  /** What it does to each feature, where it does nothing else: a neighbour may take that into its weights. */
  affine?(spec: S): Affine | undefined;
  /** The layer with a scale layer of what it reads (its first input) in its weights; undefined: they cannot say that. */
  foldInput?(spec: S, affine: Affine): S | undefined;
  /** The same of what it gives, in its main value. */
  foldOutput?(spec: S, affine: Affine): S | undefined;
  /** Why the layer cannot run step by step, if it cannot. */
  notStreamable?(spec: S, inputs: readonly ValueShape[]): string | undefined;
}

/** The parameters of a layer as the core reads them, one word after another. */
export function paramWords(params: Record<string, number | number[]>): number[] {
  return Object.values(params).flat();
}
