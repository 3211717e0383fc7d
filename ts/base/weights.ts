import { isFloats } from './typed-array.ts';

/**
 * Rows of integers that stand for numbers by a scale each: value `i` of row `r` is `scales[r] * data[r * length + i]`, where a row is all
 * that has the same place in the first dimension of the tensor.
 */
export type IntWeights =
  | { readonly dtype: 'i16'; readonly data: Int16Array; readonly scales: Float32Array }
  | { readonly dtype: 'i8'; readonly data: Int8Array; readonly scales: Float32Array };

/** The tensor of a layer's weights that products are made with. A Float32Array is one of dtype `f32`. */
export type WeightTensor = Float32Array | IntWeights;

/** What the numbers of a tensor are kept in; the index of each is its number in crate/src/tensor.rs. */
export const DTYPES = ['f32', 'i16', 'i8'] as const;

/** What products of a layer are made with: float32, or integers of 16 or 8 bits. */
export type WeightDtype = (typeof DTYPES)[number];

export type IntDtype = IntWeights['dtype'];

/** A tensor by its dtype, what holds its values, and the scales of its rows. */
export interface DtypedTensor {
  readonly dtype: WeightDtype;
  readonly data: Float32Array | Int16Array | Int8Array;
  readonly scales?: Float32Array;
}

export function dtyped(tensor: WeightTensor): DtypedTensor {
  return isFloats(tensor) ? { dtype: 'f32', data: tensor } : tensor;
}

/** The values of a tensor as numbers, each rounded once; a Float32Array itself. */
export function numbersOf(tensor: WeightTensor): Float32Array {
  if (isFloats(tensor)) return tensor;
  const { data, scales } = tensor;
  const length = data.length / scales.length;
  return Float32Array.from(data, (q, i) => q * scales[Math.floor(i / length)]!);
}

/** The tensors of a layer by key; none of a layer of a kind without weights. */
export function weightsOf(layer: object): Record<string, WeightTensor | undefined> {
  return (layer as { weights?: Record<string, WeightTensor | undefined> }).weights ?? {};
}
