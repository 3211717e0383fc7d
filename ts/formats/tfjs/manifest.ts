import { GruError } from '../../base/errors.ts';
import { isRecord, product } from '../../base/tensor.ts';
import { halvesToFloats } from '../../io/half.ts';
import type { WeightTensor } from '../keras/weights.ts';
import type { ImportContext } from '../report.ts';

/** Bytes a value, by type: of the weights, and of quantized ones. */
const BYTES: Record<string, number> = { float32: 4, int32: 4, bool: 1 };
const QUANTIZED_BYTES: Record<string, number> = { uint8: 1, uint16: 2, float16: 2 };

/** Fields of a weight. */
const FIELDS = ['name', 'shape', 'dtype', 'quantization', 'group'];

interface Entry {
  name: string;
  shape: number[];
  dtype: string;
  quantization: { dtype: string; min: number; scale: number } | undefined;
  ofOptimizer: boolean;
}

/** What the shards hold. */
export interface Manifest {
  tensors: WeightTensor[];
  /** Weights of the optimizer's state, which are passed over: of a model saved with `includeOptimizer`. */
  ofOptimizer: number;
}

/** Reads `weightsManifest`: groups of weights that follow each other in the bytes of the group's shards. */
export async function readManifest(manifest: unknown, what: string, context: ImportContext): Promise<Manifest> {
  const invalid = (why: string) => new GruError('invalid_file', `${what}: weightsManifest: ${why}`);
  if (!Array.isArray(manifest)) throw invalid('it is missing');
  const tensors: WeightTensor[] = [];
  let ofOptimizer = 0;
  const seen = new Set<string>();
  const shards = new Set<string>();
  for (const group of manifest as unknown[]) {
    if (!isRecord(group) || !Array.isArray(group['paths']) || !Array.isArray(group['weights'])) {
      throw invalid('a group has no paths or no weights');
    }
    const entries = (group['weights'] as unknown[]).map((weight) => readEntry(weight, what));
    const needed = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    const bytes = await readShards(group['paths'] as unknown[], needed, shards, what, context);
    let offset = 0;
    for (const entry of entries) {
      if (seen.has(entry.name)) throw invalid(`two weights have the name '${entry.name}'`);
      seen.add(entry.name);
      const size = sizeOf(entry);
      if (size > bytes.length - offset) {
        throw invalid(`weight '${entry.name}' needs ${size} bytes, the shards have ${bytes.length - offset} left`);
      }
      if (entry.ofOptimizer) ofOptimizer++;
      else tensors.push(toTensor(entry, bytes.subarray(offset, offset + size)));
      offset += size;
    }
    if (offset !== bytes.length) throw invalid(`the shards have ${bytes.length - offset} bytes more than the weights`);
  }
  return { tensors, ofOptimizer };
}

function sizeOf({ shape, dtype, quantization }: Entry): number {
  return product(shape) * (quantization ? QUANTIZED_BYTES[quantization.dtype]! : BYTES[dtype]!);
}

/**
 * The shards of a group, one after the other: a tensor may go on in the next one. A shard is in one group, once, and they are
 * put together only while the weights need them: else a short list of one shard would take any memory.
 */
async function readShards(
  paths: unknown[],
  needed: number,
  seen: Set<string>,
  what: string,
  { sidecar }: ImportContext,
): Promise<Uint8Array> {
  const shards: Uint8Array[] = [];
  let length = 0;
  for (const path of paths) {
    if (typeof path !== 'string') throw new GruError('invalid_file', `${what}: the path of a shard is no text`);
    const name = path.replace(/^\.\//, '');
    if (seen.has(name)) throw new GruError('invalid_file', `${what}: a shard is listed twice: '${name.slice(0, 80)}'`);
    seen.add(name);
    const shard = await sidecar?.(name);
    if (!shard) {
      throw new GruError(
        'io',
        `${what}: its weights are in '${path}', which is not there; keep the files in one folder`,
      );
    }
    length += shard.length;
    if (length > needed) {
      throw new GruError(
        'invalid_file',
        `${what}: weightsManifest: the shards have ${length - needed} bytes more than the weights`,
      );
    }
    shards.push(shard);
  }
  if (shards.length === 1) return shards[0]!;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const shard of shards) {
    bytes.set(shard, offset);
    offset += shard.length;
  }
  return bytes;
}

