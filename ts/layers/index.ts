import type { LayerSpec } from '../spec.ts';
import { activation } from './activation.ts';
import { dense } from './dense.ts';
import { embedding } from './embedding.ts';
import { gru } from './gru.ts';
import type { LayerKind } from './kind.ts';
import { lstm } from './lstm.ts';
import { masking } from './masking.ts';
import { merge } from './merge.ts';
import { rnn } from './rnn.ts';
import { slice } from './slice.ts';
import { step } from './step.ts';

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
};

/** The kind of a layer, undefined for an unknown type. */
export function layerKind(type: unknown): LayerKind | undefined {
  return typeof type === 'string' && Object.hasOwn(LAYERS, type) ? LAYERS[type as LayerSpec['type']] : undefined;
}
