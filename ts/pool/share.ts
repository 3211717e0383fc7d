import { allocate } from '../base/limits.ts';
import type { LayerSpec, ModelSpec } from '../spec/spec.ts';

type Weights = Record<string, Float32Array | undefined>;

const weightsOf = (layer: LayerSpec): Weights => ('weights' in layer ? layer.weights : {});

/**
 * The spec with all weights in one buffer of their own: shared memory where there is some, so that workers hold no copy of it.
 * (Structured cloning copies whole buffers, whatever part of them an array views.)
 *
 * @throws GruError `out_of_memory`.
 */
export function shareSpec(spec: ModelSpec): ModelSpec {
  const length = spec.layers
    .flatMap((layer) => Object.values(weightsOf(layer)))
    .reduce((n, weights) => n + (weights?.length ?? 0), 0);
  const Memory = typeof SharedArrayBuffer === 'function' ? SharedArrayBuffer : ArrayBuffer;
  const buffer = allocate(length, "createPool: the workers' copy of the weights", () => new Memory(length * 4));
  let at = 0;
  const copy = (weights: Float32Array) => {
    const shared = new Float32Array(buffer, at * 4, weights.length);
    shared.set(weights);
    at += weights.length;
    return shared;
  };
  const layers = spec.layers.map((layer) => {
    if (!('weights' in layer)) return layer;
    const entries = Object.entries(weightsOf(layer)).map(([key, weights]) => [key, weights && copy(weights)]);
    return { ...layer, weights: Object.fromEntries(entries) as Weights } as LayerSpec;
  });
  return { ...spec, layers };
}
