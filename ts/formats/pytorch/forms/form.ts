import type { InputSpec, LayerSpec, ValueRef } from '../../../spec/spec.ts';
import type { StackLayer } from '../recurrent.ts';
import type { Tensors } from '../tensors.ts';
import type { Shapes } from '../names.ts';
import type { Check } from './checks.ts';

/** What most lines of a wiring have. */
export interface PytorchLayerBase {
  /** Name of the layer. Default: the module's name, or the kind of layer. */
  name?: string | undefined;
  /** What it reads: a layer, a port of one (`gru:last`), or an input. Default: the layer before, at first the model's input. */
  from?: ValueRef | undefined;
}

/**
 * One form of a line of the wiring, `{ gru: 'rnn', returns: 'last' }`: all that is known of it. `K` is the field that names it, `L` the
 * line's type.
 */
export interface Form<K extends string, L extends object> {
  /** Of the field that names the form. `MODULE`: it is a module of the state dict, and the layer is called by it. */
  value: Check;
  /** Of all other fields. */
  fields: Readonly<Record<Exclude<keyof L, K>, Check>>;
  /** PyTorch's name for a module with such tensors, if this form reads it. */
  looks?: (tensors: Shapes) => string | undefined;
  /**
   * The layers that the line becomes, the last of which gives its value. Tensors are taken (and so checked) now and read by `load`.
   *
   * @throws GruError for tensors that do not fit.
   */
  read: (line: L, place: Place) => Pending | Pending[];
}

/** A layer of the spec whose weights are still in the file. */
export interface Pending {
  /** Default: the line's name. */
  name?: string;
  /** Default: what the line reads. */
  inputs?: ValueRef[];
  /** Its spec; name and inputs are put in from here. */
  load: () => LayerSpec | Promise<LayerSpec>;
  /** Of a layer of a recurrent module: what others may take its states by. */
  stack?: StackLayer;
}

/** Where a line stands in the wiring, and what it may use. */
export interface Place {
  /** The line's name: that of its layer or, of several, the one that stands for the last. */
  readonly name: string;
  /** What it reads, by name. */
  readonly source: ValueRef;
  readonly tensors: Tensors;
  /** Says what the line needs to read: of a model's first line, that is the model's input. */
  readonly takes: (size: number, dtype?: InputSpec['dtype']) => void;
  /** A reference as the user writes it: the name of a line stands for its last layer. */
  readonly resolve: (ref: ValueRef) => ValueRef;
  /** Adds a layer before the line's own, under a name like the one given. */
  readonly add: (layer: Pending & { name: string }) => ValueRef;
  /** The layers of a recurrent module of a line before. */
  readonly stack: (name: string) => StackLayer[] | undefined;
  /** Whether a line before or an input has this name. */
  readonly isValue: (name: string) => boolean;
  /** Tells the report what was decided. */
  readonly note: (text: string) => void;
}
