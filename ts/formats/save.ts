import { layerKind } from '../layers/index.ts';
import { checkFilled } from '../foreign.ts';
import type { ModelSpec } from '../spec.ts';
import { sizeOf } from '../typed-array.ts';
import { type TensorToWrite, writeSafetensors } from './safetensors-writer.ts';

/** The key of `__metadata__` that holds the spec, and the version of what is under it. */
export const METADATA_KEY = 'gru-wasm';
export const VERSION = 1;

/**
 * gru-wasm's own file: a safetensors file whose metadata hold the ModelSpec, without its weights, as JSON. Tensor `key` of
 * layer `L` is named `L/key` and has the shape that the kind of layer says.
 *
 * @throws GruError `unsupported` for `float16` and a weight that it cannot hold; `shape_mismatch` for weights whose array has been
 * resized or transferred since the model was made.
 */
export function saveModel(spec: ModelSpec, dtype: 'float32' | 'float16'): Uint8Array {
  const tensors: [string, TensorToWrite][] = [];
  const layers = spec.layers.map((layer) => {
    const { weights = {}, ...rest } = layer as typeof layer & { weights?: Record<string, Float32Array | undefined> };
    for (const { key, shape } of layerKind(layer.type)!.tensors(layer)) {
      const data = weights[key];
      if (data) checkFilled(`${layer.name}/${key}`, shape, sizeOf(data));
      if (data) tensors.push([`${layer.name}/${key}`, { dtype: dtype === 'float16' ? 'F16' : 'F32', shape, data }]);
    }
    return rest;
  });
  const description = JSON.stringify(sortKeys({ ...spec, layers, version: VERSION }));
  return writeSafetensors(Object.fromEntries(tensors), { [METADATA_KEY]: description });
}

/** The same value with the keys of each object in order. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sortKeys(entry)]),
  );
}
