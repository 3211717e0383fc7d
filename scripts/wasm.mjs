import { at, cargoHome, root } from './lib.mjs';

/** Where the crate's own tests run in wasm: a target that has std, and so the harness. */
export const WASI_TARGET = 'wasm32-wasip1';

/** The builds and the target features of each. */
export const WASM_BUILDS = { baseline: '+simd128', relaxed: '+simd128,+relaxed-simd' };

/** The flavours of each build, as cargo's arguments: all kinds of layers, and those alone that most models need. */
export const WASM_FLAVOURS = { full: [], core: ['--no-default-features'] };

/** Folder in crate/pkg, and name in dist, of a flavour of a build. */
export const binaryName = (flavour, build) => (flavour === 'full' ? build : `${flavour}-${build}`);

/** Flags and target folder of one build: the build and clippy share them, so that neither rebuilds for the other. */
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
