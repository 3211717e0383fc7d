import type { LayerSpec } from '../layers/index.ts';
import type { ValueKind, ValueRef } from '../layers/spec.ts';

export type { LayerSpec };
export type { IntWeights, WeightTensor } from '../base/weights.ts';
export type { ActivationSpec } from '../layers/activation.ts';
export type { ArgmaxSpec } from '../layers/argmax.ts';
export type { Conv1dSpec } from '../layers/conv1d.ts';
export type { WindowPadding } from '../layers/windows.ts';
export type { AttentionSpec } from '../layers/attention.ts';
export type { DenseSpec } from '../layers/dense.ts';
export type { EmbeddingSpec } from '../layers/embedding.ts';
export type { FlattenSpec } from '../layers/flatten.ts';
export type { GruSpec, GruWeights } from '../layers/gru.ts';
export type { LstmSpec, LstmWeights } from '../layers/lstm.ts';
export type { MaskingSpec } from '../layers/masking.ts';
export type { MergeSpec } from '../layers/merge.ts';
export type { OneHotSpec } from '../layers/one-hot.ts';
export type { NormSpec } from '../layers/norm.ts';
export type { RecurrentBase, RecurrentWeights } from '../layers/recurrent.ts';
export type { PadSpec } from '../layers/pad.ts';
export type { PoolSpec } from '../layers/pool.ts';
export type { ReduceSpec } from '../layers/reduce.ts';
export type { RepeatSpec } from '../layers/repeat.ts';
export type { ReduceFeaturesSpec } from '../layers/reduce-features.ts';
export type { IdsSpec } from '../layers/ids.ts';
export type { ReverseSpec } from '../layers/reverse.ts';
export type { SineSpec } from '../layers/sine.ts';
export type { RnnSpec, RnnWeights } from '../layers/rnn.ts';
export type { ScaleSpec } from '../layers/scale.ts';
export type { SliceSpec } from '../layers/slice.ts';
export type { Activation, ActivationName, LayerBase, RowActivation, ValueKind, ValueRef } from '../layers/spec.ts';
export type { StepSpec } from '../layers/step.ts';
export type { TimeSoftmaxSpec } from '../layers/time-softmax.ts';
export type { WeightedSumSpec } from '../layers/weighted-sum.ts';
export type { UnflattenSpec } from '../layers/unflatten.ts';
export type { UpsampleSpec } from '../layers/upsample.ts';

/**
 * The canonical, serialisable description of a model: a small graph of layers by name. Importers produce it, `save()`
 * writes it, both backends compile it. All weights are output-major, one row of memory an output unit, and float32;
 * those of products may be integers with a scale a row ({@link WeightTensor}).
 */
export interface ModelSpec {
  /** What the model takes. */
  inputs: InputSpec[];
  /** In an order in which each layer comes after those it reads. */
  layers: LayerSpec[];
  /** What `run` returns. A string stands for `{ name, from: name }`. Left out: the last layer. */
  outputs?: (string | OutputSpec)[];
}

/** An input of a model. */
export interface InputSpec {
  /** By which layers read it, and `run` takes it. */
  name: string;
  /** `float32` features or `int32` ids. */
  dtype: 'float32' | 'int32';
  /** Features a row; 1 for ids. */
  size: number;
  /** `sequence` (the default): one row a step, (batch, steps, size). `vector`: one row a sequence, (batch, size). */
  kind?: ValueKind;
  /**
   * Dimensions of a row in the arrays that `run` takes, whose product is `size`: `[8, 2]` for (batch, steps, 8, 2), `[]` for one number
   * a row, (batch, steps). Default `[size]`; of ids `[]`.
   */
  row?: readonly number[];
  /**
   * The time axis that a sequence lies on. Values of one axis have the same steps; an encoder and a decoder of different lengths have
   * an axis each. Default `time`.
   */
  axis?: string;
}

/** An output of a model: a name for a layer's value. */
export interface OutputSpec {
  /** By which results have it. */
  name: string;
  /** The value that it is. */
  from: ValueRef;
  /** Dimensions of a row in the arrays that `run` returns, as an input's. Default: as many as `from` has values a row; of ids `[]`. */
  row?: readonly number[];
}
