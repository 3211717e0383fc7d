import type { WasmBinaries } from './index.ts';

/** The two builds of the core, inlined, each in a chunk of its own: a program loads the one that it runs. */
export const inlinedBinaries: WasmBinaries = {
  baseline: async () => (await import('../../../crate/pkg/baseline/gru_wasm_bg.wasm')).default(),
  relaxed: async () => (await import('../../../crate/pkg/relaxed/gru_wasm_bg.wasm')).default(),
};
