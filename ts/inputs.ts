import { GruError } from './errors.ts';
import type { Graph } from './graph.ts';
import { checkShape, describe, isArrayLike, isRecord, isTensorLike, shapeText, type TensorLike } from './tensor.ts';

/**
 * One input of {@link GruModel.run}. A tensor: features (batch, steps, size), ids (batch, steps), or for an input with one
 * row a sequence (batch, size); without the batch for a single sequence. An array on its own is a single sequence.
 */
export type ModelInput = TensorLike | ArrayLike<number> | number;

/** What a run is given, checked. */
export interface RunInputs {
  /** One array an input, all rows of it in the order that the backend takes. */
  data: ArrayLike<number>[];
  batch: number;
  /** Steps of each sequence. */
  steps: number;
  /** False: a single sequence, given without a batch dimension; results have none either. */
  batched: boolean;
}

type InputPort = Graph['inputs'][number];

interface ReadInput {
  data: ArrayLike<number>;
  batched: boolean;
  batch: number;
  steps: number | undefined;
}

/**
 * Finds the data of each input, and what they say of batch and steps.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range` or `invalid_argument`, naming the input.
 */
export function readInputs(graph: Graph, given: unknown, timeMajor: boolean): RunInputs {
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
  return {
    data: parts.map((part) => part.data),
    batch: first.batch,
    steps: sequence.steps ?? 1,
    batched: first.batched,
  };
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
export function checkId(input: InputPort, id: unknown, index: number, shape: readonly number[]): void {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < input.vocabularySize) return;
  const position = shape.map((_, d) => {
    const below = shape.slice(d + 1).reduce((n, size) => n * size, 1);
    return Math.floor(index / below) % shape[d]!;
  });
  const got = typeof id === 'number' ? String(id) : describe(id);
  throw new GruError(
    'id_out_of_range',
    `input '${input.name}': the id at ${shapeText(position)} must be a whole number from 0 to ${input.vocabularySize - 1}, got ${got}`,
  );
}
