import { product } from '../../base/tensor.ts';
import { DTYPES } from '../../formats/pytorch/dtypes.ts';
import { SAFETENSORS_DTYPES } from '../../formats/pytorch.ts';
import { npyHeaderSize, readNpyHeader, swapped } from '../../io/npy.ts';
import { headerEnd, readHeader } from '../../io/safetensors.ts';
import { CommandError, EXIT } from '../exit.ts';
import type { ByteSource } from './bytes.ts';
import type { DataFormat } from './format.ts';
import { checkIds } from './ids.ts';
import type { Packed } from './packed.ts';
import { readWavHeader } from './wav.ts';

/** @param ids The values are ids below this number: as the file has them, for not all integers are a float32. */
function ofType(dtype: string, what: string, ids?: number): Pick<Packed, 'width' | 'floats'> {
  const { bytes: width, view, floats } = DTYPES[dtype] ?? { bytes: 0 };
  if (!view || !floats) throw new CommandError(EXIT.data, `${what}: values of type ${dtype} are not numbers of ours`);
  let before = 0;
  return {
    width,
    floats({ buffer, byteLength }) {
      const elements = view(buffer, 0, byteLength / width);
      const values = floats(elements, what);
      if (ids !== undefined) checkIds(/^u?int/.test(dtype) ? elements : values, ids, what, before);
      before += values.length;
      return values;
    },
  };
}

/** Finds the numbers of a file by what it begins with. undefined: they do not lie one after another, or there are several tensors. */
export async function findPacked(source: ByteSource, format: DataFormat, ids?: number): Promise<Packed | undefined> {
  const what = source.name;
  if (format === 'f32') return { start: 0, bytes: undefined, ...ofType('float32', what, ids) };
  if (format === 'wav') return readWavHeader(await source.peek(2 ** 16), what);
  if (format === 'npy') {
    const size = npyHeaderSize(await source.peek(12), what);
    const { dtype, shape, bigEndian, fortran, start } = readNpyHeader(await source.peek(size), what);
    if (fortran && shape.length > 1) return undefined;
    const { width, floats } = ofType(dtype, what, ids);
    const little = bigEndian ? (bytes: Uint8Array<ArrayBuffer>) => floats(swapped(bytes, width)) : floats;
    return { start, bytes: product(shape) * width, width, floats: little, shape };
  }
  if (format !== 'safetensors') return undefined;
  const start = headerEnd(await source.peek(8));
  const { entries } = readHeader(await source.peek(start));
  const [only, second] = entries;
  // A gap before it is for the reader of whole files to refuse, which does not pass over gigabytes.
  if (!only || second || only.begin !== 0) return undefined;
  const { shape, dtype, begin } = only;
  return { start: start + begin, bytes: only.end - begin, shape, ...ofType(SAFETENSORS_DTYPES[dtype], what, ids) };
}
