import baselineModule from '../../../crate/pkg/baseline/gru_wasm_bg.wasm';
import relaxedModule from '../../../crate/pkg/relaxed/gru_wasm_bg.wasm';
import type { WasmBinaries } from './index.ts';

/** The two builds of the core, inlined; compiled when asked for. */
export const inlinedBinaries: WasmBinaries = { baseline: () => baselineModule(), relaxed: () => relaxedModule() };
