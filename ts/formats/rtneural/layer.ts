import { GruError } from '../../base/errors.ts';
import { describe, isRecord, shapeText } from '../../base/tensor.ts';
import { readNested } from '../../io/nested.ts';
import type { ImportedTensor } from '../report.ts';

/** Activations that RTNeural knows, under the spec's names; '' is none. */
const ACTIVATIONS = ['', 'tanh', 'relu', 'sigmoid', 'softmax', 'elu'] as const;

/** Fields of a file that change no number: what it is called and was trained on, and a test signal with its result. */
export const NEUTRAL = ['metadata', 'samplerate', 'input_batch', 'output_batch'];

/** One entry of `layers`. Whatever is not read from it is refused. */
export class RtLayer {
  readonly type: string;
  /** For messages: `model.json: layers[2] (gru)`. */
  readonly where: string;
  /** Name of the spec's layer. */
  readonly name: string;
  readonly inputSize: number;
  /** The last entry of `shape`. */
  readonly outputSize: number;
  private readonly fields: Record<string, unknown>;
  private readonly path: string;
  private readonly weights: unknown[];
  private readonly table: ImportedTensor[];

  constructor(
    fields: Record<string, unknown>,
    type: string,
    name: string,
    at: { what: string; index: number; inputSize: number },
    table: ImportedTensor[],
  ) {
    this.fields = fields;
    this.type = type;
    this.name = name;
    this.path = `layers[${at.index}]`;
    this.where = `${at.what}: ${this.path} (${type})`;
    this.inputSize = at.inputSize;
    this.outputSize = lastSize(fields['shape'], `${this.where}: shape`);
    const { weights = [] } = fields;
    if (!Array.isArray(weights)) throw this.invalid(`weights are ${describe(weights)}, no list`);
    this.weights = weights as unknown[];
    this.table = table;
  }

  /** @param fields Those that a layer of its type has besides `type`, `activation`, `shape` and `weights`. */
  checkFields(fields: readonly string[]): void {
    const known = ['type', 'activation', 'shape', 'weights', 'name', ...fields];
    const stray = Object.keys(this.fields).find((field) => !known.includes(field));
    if (stray !== undefined) throw this.unsupported(`has the field '${stray}', which is not known`);
  }

  /** How many arrays of weights it has. */
  get arrays(): number {
    return this.weights.length;
  }

  /** @throws GruError `invalid_file` unless it has one of these numbers of arrays. */
  checkArrays(...counts: number[]): void {
    if (!counts.includes(this.arrays)) {
      throw this.invalid(`has ${this.arrays} arrays of weights, it takes ${counts.join(' or ')}`);
    }
  }

  /** @throws GruError `invalid_file` unless it keeps the size of its input. */
  checkKeepsSize(): void {
    if (this.outputSize !== this.inputSize) {
      throw this.invalid(`its shape ends in ${this.outputSize}, its input has ${this.inputSize} values`);
    }
  }

  /** An array of its weights. @param target Key of the spec's weights. */
  array(index: number, target: string, shape: readonly number[]): Float32Array {
    const read = readNested(this.weights[index], `${this.where}: weights[${index}]`);
    if (read.shape.length !== shape.length || shape.some((d, i) => d !== read.shape[i])) {
      throw this.invalid(`weights[${index}] has shape ${shapeText(read.shape)}, it takes ${shapeText(shape)}`);
    }
    const source = `${this.path}.weights[${index}]`;
    this.table.push({ source, shape: read.shape, dtype: 'float', target: `${this.name}/${target}` });
    return read.data;
  }

  /** What follows the layer, or is in it; undefined for none. */
  activation(): Exclude<(typeof ACTIVATIONS)[number], ''> | undefined {
    const { activation = '' } = this.fields;
    const found = ACTIVATIONS.find((name) => name === activation);
    if (found === undefined) {
      const known = ACTIVATIONS.slice(1).join(', ');
      throw this.unsupported(`its activation is ${describe(activation)}; supported: ${known}`);
    }
    return found === '' ? undefined : found;
  }

  /** A whole number from 1; Keras writes `[3]` for 3. */
  count(field: string, fallback?: number): number {
    let value: unknown = this.fields[field] ?? fallback;
    if (Array.isArray(value) && value.length === 1) [value] = value as unknown[];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
      throw this.invalid(`${field} is ${describe(value)}, no number from 1`);
    }
    return value;
  }

  number(field: string): number {
    const value = this.fields[field];
    if (typeof value !== 'number') throw this.invalid(`${field} is ${describe(value)}, no number`);
    return value;
  }

  invalid(why: string): GruError {
    return new GruError('invalid_file', `${this.where}: ${why}`);
  }

  unsupported(why: string): GruError {
    return new GruError('unsupported', `${this.where}: ${why}`);
  }
}

/** Most channels of a {@link channelMatrix}. */
const MAX_CHANNELS = 1024;

/** Room for a matrix of channels that has no values in the file: gains and skips are made for a few. @throws GruError `unsupported`. */
export function channelMatrix(rows: number, columns: number, what: string): Float32Array {
  if (rows * columns <= MAX_CHANNELS ** 2) return new Float32Array(rows * columns);
  throw new GruError('unsupported', `${what} of ${Math.max(rows, columns)} channels; supported: ${MAX_CHANNELS}`);
}

/** The features of a shape as Keras writes it, `[null, null, 8]`. */
export function lastSize(shape: unknown, what: string): number {
  // Models of one step only are written as [null, 8].
  const size: unknown = Array.isArray(shape) ? shape.at(-1) : undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) {
    throw new GruError('invalid_file', `${what} is ${describe(shape)}, it must end in a number from 1`);
  }
  if ((shape as unknown[]).length > 3) {
    throw new GruError(
      'unsupported',
      `${what} has ${(shape as unknown[]).length} axes; supported: batch, steps, features`,
    );
  }
  return size;
}

/** @throws GruError `invalid_file` for what is no object with a type. */
export function typeOf(layer: unknown, where: string): { fields: Record<string, unknown>; type: string } {
  if (!isRecord(layer) || typeof layer['type'] !== 'string') {
    throw new GruError('invalid_file', `${where} is ${describe(layer)}, no layer with a type`);
  }
  return { fields: layer, type: layer['type'] };
}
