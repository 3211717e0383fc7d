/** Both builds of the core flavour, as packed.ts has those of the full one. */
export { default as packed } from '../../../crate/pkg/core-packed.wasm';
