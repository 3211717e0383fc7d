import { fromLengths, packRows, type Padding, type Ragged, readLengths, readMask } from './batch.ts';
import { GruError } from './errors.ts';
import { checkFilled, copyInto, lengthOf, moved, readTensor, viewOf } from './foreign.ts';
import type { Graph } from './graph.ts';
import { readIds } from './ids.ts';
import { checkBatch, ints, MAX_VALUES } from './limits.ts';
import { describe, isArrayLike, isRecord, shapeText, type TensorLike } from './tensor.ts';
import { isFloats, kindOf, sizeOf, type Values } from './typed-array.ts';

/**
 * One input of {@link GruModel.run}. A tensor: features (batch, steps, size), ids (batch, steps), or for an input with one
 * row a sequence (batch, size); without the batch for a single sequence. An array on its own is a single sequence, an array of
 * arrays a batch of sequences of any lengths: `[frame0, frame1]` is two sequences of one step, not one of two; for that, join
 * the frames in one array, or give them to a stream.
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

  constructor(parts: ReadInput[], sequence: ReadInput, layout: Layout) {
    const { batch, batched } = parts[0]!;
    this.batch = batch;
    this.steps = sequence.steps ?? 1;
    this.batched = batched;
    this.timeMajor = layout.timeMajor;
    this.packed = sequence.lengths !== undefined;
    checkBatch('run', batch);
    if (this.steps > MAX_VALUES) throw new GruError('out_of_memory', `run: ${this.steps} steps do not fit into memory`);
    this.ragged = readRagged(layout, sequence, batch, this.steps);
    this.parts = parts;
  }

  /** Copies what the backend takes of an input. @throws GruError where its array was resized or transferred meanwhile. */
  copy(input: number, into: Values): void {
    const { name, data, length, sequences, sizes, steps, width } = this.parts[input]!;
    if (!sequences) {
      if (this.ragged && !this.packed && steps !== undefined) {
        if (sizeOf(data) !== length) throw moved(name);
        const own = isFloats(data) ? viewOf(data) : data;
        packRows(this.ragged, own, width, this.steps, this.timeMajor, into);
      } else copyInto(into, 0, data, length, name);
      return;
    }
    let at = 0;
    sequences.forEach((sequence, b) => {
      copyInto(into, at, sequence, sizes![b]!, name);
      at += sizes![b]!;
    });
  }
}

export type InputPort = Graph['inputs'][number];

interface ReadInput {
  name: string;
  /** The caller's features, to be read by intrinsics alone, or a copy of the ids. */
  data: Values;
  /** Values in all, and in a row. */
  length: number;
  width: number;
  /** Features given as an array of sequences, the caller's too; and their sizes. */
  sequences?: Float32Array[];
  sizes?: Float64Array;
  batched: boolean;
  batch: number;
  steps: number | undefined;
  /** Given as an array of sequences: how long each is. */
  lengths?: Int32Array;
}

/**
 * Finds the data of each input, and what they say of batch and steps.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range` or `invalid_argument`, naming the input.
 */
