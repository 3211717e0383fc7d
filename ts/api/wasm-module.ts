/** A `WebAssembly.Module`, by this name where the project's types have it: TypeScript's of the DOM do, those of Node do not. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } }
  ? Module
  : object;
