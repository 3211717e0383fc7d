import { activation, type ActivationSpec } from './activation.ts';
import { conv1d, type Conv1dSpec } from './conv1d.ts';
import { attention, type AttentionSpec } from './attention.ts';
import { argmax, type ArgmaxSpec } from './argmax.ts';
import { dense, type DenseSpec } from './dense.ts';
import { embedding, type EmbeddingSpec } from './embedding.ts';
import { flatten, type FlattenSpec } from './flatten.ts';
import { gru, type GruSpec } from './gru.ts';
import type { Flavour, LayerKind } from './kind.ts';
import { lstm, type LstmSpec } from './lstm.ts';
import { masking, type MaskingSpec } from './masking.ts';
import { merge, type MergeSpec } from './merge.ts';
import { norm, type NormSpec } from './norm.ts';
import { pad, type PadSpec } from './pad.ts';
import { pool, type PoolSpec } from './pool.ts';
import { reduce, type ReduceSpec } from './reduce.ts';
import { repeat, type RepeatSpec } from './repeat.ts';
import { oneHot, type OneHotSpec } from './one-hot.ts';
import { reduceFeatures, type ReduceFeaturesSpec } from './reduce-features.ts';
import { rnn, type RnnSpec } from './rnn.ts';
import { scale, type ScaleSpec } from './scale.ts';
import { slice, type SliceSpec } from './slice.ts';
import { step, type StepSpec } from './step.ts';
import { timeSoftmax, type TimeSoftmaxSpec } from './time-softmax.ts';
import { weightedSum, type WeightedSumSpec } from './weighted-sum.ts';
import { unflatten, type UnflattenSpec } from './unflatten.ts';
import { upsample, type UpsampleSpec } from './upsample.ts';

/** A layer of a model. */
export type LayerSpec =
  | EmbeddingSpec
  | DenseSpec
  | ActivationSpec
  | MergeSpec
  | MaskingSpec
  | GruSpec
  | StepSpec
  | SliceSpec
  | LstmSpec
  | RnnSpec
  | ScaleSpec
  | NormSpec
  | Conv1dSpec
  | TimeSoftmaxSpec
  | WeightedSumSpec
  | AttentionSpec
  | ReduceSpec
  | FlattenSpec
  | UnflattenSpec
  | RepeatSpec
  | PoolSpec
  | UpsampleSpec
  | PadSpec
  | ReduceFeaturesSpec
  | OneHotSpec
  | ArgmaxSpec;

/** All kinds of layers, by type. */
export const LAYERS: { [T in LayerSpec['type']]: LayerKind<Extract<LayerSpec, { type: T }>> } = {
  embedding,
  dense,
  activation,
  merge,
  masking,
  gru,
  step,
  slice,
  lstm,
  rnn,
  scale,
  norm,
  conv1d,
  timeSoftmax,
  weightedSum,
  attention,
  reduce,
  flatten,
  unflatten,
  repeat,
  pool,
  upsample,
  pad,
  reduceFeatures,
  oneHot,
  argmax,
};

/** The kind of a layer, undefined for an unknown type. */
export function layerKind(type: unknown): LayerKind<LayerSpec> | undefined {
  return typeof type === 'string' && Object.hasOwn(LAYERS, type) ? LAYERS[type as LayerSpec['type']] : undefined;
}

/** The flavour of the binaries that has the kinds of these layers, which nobody has checked. */
export function flavourOf(layers: unknown): Flavour {
  const list: unknown[] = Array.isArray(layers) ? layers : [];
  return list.some((layer) => layerKind((layer as Partial<LayerSpec> | null)?.type)?.full) ? 'full' : 'core';
}