export function readInputs(graph: Graph, given: unknown, layout: Layout): RunInputs {
  const { timeMajor } = layout;
  const pick = picker(graph, given);
  const parts = graph.inputs.map((input) => readInput(input, pick(input.name), timeMajor));
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
    if (part === sequence || part.steps === undefined || sameLengths(part.lengths, sequence.lengths)) continue;
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

function sameLengths(a: Int32Array | undefined, b: Int32Array | undefined): boolean {
  return a === b || (a?.length === b?.length && a!.every((length, i) => length === b![i]));
}

/** The value of an input by name: what was given itself for a model with one input, else the record's entry, to be read once. */
function picker(graph: Graph, given: unknown): (name: string) => unknown {
  if (!isRecord(given)) {
    if (graph.inputs.length === 1) return () => given;
    const names = graph.inputs.map((input) => input.name).join(', ');
    throw new GruError('invalid_argument', `the model takes a record of its inputs ${names}; got ${describe(given)}`);
  }
  const known = new Set(graph.inputs.map((input) => input.name));
  const stray = Object.keys(given).find((key) => !known.has(key));
  if (stray !== undefined) {
    const names = graph.inputs.map((input) => `'${input.name}'`).join(', ');
    throw new GruError('invalid_argument', `the model has no input '${stray}'; it has ${names}`);
  }
  return (name) => {
    if (!Object.hasOwn(given, name)) throw new GruError('invalid_argument', `input '${name}' is missing`);
    return given[name];
  };
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
  if (typeof value === 'number' && input.dtype === 'int32') return readInput(input, [value], timeMajor);
  const { data, shape } = readTensor(what, value);
  if (!isArrayLike(data)) {
    throw new GruError('dtype_mismatch', `${what}: expected a tensor or an array, got ${describe(value)}`);
  }
  const length = lengthOf(data, what);
  const first: unknown = shape === undefined && kindOf(data) === undefined && length > 0 ? data[0] : undefined;
  const items = isArrayLike(first) ? readItems(first, data, length) : undefined;
  if (items?.every(isArrayLike)) return readSequences(input, items);
  checkFeatures(input, data);
  if (shape) checkFilled(what, shape, length);
  const read = shape ? readShape(input, shape, timeMajor) : readLength(input, length);
  if (input.dtype === 'int32') {
    const ids = ints(length, what);
    readIds(input, items ?? data, ids, shape ?? [length], undefined, first);
    return { name: what, data: ids, length, width: 1, ...read };
  }
  const { batched, batch, steps } = read;
  return { name: what, data: data as Float32Array, length, width: input.size, batched, batch, steps };
}

/** The items of an array of arrays, each read once. */
function readItems(first: unknown, array: ArrayLike<unknown>, length: number): unknown[] {
  checkBatch('run', length);
  return Array.from({ length }, (_, i) => (i === 0 ? first : array[i]));
}

/** Sequences of any lengths, joined without padding. */
function readSequences(input: InputPort, sequences: ArrayLike<number>[]): ReadInput {
  const { name, kind, size, dtype } = input;
  const batch = sequences.length;
  const sizes = new Float64Array(batch);
  const lengths = new Int32Array(batch);
  let length = 0;
  let longest = 0;
  sequences.forEach((sequence, b) => {
    checkFeatures(input, sequence);
    const count = lengthOf(sequence, `input '${name}', sequence ${b}`);
    const steps = count / size;
    if (kind === 'sequence' ? !Number.isInteger(steps) : steps !== 1) {
      const expected = kind === 'sequence' ? `a multiple of ${size} values (steps x ${size})` : `${size} values`;
      throw new GruError('shape_mismatch', `input '${name}', sequence ${b}: expected ${expected}, got ${count}`);
    }
    length += sizes[b] = count;
    lengths[b] = steps;
    longest = Math.max(longest, steps);
  });
  const shared = { name: `input '${name}'`, length, width: size, batched: true, batch };
  const shape = kind === 'vector' ? { steps: undefined } : { steps: longest, lengths };
  if (dtype === 'float32') {
    return { ...shared, ...shape, data: new Float32Array(0), sequences: sequences as Float32Array[], sizes };
  }
  const ids = ints(length, `input '${name}'`);
  let at = 0;
  sequences.forEach((sequence, b) => {
    readIds(input, sequence, ids.subarray(at, (at += sizes[b]!)), [sizes[b]!], b);
  });
  return { ...shared, ...shape, data: ids };
}

type Extent = Pick<ReadInput, 'batched' | 'batch' | 'steps'>;

function readShape(input: InputPort, shape: readonly number[], timeMajor: boolean): Extent {
  for (const batched of [true, false]) {
    const expected = dimensions(input, batched, timeMajor);
    const fits = shape.length === expected.length && expected.every((d, i) => typeof d === 'string' || d === shape[i]);
    if (!fits) continue;
    const batch = batched ? shape[expected.indexOf('B')]! : 1;
    return { batched, batch, steps: shape[expected.indexOf('T')] };
  }
  const [withBatch, without] = [true, false].map((batched) => shapeText(dimensions(input, batched, timeMajor)));
  throw new GruError(
    'shape_mismatch',
    `input '${input.name}': expected shape ${withBatch ?? ''}, or ${without ?? ''} for one sequence, got ${shapeText(shape)}`,
  );
}

/** An array without a shape is a single sequence. */
function readLength({ kind, size, name }: InputPort, length: number): Extent {
  const steps = length / size;
  if (kind === 'sequence' ? !Number.isInteger(steps) : length !== size) {
    const expected = kind === 'sequence' ? `a multiple of ${size} values (steps x ${size})` : `${size} values`;
    throw new GruError(
      'shape_mismatch',
      `input '${name}': an array without a shape is one sequence: expected ${expected}, got ${length}`,
    );
  }
  return { batched: false, batch: 1, steps: kind === 'sequence' ? steps : undefined };
}

/** @throws GruError `dtype_mismatch` for anything but a Float32Array where features are expected. */
export function checkFeatures({ name, dtype }: InputPort, data: unknown): void {
  if (dtype === 'float32' && !isFloats(data)) {
    throw new GruError('dtype_mismatch', `input '${name}': expected a Float32Array, got ${describe(data)}`);
  }
}
