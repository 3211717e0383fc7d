import { activation, type ActivationSpec } from './activation.ts';
import type { Conv1dSpec } from './conv1d.ts';
import type { AttentionSpec } from './attention.ts';
import type { ArgmaxSpec } from './argmax.ts';
import { dense, type DenseSpec } from './dense.ts';
import { embedding, type EmbeddingSpec } from './embedding.ts';
import type { FlattenSpec } from './flatten.ts';
import type { IdsSpec } from './ids.ts';
import { isRecord } from '../base/tensor.ts';
import { gru, type GruSpec } from './gru.ts';
import type { checkIntWeights } from './int-weights.ts';
import type { Flavour, LayerKind } from './kind.ts';
import { lstm, type LstmSpec } from './lstm.ts';
import { masking, type MaskingSpec } from './masking.ts';
import type { MergeSpec } from './merge.ts';
import type { Nesting } from './nesting.ts';
import type { NormSpec } from './norm.ts';
import type { PadSpec } from './pad.ts';
import type { countsFit } from './past.ts';
import type { PoolSpec } from './pool.ts';
import type { ReduceSpec } from './reduce.ts';
import type { RepeatSpec } from './repeat.ts';
import type { OneHotSpec } from './one-hot.ts';
import type { ReduceFeaturesSpec } from './reduce-features.ts';
import type { ReverseSpec } from './reverse.ts';
import type { SineSpec } from './sine.ts';
import { rnn, type RnnSpec } from './rnn.ts';
import type { ScaleSpec } from './scale.ts';
import type { SliceSpec } from './slice.ts';
import { step, type StepSpec } from './step.ts';
import type { TimeSoftmaxSpec } from './time-softmax.ts';
import type { WeightedSumSpec } from './weighted-sum.ts';
import type { UnflattenSpec } from './unflatten.ts';
import type { UpsampleSpec } from './upsample.ts';

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
  | ArgmaxSpec
  | ReverseSpec
  | IdsSpec
  | SineSpec;

type Kinds<Type extends LayerSpec['type']> = { [T in Type]: LayerKind<Extract<LayerSpec, { type: T }>> };

/** Kinds of the core flavour, by type. */
export const CORE_LAYERS = {
  embedding,
  dense,
  activation,
  masking,
  gru,
  step,
  lstm,
  rnn,
} satisfies Partial<Kinds<LayerSpec['type']>>;

/** The kinds of the full flavour beside those of the core. */
export type FullLayers = Kinds<Exclude<LayerSpec['type'], keyof typeof CORE_LAYERS>>;

const kinds = new Map<string, LayerKind<LayerSpec>>(Object.entries(CORE_LAYERS));

/** What full.ts brings besides kinds of layers: models that need it have one of those, or weights of integers. */
export interface FullRules {
  nesting: Nesting;
  checkIntegers: typeof checkIntWeights | undefined;
  countsFit?: typeof countsFit;
}

/** No kind of the core makes steps of steps. */
export const rules: FullRules = { nesting: () => undefined, checkIntegers: undefined };

/** Makes what full.ts has known: a module of its own, for programs of recurrent layers alone do without. */
export function addKinds(more: FullLayers, full: FullRules): void {
  for (const [type, kind] of Object.entries(more)) kinds.set(type, kind);
  Object.assign(rules, full);
}

/** The kind of a layer, undefined for an unknown type. */
export function layerKind(type: unknown): LayerKind<LayerSpec> | undefined {
  return kinds.get(type as string);
}

/** The types that are known. */
export function layerTypes(): string[] {
  return [...kinds.keys()];
}

/** Whether some tensor of a layer, which nobody has checked, is of integers. */
function hasIntWeights(layer: unknown): boolean {
  const weights = isRecord(layer) ? layer['weights'] : undefined;
  return isRecord(weights) && Object.values(weights).some(isRecord);
}

/** The flavour of the binaries, and of the kinds, that has these layers and their dtypes, which nobody has checked. */
export function flavourOf(layers: unknown): Flavour {
  const list: unknown[] = Array.isArray(layers) ? layers : [];
  const isCore = (type: unknown) => typeof type !== 'string' || Object.hasOwn(CORE_LAYERS, type);
  const needsFull = (layer: unknown) => !isCore((layer as Partial<LayerSpec> | null)?.type) || hasIntWeights(layer);
  return list.some(needsFull) ? 'full' : 'core';
}
