import { DTYPES } from '../base/weights.ts';
import { describe, product } from '../base/tensor.ts';
import { isFloats, kindOf, sizeOf } from '../base/typed-array.ts';
import { specError } from './check.ts';
import type { TensorSlot } from './kind.ts';
import type { AnyLayer } from './spec.ts';

const FIELDS = ['dtype', 'data', 'scales'];

/** Checks the integers and scales of a tensor. @throws GruError `invalid_spec` naming the layer, the tensor and the field. */
export function checkIntWeights(layer: AnyLayer, { key, shape }: TensorSlot, given: Record<string, unknown>): void {
  const { dtype, data, scales } = given;
  const must = (field: string, expected: string, got: unknown) =>
    specError(layer, `weights['${key}'].${field} must be ${expected}, got ${describe(got)}`);
  const array = dtype === 'i16' ? 'Int16Array' : 'Int8Array';
  if (dtype !== 'i16' && dtype !== 'i8') throw must('dtype', DTYPES.slice(1).join(' or '), dtype);
  if (kindOf(data) !== array || sizeOf(data as ArrayBufferView) !== product(shape)) {
    throw must('data', `an ${array} of ${product(shape)} values`, data);
  }
  if (!isFloats(scales) || sizeOf(scales) !== shape[0])
    throw must('scales', `a Float32Array of ${shape[0]} values`, scales);
  const strange = scales.findIndex((scale) => !Number.isFinite(scale));
  if (strange >= 0) throw must('scales', 'finite', scales[strange]);
  const stray = Object.keys(given).find((field) => !FIELDS.includes(field));
  if (stray !== undefined) throw specError(layer, `weights['${key}'] has the unknown field '${stray}'`);
}
