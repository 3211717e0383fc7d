import { fromLengths, type Padding, type Ragged, readLengths, readMask } from './batch.ts';
import { GruError } from './errors.ts';
import type { Graph } from './graph.ts';
import { checkShape, describe, isArrayLike, isRecord, isTensorLike, shapeText, type TensorLike } from './tensor.ts';

/**
 * One input of {@link GruModel.run}. A tensor: features (batch, steps, size), ids (batch, steps), or for an input with one
 * row a sequence (batch, size); without the batch for a single sequence. An array on its own is a single sequence, an array of
 * arrays a batch of sequences of any lengths.
 */
export type ModelInput = TensorLike | ArrayLike<number> | readonly ArrayLike<number>[] | number;

/** How a run's arrays are laid out: the options that `readInputs` needs. */
export interface Layout {
  timeMajor: boolean;
  lengths: unknown;
  mask: unknown;
  padding: Padding;
}

/** What a run is given, checked. */
export class RunInputs {
  readonly batch: number;
  /** Steps of the longest sequence, or of the padded array. */
  readonly steps: number;
  /** False: a single sequence, given without a batch dimension; results have none either. */
  readonly batched: boolean;
  readonly timeMajor: boolean;
  /** Given as an array of sequences: the data of sequence inputs have no padding. */
  readonly packed: boolean;
  /** Set where steps are left out: which ones are kept. */
  readonly ragged: Ragged | undefined;
  private readonly parts: ReadInput[];
  private joined: ArrayLike<number>[] | undefined;

  constructor(parts: ReadInput[], sequence: ReadInput, layout: Layout) {
    const { batch, batched } = parts[0]!;
    this.batch = batch;
    this.steps = sequence.steps ?? 1;
    this.batched = batched;
    this.timeMajor = layout.timeMajor;
    this.packed = sequence.lengths !== undefined;
    this.ragged = readRagged(layout, sequence, batch, this.steps);
    this.parts = parts;
  }

  /** One array an input: all its rows, padded ones included where sequences differ in length and the array was padded. */
  get data(): ArrayLike<number>[] {
    return (this.joined ??= this.parts.map(({ data, sequences }) => (sequences ? join(sequences) : data)));
  }

  /** The sequences of an input, where it was given as an array of them ({@link data} joins them when it is asked for). */
  sequences(input: number): ArrayLike<number>[] | undefined {
    return this.parts[input]!.sequences;
  }
}

type InputPort = Graph['inputs'][number];

interface ReadInput {
  data: ArrayLike<number>;
  sequences?: ArrayLike<number>[];
  batched: boolean;
  batch: number;
  steps: number | undefined;
  /** Given as an array of sequences: how long each is. */
  lengths?: number[];
}

/**
 * Finds the data of each input, and what they say of batch and steps.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range` or `invalid_argument`, naming the input.
 */
export function readInputs(graph: Graph, given: unknown, layout: Layout): RunInputs {
  const { timeMajor } = layout;
  const parts = graph.inputs.map((input) => readInput(input, pick(graph, input.name, given), timeMajor));
  const first = parts[0]!;
  const sequence = parts.find((part) => part.steps !== undefined) ?? first;
  const nameOf = (part: ReadInput) => `'${graph.inputs[parts.indexOf(part)]?.name ?? ''}'`;
  for (const part of parts) {
    const pair = (other: ReadInput) => `inputs ${nameOf(other)} and ${nameOf(part)} do not fit each other:`;
    if (part.batched !== first.batched) {
      throw new GruError('shape_mismatch', `${pair(first)} one has a batch dimension, the other has none`);
    }
    if (part.batch !== first.batch) {
      throw new GruError('shape_mismatch', `${pair(first)} ${first.batch} and ${part.batch} sequences`);
    }
    if (part.steps !== undefined && part.steps !== sequence.steps) {
      throw new GruError('shape_mismatch', `${pair(sequence)} ${sequence.steps ?? 0} and ${part.steps} steps`);
    }
  }
  for (const part of parts) {
    if (part === sequence || part.steps === undefined || String(part.lengths) === String(sequence.lengths)) continue;
    throw new GruError(
      'shape_mismatch',
      `inputs ${nameOf(sequence)} and ${nameOf(part)} do not fit each other: the lengths of their sequences differ`,
    );
  }
  return new RunInputs(parts, sequence, layout);
}

