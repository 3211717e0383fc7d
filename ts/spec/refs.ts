import { layerKind } from '../layers/index.ts';
import type { LayerSpec, ValueRef } from './spec.ts';

/** The name of the input or layer that a value is of: `gru:forwardState` is of the layer gru. */
export function nameOf(ref: ValueRef): string {
  return ref.split(':')[0]!;
}

/** What a layer reads beside its inputs: states, masks. */
export function extrasOf(layer: LayerSpec): ValueRef[] {
  return (layerKind(layer.type)?.extraInputs?.(layer) ?? []).filter((ref) => ref !== undefined);
}
