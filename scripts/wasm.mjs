import { at, cargoHome, root } from './lib.mjs';

/** Where the crate's own tests run in wasm: a target that has std, and so the harness. */
export const WASI_TARGET = 'wasm32-wasip1';

/** The binaries and the target features of each. */
export const WASM_BUILDS = { baseline: '+simd128', relaxed: '+simd128,+relaxed-simd' };

/** Flags and target folder of one binary: the build and clippy share them, so that neither rebuilds for the other. */
export function wasmEnv(name) {
  const flags = [
    `-Ctarget-feature=${WASM_BUILDS[name]}`,
    // The 12-wide kernels lose most of their speed without these two: see bench/.
    '-Cllvm-args=-disable-lsr',
    '-Cllvm-args=-pre-RA-sched=source',
    // All but the last of 4 GB's pages: with it, the heap would end at 2^32, which is 0 to the allocator.
    `-Clink-arg=--max-memory=${65_535 * 65_536}`,
    `--remap-path-prefix=${cargoHome}=/cargo`,
    `--remap-path-prefix=${root}=/gru-wasm`,
  ];
  return { CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f'), CARGO_TARGET_DIR: at('target', `wasm-${name}`) };
}
