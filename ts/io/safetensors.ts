import { GruError } from '../base/errors.ts';
import { product } from '../base/tensor.ts';
import { doublesToFloats } from './double.ts';
import { halvesToFloats } from './half.ts';
import { BACKSLASH, BRACE, COLON, parseJson, QUOTE, utf8 } from './json.ts';

/**
 * The safetensors format: u64 length of the header, header (a JSON object of name -> dtype, shape, data_offsets), data.
 * Specification: https://huggingface.co/docs/safetensors.
 */

/** Bytes a value. */
// prettier-ignore
const DTYPES = {
  BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1,
  I16: 2, U16: 2, F16: 2, BF16: 2,
  I32: 4, U32: 4, F32: 4,
  I64: 8, U64: 8, F64: 8,
};

/** An element type, as the format calls it. */
export type SafetensorsDtype = keyof typeof DTYPES;

/** The specification's limit. */
const MAX_HEADER = 100_000_000;

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** `__metadata__`. */
  metadata: Record<string, string>;
  /** By name, in the order of the header. */
  tensors: Map<string, SafetensorsTensor>;
}

/** A tensor of the header, its place counted from the first byte of the data. */
interface Entry {
  name: string;
  dtype: SafetensorsDtype;
  shape: number[];
  begin: number;
  end: number;
}

/** A tensor of a file. It refers to the file's bytes; what it returns are copies. */
export class SafetensorsTensor {
  /** In the file. */
  readonly name: string;
  /** Of its elements. */
  readonly dtype: SafetensorsDtype;
  /** Dimensions; none for one number. */
  readonly shape: number[];
  private readonly data: Uint8Array;
  private readonly begin: number;
  private readonly end: number;

  constructor({ name, dtype, shape, begin, end }: Entry, data: Uint8Array) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
    this.begin = begin;
    this.end = end;
  }

  /** Made when asked for: of many tensors a view costs more than the rest. */
  get bytes(): Uint8Array {
    return this.data.subarray(this.begin, this.end);
  }

  /** F32, F16 and BF16 exactly, F64 rounded. @throws GruError `unsupported` for another dtype, and a number beyond float32. */
  floats(): Float32Array {
    const { buffer } = new Uint8Array(this.bytes);
    switch (this.dtype) {
      case 'F32':
        return new Float32Array(buffer);
      case 'F64':
        return doublesToFloats(new Float64Array(buffer), `tensor '${this.name}'`);
      case 'F16':
        return halvesToFloats(new Uint16Array(buffer));
      case 'BF16':
        return brainFloats(new Uint16Array(buffer));
      default:
        throw new GruError('unsupported', `tensor '${this.name}' is ${this.dtype}; expected F32, F16, BF16 or F64`);
    }
  }

  /** I16 and I8 as they are; undefined for another dtype. */
  shortInts(): Int16Array | Int8Array | undefined {
    if (this.dtype === 'I16') return new Int16Array(new Uint8Array(this.bytes).buffer);
    return this.dtype === 'I8' ? new Int8Array(this.bytes) : undefined;
  }

  /** I32, and I64 that fit. @throws GruError `unsupported` for another dtype or a value outside of int32. */
  ints(): Int32Array {
    const { buffer } = new Uint8Array(this.bytes);
    if (this.dtype === 'I32') return new Int32Array(buffer);
    if (this.dtype !== 'I64') {
      throw new GruError('unsupported', `tensor '${this.name}' is ${this.dtype}; expected I32 or I64`);
    }
    return Int32Array.from(new BigInt64Array(buffer), (value) => {
      if (BigInt.asIntN(32, value) === value) return Number(value);
      throw new GruError('unsupported', `tensor '${this.name}' holds ${value.toString()}, which is no int32`);
    });
  }
}

function brainFloats(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < words.length; i++) words[i] = halves[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Whether bytes begin as a safetensors file does. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length >= 9 && bytes[8] === 0x7b && headerLength(bytes) <= MAX_HEADER;
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

function invalid(message: string): GruError {
  return new GruError('invalid_file', `safetensors: ${message}`);
}

/** Whether the header of a safetensors file holds a name, without parsing it. */
export function headerNames(bytes: Uint8Array, name: string): boolean {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  // What is no ASCII is read wrongly, and not looked for: 15 times as fast as a search byte by byte.
  return new TextDecoder('latin1').decode(bytes.subarray(8, 8 + length)).includes(`"${name}"`);
}

/** Where the header ends, by the first 8 bytes of a file. @throws GruError `invalid_file`. */
export function headerEnd(bytes: Uint8Array): number {
  if (bytes.length < 8) throw invalid(`the file has ${bytes.length} bytes, not even a header's length`);
  const length = headerLength(bytes);
  if (length > MAX_HEADER) throw invalid(`the header's length would be ${length}: not a safetensors file`);
  return 8 + length;
}

/** Reads a header, up to {@link headerEnd}: its tensors in the order of their data. @throws GruError as {@link parseSafetensors}. */
export function readHeader(bytes: Uint8Array): { metadata: Record<string, string>; entries: Entry[] } {
  const header = parseHeader(bytes.subarray(8));
  const metadata = readMetadata(header['__metadata__']);
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readEntry(name, entry))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  return { metadata, entries };
}