function readRagged(layout: Layout, sequence: ReadInput, batch: number, steps: number): Ragged | undefined {
  const { lengths, mask, padding, timeMajor } = layout;
  if (padding === 'none' && [sequence.lengths, lengths, mask].every((given) => given === undefined)) {
    throw new GruError('invalid_argument', "padding 'none' is for an array of sequences, lengths or mask");
  }
  if ([sequence.lengths, lengths, mask].filter((given) => given !== undefined).length > 1) {
    throw new GruError('invalid_argument', 'give one of: an array of sequences, lengths, mask');
  }
  if (sequence.lengths) {
    if (timeMajor)
      throw new GruError('invalid_argument', 'timeMajor is for padded arrays, not for an array of sequences');
    return fromLengths(sequence.lengths, padding);
  }
  if (lengths !== undefined) return readLengths(lengths, batch, steps, padding);
  return mask === undefined ? undefined : readMask(mask, batch, steps, timeMajor, padding);
}

/** The value of one input: what was given itself for a model with one input, else the record's entry. */
function pick(graph: Graph, name: string, given: unknown): unknown {
  if (!isRecord(given)) {
    if (graph.inputs.length === 1) return given;
    const names = graph.inputs.map((input) => input.name).join(', ');
    throw new GruError('invalid_argument', `the model takes a record of its inputs ${names}; got ${describe(given)}`);
  }
  const stray = Object.keys(given).find((key) => !graph.inputs.some((input) => input.name === key));
  if (stray !== undefined) {
    const names = graph.inputs.map((input) => `'${input.name}'`).join(', ');
    throw new GruError('invalid_argument', `the model has no input '${stray}'; it has ${names}`);
  }
  if (!Object.hasOwn(given, name)) throw new GruError('invalid_argument', `input '${name}' is missing`);
  return given[name];
}

/** Dimensions of an input as `run` takes it; `batched: false` for a single sequence. */
function dimensions({ kind, dtype, size }: InputPort, batched: boolean, timeMajor: boolean): (number | 'B' | 'T')[] {
  const row = dtype === 'int32' ? [] : [size];
  const batch = batched ? (['B'] as const) : [];
  if (kind === 'vector') return [...batch, ...row];
  return timeMajor ? ['T', ...batch, ...row] : [...batch, 'T', ...row];
}

function readInput(input: InputPort, value: unknown, timeMajor: boolean): ReadInput {
  const what = `input '${input.name}'`;
  if (isSequences(value)) return readSequences(input, value);
  const array = typeof value === 'number' ? [value] : value;
  const data = isTensorLike(array) ? array.data : array;
  if (!isArrayLike(data)) {
    throw new GruError('dtype_mismatch', `${what}: expected a tensor or an array, got ${describe(value)}`);
  }
  checkFeatures(input, data);
  const read = isTensorLike(array) ? readShape(input, array, timeMajor) : readLength(input, data);
  if (input.dtype === 'int32') {
    const shape = isTensorLike(array) ? array.shape : [data.length];
    for (let i = 0; i < data.length; i++) checkId(input, data[i], i, shape);
  }
  return read;
}

/** An array of arrays. (`findIndex` looks at holes too, `every` does not.) */
function isSequences(value: unknown): value is ArrayLike<number>[] {
  return Array.isArray(value) && value.length > 0 && value.findIndex((item) => !isArrayLike(item)) === -1;
}

