import {
  type AxisRun,
  deriveRun,
  fromLengths,
  type Given,
  packRows,
  type Padding,
  type Ragged,
  readLengths,
  readMask,
} from './batch.ts';
import { GruError } from '../base/errors.ts';
import { checkFilled, copyInto, lengthOf, moved, readTensor, viewOf } from '../base/foreign.ts';
import type { FixedSteps, Graph, GraphInput } from '../spec/graph.ts';
import { readIds } from './ids.ts';
import { checkBatch, checkSteps, ints } from '../base/limits.ts';
import { floatsOf } from '../base/numbers.ts';
import {
  checkFlag,
  describe,
  isArrayLike,
  isRecord,
  type Numbers,
  shapeText,
  type TensorLike,
} from '../base/tensor.ts';
import { isFloats, kindOf, sizeOf, type Values } from '../base/typed-array.ts';

/**
 * One input of {@link GruModel.run}, of any typed array or array of numbers; a Float32Array of features is not copied twice. A tensor: features (batch, steps, size), ids (batch, steps), or for an input with one
 * row a sequence (batch, size); without the batch for a single sequence. An array on its own is a single sequence, an array of
 * arrays a batch of sequences of any lengths: `[frame0, frame1]` is two sequences of one step, not one of two; for that, join
 * the frames in one array, or give them to a stream.
 */
export type ModelInput = TensorLike | Numbers | readonly Numbers[] | number | bigint;

/** The options of a run that say how its arrays are laid out, as the caller gives them. */
interface LayoutOptions {
  timeMajor?: boolean | undefined;
  lengths?: unknown;
  mask?: unknown;
  padding?: Padding | undefined;
}

/** The same for the arrays of one axis. */
interface Layout {
  /** The function that is called, for errors. */
  where: string;
  timeMajor: boolean;
  padding: Padding;
}

/** What a run is given, checked. */
export class RunInputs {
  readonly batch: number;
  /** False: a single sequence, given without a batch dimension; results have none either. */
  readonly batched: boolean;
  readonly timeMajor: boolean;
  /** By axis of the graph, those that layers make included. */
  readonly axes: readonly AxisRun[];
  private readonly parts: ReadInput[];

  constructor(parts: ReadInput[], axes: AxisRun[], timeMajor: boolean) {
    const { batch, batched } = parts[0]!;
    this.batch = batch;
    this.batched = batched;
    this.timeMajor = timeMajor;
    this.axes = axes;
    this.parts = parts;
  }

