import type { Backend } from '../../backends/backend.ts';
import { ownBinaries } from '../../backends/wasm/binaries.ts';
import { wasmBackend } from '../../backends/wasm/index.ts';
import { GruError } from '../../base/errors.ts';
import { onDemand } from '../../base/host.ts';
import { useAllKinds } from '../../layers/full.ts';
import { resolveGraph } from '../../spec/graph.ts';
import type { FindBackend } from '../origin.ts';

/**
 * A backend like the one of a model, with all kinds of layers and the kernels of integers.
 *
 * @param find That of the model. The one of `createGru` knows few kinds of layers alone, and no kernels of integers, so that programs which
 *   call nothing else bundle no others.
 * @param name Of the model's backend.
 */
export async function backendOfIntegers(find: FindBackend, name: string): Promise<Backend> {
  useAllKinds();
  const deterministic = name === 'wasm-baseline';
  const backend = await find({ backend: name === 'js' ? 'js' : 'wasm', deterministic }, 'full');
  if (isFull(backend)) return backend;
  if (name === 'js') return (await onDemand(() => import('../../backends/js/index.ts'))).jsBackend;
  return wasmBackend({ binaries: ownBinaries, deterministic });
}

/** Whether it has what {@link Variants} are made of: scales of features, and products of integers. */
function isFull(backend: Backend): boolean {
  const kernel = { dtype: 'i8' as const, data: Int8Array.of(1), scales: Float32Array.of(1) };
  const graph = resolveGraph({
    inputs: [{ name: 'x', dtype: 'float32', size: 1 }],
    layers: [
      { name: 'scale', type: 'scale', inputSize: 1, weights: { scale: Float32Array.of(1) } },
      { name: 'dense', type: 'dense', inputSize: 1, outputSize: 1, weights: { kernel } },
    ],
  });
  try {
    backend.compile(graph).free();
    return true;
  } catch (error) {
    if (error instanceof GruError && error.code === 'internal') return false;
    throw error;
  }
}