/** Sequences of any lengths, joined without padding. */
function readSequences(input: InputPort, sequences: ArrayLike<number>[]): ReadInput {
  const { name, kind, size, dtype } = input;
  const lengths = sequences.map((sequence, b) => {
    const steps = sequence.length / size;
    if (kind === 'sequence' ? Number.isInteger(steps) : steps === 1) return steps;
    const expected = kind === 'sequence' ? `a multiple of ${size} values (steps x ${size})` : `${size} values`;
    throw new GruError(
      'shape_mismatch',
      `input '${name}', sequence ${b}: expected ${expected}, got ${sequence.length}`,
    );
  });
  sequences.forEach((sequence, b) => {
    checkFeatures(input, sequence);
    if (dtype === 'int32')
      for (let i = 0; i < sequence.length; i++) checkId(input, sequence[i], i, [sequence.length], b);
  });
  const shared = { data: [], sequences, batched: true, batch: sequences.length };
  return kind === 'vector' ? { ...shared, steps: undefined } : { ...shared, steps: Math.max(...lengths), lengths };
}

function join(sequences: ArrayLike<number>[]): Float32Array | Int32Array {
  const type = sequences.every((sequence) => sequence instanceof Float32Array) ? Float32Array : Int32Array;
  const all = new type(sequences.reduce((sum, { length }) => sum + length, 0));
  copySequences(sequences, all);
  return all;
}

/** Copies sequences one after the other. */
export function copySequences(sequences: ArrayLike<number>[], into: Float32Array | Int32Array): void {
  let at = 0;
  for (const sequence of sequences) {
    into.set(sequence, at);
    at += sequence.length;
  }
}

function readShape(input: InputPort, tensor: TensorLike, timeMajor: boolean): ReadInput {
  const what = `input '${input.name}'`;
  checkShape(what, tensor);
  const { data, shape } = tensor;
  for (const batched of [true, false]) {
    const expected = dimensions(input, batched, timeMajor);
    const fits = shape.length === expected.length && expected.every((d, i) => typeof d === 'string' || d === shape[i]);
    if (!fits) continue;
    const batch = batched ? shape[expected.indexOf('B')]! : 1;
    return { data, batched, batch, steps: shape[expected.indexOf('T')] };
  }
  const [withBatch, without] = [true, false].map((batched) => shapeText(dimensions(input, batched, timeMajor)));
  throw new GruError(
    'shape_mismatch',
    `${what}: expected shape ${withBatch ?? ''}, or ${without ?? ''} for one sequence, got ${shapeText(shape)}`,
  );
}

/** An array without a shape is a single sequence. */
function readLength(input: InputPort, data: ArrayLike<number>): ReadInput {
  const { kind, size, name } = input;
  const steps = data.length / size;
  if (kind === 'sequence' ? !Number.isInteger(steps) : data.length !== size) {
    const expected = kind === 'sequence' ? `a multiple of ${size} values (steps x ${size})` : `${size} values`;
    throw new GruError(
      'shape_mismatch',
      `input '${name}': an array without a shape is one sequence: expected ${expected}, got ${data.length}`,
    );
  }
  return { data, batched: false, batch: 1, steps: kind === 'sequence' ? steps : undefined };
}

/** @throws GruError `dtype_mismatch` for anything but a Float32Array where features are expected. */
export function checkFeatures({ name, dtype }: InputPort, data: unknown): void {
  if (dtype === 'float32' && !(data instanceof Float32Array)) {
    throw new GruError('dtype_mismatch', `input '${name}': expected a Float32Array, got ${describe(data)}`);
  }
}

/** @throws GruError `id_out_of_range` saying which id, where, and the range. */
export function checkId(
  input: InputPort,
  id: unknown,
  index: number,
  shape: readonly number[],
  sequence?: number,
): void {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < input.vocabularySize) return;
  const position = shape.map((_, d) => {
    const below = shape.slice(d + 1).reduce((n, size) => n * size, 1);
    return Math.floor(index / below) % shape[d]!;
  });
  const got = typeof id === 'number' ? String(id) : describe(id);
  throw new GruError(
    'id_out_of_range',
    `input '${input.name}'${sequence === undefined ? '' : `, sequence ${sequence}`}: the id at ${shapeText(position)} must be a whole number from 0 to ${input.vocabularySize - 1}, got ${got}`,
  );
}
