import { GruError } from '../../base/errors.ts';
import { product, shapeText } from '../../base/tensor.ts';
import { type Elements, numericType } from './dtypes.ts';
import type { StorageRef } from './storage.ts';

/** A tensor of a pickle: a view of a storage. Nothing of the storage is read yet, and the view is not checked against it. */
export class TorchTensor {
  readonly storage: StorageRef;
  readonly dtype: string;
  /** In elements of `dtype`. */
  readonly offset: number;
  readonly shape: number[];
  readonly strides: number[];

  constructor(storage: StorageRef, dtype: string, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** Float32 values that may be made from one file, so that a small file (views with stride 0) cannot fill the memory. */
export class FloatBudget {
  private left: number;

  constructor(fileBytes: number) {
    this.left = 3 * fileBytes + 16 * 2 ** 20;
  }

  /** @throws GruError `unsupported` naming the tensor that is too much. */
  spend(what: string, shape: readonly number[]): void {
    this.left -= 4 * product(shape);
    if (this.left < 0) {
      throw new GruError(
        'unsupported',
        `${what} ${shapeText(shape)} is too large for its file: repeated (stride 0) values?`,
      );
    }
  }
}

/**
 * The values of a view, in row-major order.
 *
 * @param bytes All bytes of the storage.
 * @returns A view of `bytes` where that is possible: to be copied before it is kept.
 * @throws GruError `invalid_file` when the view leaves its storage, `unsupported` for a dtype that is no number, and a number beyond float32.
 */
export function tensorFloats(what: string, tensor: TorchTensor, bytes: Uint8Array): Float32Array {
  const { dtype, storage, shape, strides } = tensor;
  const type = numericType(dtype, what);
  const count = product(shape);
  if (count === 0) return new Float32Array(0);
  const offset = storage.start + tensor.offset;
  const last = shape.reduce((sum, d, i) => sum + (d - 1) * strides[i]!, tensor.offset);
  if (last >= storage.elements) {
    throw new GruError(
      'invalid_file',
      `${what} ${shapeText(shape)} reaches element ${last} of a storage of ${storage.elements}`,
    );
  }
  if ((storage.start + storage.elements) * type.bytes > bytes.length) {
    throw new GruError(
      'invalid_file',
      `${what}: its storage has ${storage.elements} elements of ${type.bytes} bytes, the file has ${bytes.length} bytes of it`,
    );
  }
  const span = last - tensor.offset + 1;
  const elements = viewElements(type, bytes, offset, span);
  return type.floats(isContiguous(shape, strides) ? elements : gather(elements, shape, strides, count), what);
}

function viewElements(type: ReturnType<typeof numericType>, bytes: Uint8Array, offset: number, span: number): Elements {
  const start = bytes.byteOffset + offset * type.bytes;
  if (start % type.bytes === 0) return type.view(bytes.buffer, start, span);
  // Not slice(): of a Buffer it is a view, whose buffer is the whole file.
  const aligned = new Uint8Array(bytes.subarray(offset * type.bytes, (offset + span) * type.bytes));
  return type.view(aligned.buffer, 0, span);
}

function isContiguous(shape: number[], strides: number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    if (strides[i] !== expected) return false;
    expected *= shape[i]!;
  }
  return true;
}

/** Copies a strided view, counting its index up like an odometer. */
function gather(elements: Elements, shape: number[], strides: number[], count: number): Elements {
  const out = new (elements.constructor as new (length: number) => Float32Array)(count);
  const source = elements as Float32Array;
  const inner = shape.length - 1;
  const width = shape[inner]!;
  const step = strides[inner]!;
  const index = new Array<number>(shape.length).fill(0);
  let row = 0;
  for (let at = 0; at < count;) {
    for (let i = 0; i < width; i++) out[at++] = source[row + i * step]!;
    for (let d = inner - 1; d >= 0; d--) {
      row += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      row -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}
