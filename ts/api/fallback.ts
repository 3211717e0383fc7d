import type { Backend } from '../backends/backend.ts';
import { wasmBackend, type WasmBinaries } from '../backends/wasm/index.ts';
import { GruError } from '../base/errors.ts';
import type { ModelOptions } from './api.ts';

/** The backend that is asked for: `auto` is wasm over these binaries where that runs, else JavaScript. */
export async function wasmOrJs(
  { backend = 'auto', deterministic = false, revectorize = false }: ModelOptions,
  binaries: WasmBinaries,
  js: () => Backend | Promise<Backend>,
): Promise<Backend> {
  if (backend !== 'js') {
    try {
      return await wasmBackend({ deterministic, revectorize, binaries });
    } catch (error) {
      const unavailable = error instanceof GruError && error.code === 'backend_unavailable';
      if (backend === 'wasm' || !unavailable) throw error;
    }
  }
  return js();
}
