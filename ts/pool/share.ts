import { allocate } from '../base/limits.ts';
import { isFloats } from '../base/typed-array.ts';
import { dtyped, type IntWeights, weightsOf, type WeightTensor } from '../base/weights.ts';
import type { LayerSpec, ModelSpec } from '../spec/spec.ts';

/** 4-byte words that a tensor takes. */
function wordsOf(tensor: WeightTensor): number {
  const { data, scales } = dtyped(tensor);
  return Math.ceil(data.byteLength / 4) + (scales?.length ?? 0);
}

/**
 * The spec with all weights in one buffer of their own: shared memory where there is some, so that workers hold no copy of it.
 * (Structured cloning copies whole buffers, whatever part of them an array views.)
 *
 * @throws GruError `out_of_memory`.
 */
export function shareSpec(spec: ModelSpec): ModelSpec {
  const length = spec.layers
    .flatMap((layer) => Object.values(weightsOf(layer)))
    .reduce((n, tensor) => n + (tensor ? wordsOf(tensor) : 0), 0);
  const Memory = typeof SharedArrayBuffer === 'function' ? SharedArrayBuffer : ArrayBuffer;
  const buffer = allocate(length, "createPool: the workers' copy of the weights", () => new Memory(length * 4));
  let at = 0;
  const copyArray = <T extends Float32Array | Int16Array | Int8Array>(from: T): T => {
    const Type = from.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => T;
    const shared = new Type(buffer, at * 4, from.length);
    shared.set(from);
    at += Math.ceil(from.byteLength / 4);
    return shared;
  };
  const copy = (tensor: WeightTensor): WeightTensor =>
    isFloats(tensor)
      ? copyArray(tensor)
      : ({
          ...tensor,
          data: copyArray<Int16Array | Int8Array>(tensor.data),
          scales: copyArray(tensor.scales),
        } as IntWeights);
  const layers = spec.layers.map((layer) => {
    if (!('weights' in layer)) return layer;
    const entries = Object.entries(weightsOf(layer)).map(([key, weights]) => [key, weights && copy(weights)]);
    return { ...layer, weights: Object.fromEntries(entries) as unknown } as LayerSpec;
  });
  return { ...spec, layers };
}
