import { GruError } from '../base/errors.ts';

/** float64 rounded to nearest. @throws GruError `unsupported` for a number beyond float32: infinity would pass on in silence. */
export function doublesToFloats(doubles: Float64Array, what: string): Float32Array {
  const floats = new Float32Array(doubles);
  for (let i = 0; i < floats.length; i++) {
    if (Math.abs(floats[i]!) !== Infinity || floats[i] === doubles[i]) continue;
    throw new GruError('unsupported', `${what} holds ${doubles[i]!}, beyond float32, whose largest is 3.4e38`);
  }
  return floats;
}
