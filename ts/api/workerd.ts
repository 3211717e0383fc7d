import baseline from './baseline.wasm';
import relaxed from './relaxed.wasm';
import { createApi } from './create-api.ts';
import { jsBackend } from '../backends/js/index.ts';
import type { WasmBinaries } from '../backends/wasm/index.ts';
import { wasmOrJs } from './fallback.ts';

/** In workerd (Cloudflare Workers) wasm comes as modules alone: compiling bytes is forbidden there. */
const binaries: WasmBinaries = {
  baseline: () => Promise.resolve(baseline as unknown as WebAssembly.Module),
  relaxed: () => Promise.resolve(relaxed as unknown as WebAssembly.Module),
  stillClock: true,
};

/** What `gru-wasm` is under the export condition `workerd`. */
export const { loadModel, inspect, createModel, createGru, createLstm, createRnn } = createApi((options) =>
  wasmOrJs(options, binaries, () => jsBackend),
);
