export * from './api/runtime.ts';
export * from './api/types.ts';
export type { WasmModule } from './api/wasm-module.ts';
