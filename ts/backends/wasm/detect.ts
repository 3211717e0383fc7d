// A module with one function: (param v128 v128 v128) f32x4.relaxed_madd, in the encoding of the relaxed SIMD proposal.
const RELAXED = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2,
  253, 133, 2, 11,
]);

// A module with one function: i32.const 0, i8x16.splat, of plain SIMD.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

/** No, where there is no WebAssembly, nor where somebody has put something else in its place. */
function validates(module: BufferSource): boolean {
  try {
    return WebAssembly.validate(module);
  } catch {
    return false;
  }
}

/** Whether this host runs WebAssembly SIMD (all since 2021 to 2023). */
export function hasSimd(): boolean {
  return validates(SIMD);
}

/** Whether this host runs relaxed SIMD (Node 22, Chrome 114, Firefox 145, Safari: behind a flag). */
export function hasRelaxedSimd(): boolean {
  return hasSimd() && validates(RELAXED);
}
