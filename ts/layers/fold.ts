import { isFloats } from '../base/typed-array.ts';
import type { WeightTensor } from '../base/weights.ts';

/** What a scale layer does to each feature, ready to be taken into the weights of a neighbour. */
export interface Affine {
  /** Undefined: 1, and 0. */
  scale: Float32Array | undefined;
  shift: Float32Array | undefined;
}

/** `outputs` rows of weights over inputs, and a bias for each. */
interface Linear {
  kernel: Float32Array;
  bias?: Float32Array | undefined;
}

/** W (scale x + shift) + b as a product with x: W scale, and b + W shift. In float64, rounded once. */
export function foldBefore({ kernel, bias }: Linear, { scale, shift }: Affine, outputs: number): Linear {
  const inputs = kernel.length / outputs;
  const sums = new Float64Array(outputs);
  for (let i = 0; shift && i < outputs; i++) {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += kernel[i * inputs + k]! * shift[k]!;
    sums[i] = sum;
  }
  return {
    kernel: scale ? kernel.map((w, i) => w * scale[i % inputs]!) : kernel,
    bias: shift ? Float32Array.from(sums, (sum, i) => sum + (bias?.[i] ?? 0)) : bias,
  };
}

/** scale (W x + b) + shift as a product with x. */
export function foldBehind({ kernel, bias }: Linear, { scale, shift }: Affine, outputs: number): Linear {
  const inputs = kernel.length / outputs;
  const added = shift ?? (bias && new Float32Array(outputs));
  return {
    kernel: scale ? kernel.map((w, i) => w * scale[Math.floor(i / inputs)]!) : kernel,
    bias: added?.map((t, i) => (bias?.[i] ?? 0) * (scale?.[i] ?? 1) + t),
  };
}

/** A layer of such weights with what `fold` makes of them; undefined for integers. */
export function withFolded<S extends { outputSize: number; weights: { kernel: WeightTensor; bias?: Float32Array } }>(
  spec: S,
  fold: typeof foldBefore,
  affine: Affine,
): S | undefined {
  if (!isFloats(spec.weights.kernel)) return undefined;
  const { kernel, bias } = fold({ ...spec.weights, kernel: spec.weights.kernel }, affine, spec.outputSize);
  return { ...spec, weights: bias ? { kernel, bias } : { kernel } };
}

/** scale (own.scale x + own.shift) + shift. */
export function composeAffine(
  own: Partial<Affine>,
  { scale, shift }: Affine,
): { scale?: Float32Array; shift?: Float32Array } {
  const factor = own.scale && scale ? scale.map((s, i) => s * own.scale![i]!) : (scale ?? own.scale);
  const moved = own.shift?.map((t, i) => t * (scale?.[i] ?? 1) + (shift?.[i] ?? 0)) ?? shift;
  return { ...(factor ? { scale: factor } : {}), ...(moved ? { shift: moved } : {}) };
}
