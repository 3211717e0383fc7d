/** Both builds of the core, all kinds of layers, as scripts/pack-wasm.mjs packs them; {@link unpack} makes them binaries. */
export { default as packed } from '../../../crate/pkg/packed.wasm';