  /** Copies what the backend takes of an input. @throws GruError where its array was resized or transferred meanwhile. */
  copy(input: number, into: Values): void {
    const { name, data, length, sequences, sizes, steps, width, axis } = this.parts[input]!;
    if (!sequences) {
      const { ragged, packed, steps: longest } = this.axes[axis]!;
      if (ragged && !packed && steps !== undefined) {
        if (sizeOf(data) !== length) throw moved(name);
        const own = isFloats(data) ? viewOf(data) : data;
        packRows(ragged, own, width, longest, this.timeMajor, into);
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

interface ReadInput {
  name: string;
  axis: number;
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
 * Finds the data of each input, and what they say of batch and steps. Of the options it reads, each once, those that lay arrays out.
 *
 * @param where The function that is called, for errors.
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range` or `invalid_argument`, naming the input.
 */
export function readInputs(where: string, graph: Graph, given: unknown, options: LayoutOptions): RunInputs {
  const { timeMajor = false, lengths, mask, padding = 'zero' } = options;
  checkFlag(where, 'timeMajor', timeMajor);
  if (!['zero', 'hold', 'none'].includes(padding)) {
    throw new GruError('invalid_argument', `${where}: padding must be zero, hold or none, got ${describe(padding)}`);
  }
  const layout = { where, timeMajor, padding };
  const pick = picker(graph, given);
  const parts = graph.inputs.map((input) => readInput(input, pick(input.name), timeMajor));
  const first = parts[0]!;
  const { batch } = first;
  for (const part of parts) {
    if (part.batched !== first.batched) {
      const text = `${pair(first, part)} one has a batch dimension, the other has none`;
      throw new GruError('shape_mismatch', text);
    }
    if (part.batch !== batch) {
      throw new GruError('shape_mismatch', `${pair(first, part)} ${batch} and ${part.batch} sequences`);
    }
  }
  checkBatch(where, batch);
  const lengthsOf = byAxis(graph, where, 'lengths', lengths);
  const masksOf = byAxis(graph, where, 'mask', mask);
  const axes: AxisRun[] = [];
  for (let axis = 0; axis < graph.axes.length; axis++) {
    axes.push(readAxis(parts, axis, layout, lengthsOf[axis], masksOf[axis]));
  }
  for (const axis of graph.derivedAxes) axes.push(deriveRun(axis, axes[axis.from], padding));
  for (let axis = 0; axis < axes.length; axis++) checkFixed(where, graph.fixedSteps[axis], axes[axis]!);
  if (padding === 'none' && axes.every(({ ragged }) => !ragged)) {
    throw new GruError('invalid_argument', `${where}: padding 'none' is for an array of sequences, lengths or mask`);
  }
  return new RunInputs(parts, axes, timeMajor);
}

/** The steps of the inputs on an axis, which have to be the same. (Without closures: it is called in a run of one step.) */
function readAxis(parts: ReadInput[], axis: number, layout: Layout, lengths?: Given, mask?: Given): AxisRun {
  let one: ReadInput | undefined;
  for (const part of parts) {
    if (part.axis !== axis || part.steps === undefined) continue;
    one ??= part;
    if (part.steps !== one.steps) {
      throw new GruError('shape_mismatch', `${pair(one, part)} ${one.steps ?? 0} and ${part.steps} steps`);
    }
    checkLengths(one, part);
  }
  const steps = checkSteps(one?.steps ?? 1);
  const packed = one?.lengths;
  const { batch } = parts[0]!;
  return { steps, ragged: readRagged(layout, packed, lengths, mask, batch, steps), packed: packed !== undefined };
}

/** Where a layer takes no other number of steps. */
function checkFixed(where: string, fixed: FixedSteps | undefined, { steps, ragged }: AxisRun): void {
  if (!fixed) return;
  const other = ragged ? ragged.lengths.find((length) => length !== fixed.steps) : steps;
  if (other === undefined || other === fixed.steps) return;
  const text = `${where}: ${fixed.reader} takes sequences of ${fixed.steps} steps, got one of ${other}`;
  throw new GruError('shape_mismatch', text);
}

function pair(a: ReadInput, b: ReadInput): string {
  const name = (part: ReadInput) => part.name.slice('input '.length);
  return `inputs ${name(a)} and ${name(b)} do not fit each other:`;
}

const NOTHING: readonly Given[] = [];

/** An option of a run that is given by axis: by the names of axes, or of inputs on them; bare where there is one axis. */
function byAxis(
  { axes, inputs }: Graph,
  where: string,
  option: string,
  given: unknown,
): readonly (Given | undefined)[] {
  if (given === undefined) return NOTHING;
  const what = `${where}: ${option}`;
  if (!isRecord(given)) {
    if (axes.length === 1) return [[what, given]];
    const text = `${what}: the model has the axes ${axes.join(', ')}: give a record by axis, got ${describe(given)}`;
    throw new GruError('invalid_argument', text);
  }
  const found: (Given | undefined)[] = [];
  const names = Object.keys(given);
  if (names.length === 0) throw new GruError('dtype_mismatch', `${what}: the record names no axis`);
  const known = new Map(axes.map((name, axis) => [name, axis]));
  for (const { kind, name, axis } of inputs) if (kind === 'sequence' && !known.has(name)) known.set(name, axis);
  for (const name of names) {
    const axis = known.get(name);
    if (axis === undefined) {
      const text = `${what}: there is no axis '${name}'; known: ${[...known.keys()].join(', ')}`;
      throw new GruError('invalid_argument', text);
    }
    const value = given[name];
    if (value === undefined) continue;
    if (found[axis]) throw new GruError('invalid_argument', `${what}: given twice for the axis '${axes[axis]!}'`);
    found[axis] = [`${what}['${name}']`, value];
  }
  return found;
}

function readRagged(
  { where, padding, timeMajor }: Layout,
  packed: Int32Array | undefined,
  lengths: Given | undefined,
  mask: Given | undefined,
  batch: number,
  steps: number,
): Ragged | undefined {
  const option = lengths ?? mask;
  if (option && (packed || (lengths && mask))) {
    throw new GruError('invalid_argument', `${option[0]}: give one of: an array of sequences, lengths, mask`);
  }
  if (packed) {
    if (timeMajor)
      throw new GruError('invalid_argument', `${where}: timeMajor is for padded arrays, not for an array of sequences`);
    return fromLengths(packed, padding);
  }
  if (lengths) return readLengths(lengths, batch, steps, padding);
  return mask && readMask(mask, batch, steps, timeMajor, padding);
}

/** Whether two inputs on an axis give each sequence the same steps. (Their longest are as long.) */
function checkLengths(one: ReadInput, part: ReadInput): void {
  const [a, b] = [one.lengths, part.lengths];
  if (a === b) return;
  let how = 'one is an array of sequences, the other is none';
  if (a && b) {
    const at = a.findIndex((length, i) => length !== b[i]);
    if (at < 0) return;
    how = `the lengths of their sequences differ: sequence ${at} has ${a[at]!} and ${b[at]!} steps`;
  }
  throw new GruError('shape_mismatch', `${pair(one, part)} ${how}`);
}

/** What is wrong with what is given for several inputs. */
export function wantsRecord({ inputs }: Graph, given: unknown): GruError {
  const names = inputs.map(({ name }) => name).join(', ');
  return new GruError('invalid_argument', `the model takes a record of its inputs ${names}; got ${describe(given)}`);
}

/** The value of an input by name: what was given itself for a model with one input, else the record's entry, to be read once. */
function picker(graph: Graph, given: unknown): (name: string) => unknown {
  if (!isRecord(given)) {
    if (graph.inputs.length === 1) return () => given;
    throw wantsRecord(graph, given);
  }
  const known = new Set(graph.inputs.map((input) => input.name));
  const stray = Object.keys(given).find((key) => !known.has(key));
  if (stray === 'data' && graph.inputs.length === 1) throw withoutShape(graph.inputs[0]!, given);
  if (stray !== undefined) {
    const names = graph.inputs.map((input) => `'${input.name}'`).join(', ');
    throw new GruError('invalid_argument', `the model has no input '${stray}'; it has ${names}`);
  }
  return (name) => {
    if (!Object.hasOwn(given, name)) throw new GruError('invalid_argument', `input '${name}' is missing`);
    return given[name];
  };
}

/** The error for `{ data }`. */
function withoutShape(input: GraphInput, given: Record<string, unknown>): GruError {
  const [batched, single] = [true, false].map((batch) => shapeText(dimensions(input, batch, false)));
  return new GruError(
    'shape_mismatch',
    `input '${input.name}': ${describe(given)} has no shape: give { data, shape } of ${batched!}, or ${single!} for one sequence`,
  );
}

/** Dimensions of an input as `run` takes it; `batched: false` for a single sequence. */
function dimensions({ kind, row }: GraphInput, batched: boolean, timeMajor: boolean): (number | 'B' | 'T')[] {
  const batch = batched ? (['B'] as const) : [];
  if (kind === 'vector') return [...batch, ...row];
  return timeMajor ? ['T', ...batch, ...row] : [...batch, 'T', ...row];
}

function readInput(input: GraphInput, value: unknown, timeMajor: boolean): ReadInput {
  const what = `input '${input.name}'`;
  if ((typeof value === 'number' || typeof value === 'bigint') && input.dtype === 'int32')
    return readInput(input, [value], timeMajor);
  const { data, shape } = readTensor(what, value);
  if (!isArrayLike(data)) {
    if (isRecord(value) && isArrayLike(value['data'])) throw withoutShape(input, value);
    throw new GruError('dtype_mismatch', `${what}: expected a tensor or an array, got ${describe(value)}`);
  }
  const length = lengthOf(data, what);
  const first: unknown = shape === undefined && kindOf(data) === undefined && length > 0 ? data[0] : undefined;
  const items = isArrayLike(first) ? readItems(first, data, length) : undefined;
  if (items?.every(isArrayLike)) return readSequences(input, items);
  if (shape) checkFilled(what, shape, length);
  const read = shape ? readShape(input, shape, timeMajor) : readLength(input, length);
  if (input.dtype === 'int32') {
    const ids = ints(length, what);
    readIds(input, items ?? data, ids, shape ?? [length], undefined, first);
    return { name: what, axis: input.axis, data: ids, length, width: 1, ...read };
  }
  const { batched, batch, steps } = read;
  const floats = floatsOf(what, items ?? data, first);
  return { name: what, axis: input.axis, data: floats, length, width: input.size, batched, batch, steps };
}

/** The items of an array of arrays, each read once. */
function readItems(first: unknown, array: ArrayLike<unknown>, length: number): unknown[] {
  checkBatch('run', length);
  const items = [first];
  for (let i = 1; i < length; i++) items.push(array[i]);
  return items;
}

/** Sequences of any lengths, joined without padding. */
function readSequences(input: GraphInput, given: ArrayLike<number>[]): ReadInput {
  const { name, kind, size, dtype } = input;
  let b = 0;
  const what = () => `input '${name}', sequence ${b}`;
  const sequences: ArrayLike<number>[] = [];
  for (; b < given.length; b++) sequences.push(dtype === 'int32' ? given[b]! : floatsOf(what, given[b]!));
  const batch = sequences.length;
  const sizes = new Float64Array(batch);
  const lengths = new Int32Array(batch);
  let length = 0;
  let longest = 0;
  for (b = 0; b < batch; b++) {
    const count = lengthOf(sequences[b]!, what);
    const steps = count / size;
    if (kind === 'sequence' ? !Number.isInteger(steps) : steps !== 1) {
      const expected = kind === 'sequence' ? `a multiple of ${size} values (steps x ${size})` : `${size} values`;
      throw new GruError('shape_mismatch', `${what()}: expected ${expected}, got ${count}`);
    }
    length += sizes[b] = count;
    lengths[b] = steps;
    longest = Math.max(longest, steps);
  }
  const shared = { name: `input '${name}'`, axis: input.axis, length, width: size, batched: true, batch };
  const shape = kind === 'vector' ? { steps: undefined } : { steps: longest, lengths };
  if (dtype === 'float32') {
    return { ...shared, ...shape, data: new Float32Array(0), sequences: sequences as Float32Array[], sizes };
  }
  const ids = ints(length, `input '${name}'`);
  let at = 0;
  for (b = 0; b < batch; b++) {
    readIds(input, sequences[b]!, ids.subarray(at, (at += sizes[b]!)), [sizes[b]!], what);
  }
  return { ...shared, ...shape, data: ids };
}

type Extent = Pick<ReadInput, 'batched' | 'batch' | 'steps'>;

function readShape(input: GraphInput, shape: readonly number[], timeMajor: boolean): Extent {
  const { kind, row } = input;
  const leading = shape.length - row.length;
  const perStep = kind === 'sequence';
  const batched = leading === (perStep ? 2 : 1);
  if ((batched || leading === (perStep ? 1 : 0)) && row.every((d, i) => d === shape[leading + i])) {
    const batchAt = perStep && timeMajor ? 1 : 0;
    const steps = perStep ? shape[batched ? 1 - batchAt : 0] : undefined;
    return { batched, batch: batched ? shape[batchAt]! : 1, steps };
  }
  const [withBatch, without] = [true, false].map((batched) => shapeText(dimensions(input, batched, timeMajor)));
  throw new GruError(
    'shape_mismatch',
    `input '${input.name}': expected shape ${withBatch ?? ''}, or ${without ?? ''} for one sequence, got ${shapeText(shape)}`,
  );
}

/** An array without a shape is a single sequence. */
function readLength({ kind, size, name }: GraphInput, length: number): Extent {
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
