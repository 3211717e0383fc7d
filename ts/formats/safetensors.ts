/** The entry `gru-wasm/formats/safetensors`: tensors from files and to files. */
import { GruError } from '../base/errors.ts';
import { ownCopy } from '../base/own-copy.ts';
import { describe, isTensorLike, product } from '../base/tensor.ts';
import { isGone, kindOf, sizeOf } from '../base/typed-array.ts';
import { parseSafetensors as parse, type SafetensorsFile } from '../io/safetensors.ts';
import { type TensorToWrite, writeSafetensors as write } from '../io/safetensors-writer.ts';
import { checkBytes, checkRecord } from './arguments.ts';
import { isListOf } from './lists.ts';

export type { SafetensorsDtype, SafetensorsFile, SafetensorsTensor } from '../io/safetensors.ts';
export type { TensorToWrite } from '../io/safetensors-writer.ts';

/**
 * Reads the header of a safetensors file and checks all of it; no data are copied. The data may begin at any address.
 *
 * @throws GruError `invalid_file` saying what is wrong, `unsupported` for an unknown dtype, `invalid_argument` for what are no bytes.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  checkBytes('parseSafetensors', bytes);
  return parse(bytes);
}

/** The typed array of each dtype. */
const ARRAYS: Record<TensorToWrite['dtype'], string> = {
  F32: 'Float32Array',
  F16: 'Float32Array',
  I32: 'Int32Array',
  I16: 'Int16Array',
  I8: 'Int8Array',
};

/**
 * Makes a safetensors file; the same tensors give the same bytes. The data begin at a multiple of 8.
 *
 * @throws GruError `unsupported` for F16 and a finite value that it cannot hold, `invalid_argument` for data that are not of the dtype or
 *   the shape, or metadata that are no text; each names the tensor.
 */
export function writeSafetensors(
  tensors: Record<string, TensorToWrite>,
  metadata: Record<string, string> = {},
): Uint8Array {
  checkRecord('writeSafetensors: tensors', tensors);
  checkRecord('writeSafetensors: metadata', metadata);
  const own = Object.entries(tensors).map(([name, tensor]) => [name, ownTensor(name, tensor)] as const);
  const texts = Object.entries<unknown>(metadata).map(([key, text]) => {
    if (typeof text !== 'string') throw invalid(`metadata['${key}'] must be a string, got ${describe(text)}`);
    return [key, text] as const;
  });
  return write(Object.fromEntries(own), Object.fromEntries(texts));
}

function ownTensor(name: string, tensor: unknown): TensorToWrite {
  const what = `tensor '${name}'`;
  if (name === '__metadata__') throw invalid(`no tensor can have the name ${name}: the format keeps it for metadata`);
  if (!isTensorLike(tensor)) throw invalid(`${what} must be { dtype, shape, data }, got ${describe(tensor)}`);
  const { dtype, data, ...given } = tensor as unknown as TensorToWrite;
  const shape = ownCopy(given.shape);
  if (typeof dtype !== 'string' || !Object.hasOwn(ARRAYS, dtype))
    throw invalid(`${what}: dtype must be one of ${Object.keys(ARRAYS).join(', ')}, got ${describe(dtype)}`);
  if (kindOf(data) !== ARRAYS[dtype] || isGone(data))
    throw invalid(`${what}: data of ${dtype} must be a ${ARRAYS[dtype]}, got ${describe(data)}`);
  if (!isListOf(shape, isSize) || product(shape) !== sizeOf(data))
    throw invalid(
      `${what}: shape must be an array of whole numbers whose product is the ${sizeOf(data)} values of data, got ${describe(shape)}`,
    );
  return { dtype, shape, data };
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function invalid(message: string): GruError {
  return new GruError('invalid_argument', `writeSafetensors: ${message}`);
}
