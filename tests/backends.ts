import type { GruApi } from '../ts/api/api.ts';
import { createApi } from '../ts/api/create-api.ts';
import type { Backend } from '../ts/backends/backend.ts';
import { jsBackend } from '../ts/backends/js/index.ts';
import { ownBinaries } from '../ts/backends/wasm/binaries.ts';
import { instanceOf } from '../ts/backends/wasm/core.ts';
import { hasRelaxedSimd, wasmBackend } from '../ts/backends/wasm/index.ts';
import { built } from './built.ts';

/** A backend that the suites run on, and the functions of gru-wasm over it. */
export interface BackendCase {
  name: string;
  backend: Backend;
  api: GruApi;
  /** Whether its results are the same bits as those of the other exact ones. */
  exact: boolean;
}

function backendCase(backend: Backend): BackendCase {
  const exact = backend.name !== 'wasm-relaxed';
  return { name: backend.name, backend, api: createApi(() => Promise.resolve(backend)), exact };
}

/** Every backend that this host runs: `js`, `wasm-baseline` and, where there is relaxed SIMD, `wasm-relaxed`. */
export const BACKENDS: BackendCase[] = [backendCase(jsBackend)];

built('crate/pkg/packed.wasm');
const wasm = [await wasmBackend({ deterministic: true, binaries: ownBinaries })];
if (hasRelaxedSimd()) wasm.push(await wasmBackend({ binaries: ownBinaries }));
for (const backend of wasm) {
  // What its probe of the kernels takes and gives back should not show in tests of the memory.
  await backend.settled!();
  BACKENDS.push(backendCase(backend));
}

/** The memory of a wasm backend that runs. */
export function memoryOf(name: string): WebAssembly.Memory {
  const { backend } = BACKENDS.find((one) => one.name === name)!;
  return instanceOf(backend.shared!.module)!.engine.memory;
}
