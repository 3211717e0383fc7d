/** What `@rollup/plugin-wasm` makes of a binary: called without imports it compiles the module. */
declare module '*.wasm' {
  const load: () => Promise<WebAssembly.Module>;
  export default load;
}