/**
 * Reads the header and checks all of it; no data are copied. The data may begin at any address.
 *
 * @throws GruError `invalid_file` saying what is wrong, `unsupported` for an unknown dtype.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const end = headerEnd(bytes);
  if (end > bytes.length) {
    throw invalid(`the file is truncated: its header ends at byte ${end}, the file at ${bytes.length}`);
  }
  const { metadata, entries } = readHeader(bytes.subarray(0, end));
  const data = bytes.subarray(end);

  // The data belong to one tensor each, all of them, without gaps: each tensor begins where the last one ends.
  const tensors = new Map<string, SafetensorsTensor>();
  let at = 0;
  for (const entry of entries) {
    const { name, begin, end } = entry;
    if (begin !== at) {
      throw invalid(
        `tensor '${name}' begins at ${begin}, the one before it ends at ${at}: ${begin < at ? 'they overlap' : 'a gap'}`,
      );
    }
    if (end > data.length) {
      throw invalid(
        `the file is truncated: tensor '${name}' ends at byte ${bytes.length - data.length + end}, the file at ${bytes.length}`,
      );
    }
    tensors.set(name, new SafetensorsTensor(entry, data));
    at = end;
  }
  if (at !== data.length) throw invalid(`${data.length - at} bytes follow the last tensor`);
  return { metadata, tensors };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== 0x7b) throw invalid("the header does not begin with '{': not a safetensors file");
  const text = utf8(bytes, 'safetensors: the header');
  const header = parseJson(text, 'safetensors: the header', MAX_HEADER);
  const twice = keysIn(text) === keysOf(header) ? undefined : duplicateKey(text);
  if (twice !== undefined) throw invalid(`the header has '${twice}' twice`);
  return header;
}

/** Keys in JSON text: colons outside of its strings. */
function keysIn(json: string): number {
  let keys = 0;
  let quoted = false;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) quoted = !quoted;
    else if (c === BACKSLASH) i++;
    else if (c === COLON && !quoted) keys++;
  }
  return keys;
}

/** Keys of all objects of a value, fewer than in its text where one stood there twice. */
function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const parts: unknown[] = Object.values(value);
  let keys = Array.isArray(value) ? 0 : parts.length;
  for (const part of parts) if (typeof part === 'object') keys += keysOf(part);
  return keys;
}

/** Characters of JSON up to this one separate. */
const BLANK = 0x20;

/** A key that some object of the JSON, which is known to be valid, has twice. */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === BRACE) open.push(new Set());
    else if (c === BRACE + 2) open.pop();
    if (c !== QUOTE) continue;
    const begin = i;
    let escaped = false;
    for (let d = json.charCodeAt(++i); d !== QUOTE; d = json.charCodeAt(++i)) {
      if (d !== BACKSLASH) continue;
      escaped = true;
      i++;
    }
    let next = i + 1;
    while (json.charCodeAt(next) <= BLANK) next++;
    if (json.charCodeAt(next) !== COLON) continue;
    const key = escaped ? (JSON.parse(json.slice(begin, i + 1)) as string) : json.slice(begin + 1, i);
    const keys = open.at(-1);
    if (keys?.has(key)) return key;
    keys?.add(key);
  }
  return undefined;
}

function readMetadata(metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw invalid('__metadata__ must hold strings by name');
  }
  return metadata as Record<string, string>;
}

const FIELDS = ['dtype', 'shape', 'data_offsets'];

function readEntry(name: string, entry: unknown): Entry {
  const what = `tensor '${name}'`;
  if (!isObject(entry)) throw invalid(`${what} is no object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const stray = Object.keys(entry).find((key) => !FIELDS.includes(key));
  if (stray !== undefined) throw invalid(`${what} has the unknown field '${stray}'`);
  if (typeof dtype !== 'string') throw invalid(`${what} has no dtype`);
  if (!Object.hasOwn(DTYPES, dtype))
    throw new GruError('unsupported', `safetensors: ${what} has the unknown dtype ${dtype}`);
  if (!isWholeNumbers(shape)) throw invalid(`${what}: shape must be an array of whole numbers`);
  if (!isWholeNumbers(offsets) || offsets.length !== 2)
    throw invalid(`${what}: data_offsets must be two whole numbers`);
  const [begin, end] = offsets as [number, number];
  const size = product(shape) * DTYPES[dtype as SafetensorsDtype];
  if (end - begin !== size) {
    throw invalid(`${what}: ${dtype} [${shape.join(', ')}] takes ${size} bytes, data_offsets hold ${end - begin}`);
  }
  return { name, dtype: dtype as SafetensorsDtype, shape, begin, end };
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
