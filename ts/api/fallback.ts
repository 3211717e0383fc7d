import type { Backend } from '../backends/backend.ts';
import { wasmBackend, type WasmBinaries } from '../backends/wasm/index.ts';
import { GruError } from '../base/errors.ts';
import type { ModelOptions } from './options.ts';

/** The backend that is asked for: `auto` is wasm over these binaries where that runs, else JavaScript. */
export async function wasmOrJs<Js>(
  { backend = 'auto', deterministic = false, revectorize = false, onFallback = warnOnce }: ModelOptions,
  binaries: WasmBinaries,
  js: () => Js | Promise<Js>,
): Promise<Backend | Js> {
  if (backend === 'js') return js();
  try {
    return await wasmBackend({ deterministic, revectorize, binaries });
  } catch (error) {
    const unavailable = error instanceof GruError && error.code === 'backend_unavailable';
    if (backend === 'wasm' || !unavailable) throw error;
    const found = await js();
    onFallback(error);
    return found;
  }
}

let warned = false;

/** A model on JavaScript gives the same numbers, some ten times later: easily overlooked. */
function warnOnce({ message }: GruError): void {
  if (warned) return;
  warned = true;
  console.warn(`gru-wasm runs on JavaScript, slower: ${message} (to silence: onFallback)`);
}
