import { layerKind } from '../layers/index.ts';
import { checkFilled } from '../base/foreign.ts';
import { dtyped, type IntDtype, type WeightTensor } from '../base/weights.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { sizeOf } from '../base/typed-array.ts';
import { quantize } from './quantize.ts';
import { type TensorToWrite, writeSafetensors } from '../io/safetensors-writer.ts';

/** The key of `__metadata__` that holds the spec, and the version of what is under it. */
export const METADATA_KEY = 'gru-wasm';
export const VERSION = 1;

/** What follows the name of a tensor of integers in that of its scales. */
export const SCALES = '.scales';

const STORED = { i16: 'I16', i8: 'I8' } as const;

export const STORED_DTYPES = ['float32', 'float16', 'i16', 'i8'] as const;

/** How weights are stored. Of `i16` and `i8` those alone that products are made with. */
export type StoredDtype = (typeof STORED_DTYPES)[number];

/**
 * gru-wasm's own file: a safetensors file whose metadata hold the ModelSpec, without its weights, as JSON. Tensor `key` of
 * layer `L` is named `L/key` and has the shape that the kind of layer says; the scales of integers are `L/key.scales`, one a row.
 *
 * @throws GruError `unsupported` for a weight that the dtype cannot hold; `shape_mismatch` for weights whose array has been
 * resized or transferred since the model was made.
 */
export function saveModel(spec: ModelSpec, dtype: StoredDtype): Uint8Array {
  const floats = dtype === 'float16' ? 'F16' : 'F32';
  const tensors: [string, TensorToWrite][] = [];
  const layers = spec.layers.map((layer) => {
    const { weights = {}, ...rest } = layer as typeof layer & { weights?: Record<string, WeightTensor | undefined> };
    for (const { key, shape, quantizable } of layerKind(layer.type)!.tensors(layer)) {
      let tensor = weights[key];
      if (!tensor) continue;
      const name = `${layer.name}/${key}`;
      if (quantizable && dtype in STORED) tensor = quantize(name, tensor, shape[0]!, dtype as IntDtype);
      const { dtype: kept, data, scales } = dtyped(tensor);
      checkFilled(name, shape, sizeOf(data));
      tensors.push([name, { dtype: kept === 'f32' ? floats : STORED[kept], shape, data }]);
      if (scales) tensors.push([name + SCALES, { dtype: 'F32', shape: shape.slice(0, 1), data: scales }]);
    }
    return rest;
  });
  const description = JSON.stringify(sortKeys({ ...spec, layers, version: VERSION }));
  return writeSafetensors(Object.fromEntries(tensors), { [METADATA_KEY]: description });
}

/** The same value with the keys of each object in order, and what JSON has no number for as text: what padding may hold. */
function sortKeys(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sortKeys(entry)]),
  );
}