function readEntry(value: unknown, what: string): Entry {
  const invalid = (why: string) => new GruError('invalid_file', `${what}: weightsManifest: ${why}`);
  if (!isRecord(value)) throw invalid('a weight is no object');
  const { name, shape, dtype, quantization, group } = value;
  if (typeof name !== 'string') throw invalid('a weight has no name');
  const stray = Object.keys(value).find((key) => !FIELDS.includes(key));
  if (stray !== undefined)
    throw new GruError('unsupported', `${what}: weight '${name}' has the unknown field '${stray}'`);
  if (!Array.isArray(shape) || !shape.every((d) => Number.isSafeInteger(d) && Number(d) >= 0)) {
    throw invalid(`weight '${name}' has no shape`);
  }
  if (typeof dtype !== 'string' || !Object.hasOwn(BYTES, dtype)) {
    throw new GruError(
      'unsupported',
      `${what}: weight '${name}' is ${String(dtype)}; supported: ${Object.keys(BYTES).join(', ')}`,
    );
  }
  return {
    name,
    shape: shape as number[],
    dtype,
    quantization: readQuantization(quantization, name, what),
    ofOptimizer: group === 'optimizer',
  };
}

function readQuantization(value: unknown, name: string, what: string): Entry['quantization'] {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) throw new GruError('invalid_file', `${what}: weight '${name}': quantization is no object`);
  const { dtype, min, scale, original_dtype: original = 'float32', ...rest } = value;
  const stray = Object.keys(rest)[0];
  if (
    typeof dtype !== 'string' ||
    !Object.hasOwn(QUANTIZED_BYTES, dtype) ||
    original !== 'float32' ||
    stray !== undefined
  ) {
    throw new GruError(
      'unsupported',
      `${what}: weight '${name}' is quantized as ${JSON.stringify(value)}; supported: ${Object.keys(QUANTIZED_BYTES).join(', ')} of float32`,
    );
  }
  if (dtype === 'float16') return { dtype, min: 0, scale: 1 };
  if (typeof min !== 'number' || typeof scale !== 'number') {
    throw new GruError('invalid_file', `${what}: weight '${name}': quantization to ${dtype} needs min and scale`);
  }
  if (!Number.isFinite(min) || !Number.isFinite(scale) || scale <= 0) {
    throw new GruError(
      'invalid_file',
      `${what}: weight '${name}': quantization with scale ${scale} and min ${min}: they must be finite, the scale above 0`,
    );
  }
  return { dtype, min, scale };
}

function toTensor({ name, shape, dtype, quantization }: Entry, bytes: Uint8Array): WeightTensor {
  return {
    name,
    shape,
    dtype: quantization ? `${dtype} as ${quantization.dtype}` : dtype,
    floats(shared = false) {
      if (dtype !== 'float32') throw new GruError('unsupported', `weight '${name}' is ${dtype}; supported: float32`);
      const isFree = (shared || quantization !== undefined) && bytes.byteOffset % 4 === 0;
      const { buffer, byteOffset } = isFree ? bytes : new Uint8Array(bytes);
      const count = product(shape);
      if (!quantization) return new Float32Array(buffer, byteOffset, count);
      if (quantization.dtype === 'float16') return halvesToFloats(new Uint16Array(buffer, byteOffset, count));
      const { min, scale } = quantization;
      const isByte = quantization.dtype === 'uint8';
      const codes = isByte ? new Uint8Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count);
      const result = new Float32Array(codes.length);
      for (let i = 0; i < result.length; i++) result[i] = codes[i]! * scale + min;
      return result;
    },
  };
}
