import { GruError } from '../../base/errors.ts';
import { checkRecord } from '../arguments.ts';
import { isList } from '../lists.ts';
import { checkFilled, lengthOf, moved, readTensor, viewOf } from '../../base/foreign.ts';
import { allocate, checkBatch, MAX_BATCH } from '../../base/limits.ts';
import { describe, isArrayLike, product, shapeText, type TensorLike } from '../../base/tensor.ts';
import { isFloats, sizeOf, type Values } from '../../base/typed-array.ts';
import type { AxisRule } from '../../layers/kind.ts';
import { stepsOf as stepsMade } from '../../spec/derived-axes.ts';

/** A tensor of the ONNX graph and the values of the model that stand for it. */
export interface BoundTensor {
  /** Name in the graph. */
  name: string;
  /**
   * `lengths`: the lengths of the sequences (sequence_lens). `states`: initial states, zeros where they are not given.
   * `unused`: nothing reads it.
   */
  use: 'values' | 'lengths' | 'states' | 'unused';
  /** The model's: `int32` for ids. */
  dtype: 'float32' | 'int32';
  /** What each axis is made of; an axis of size 1 may be made of nothing. */
  axes: ('batch' | 'time' | number)[][];
  /** Whole numbers that the model takes, or gives, as floats. */
  whole?: boolean;
  /**
   * Names of the model's inputs or outputs: one with all features, (batch, features) or (batch, steps, features), or for a
   * tensor of several states one each (`h0.0`, `h0.1`). For `states`: names of layers.
   */
  values: string[];
  /** For `states` of layers that have two: which. */
  slot?: 'hidden' | 'cell';
  /** Whether the model's values have steps. */
  kind: 'sequence' | 'vector';
  /** The model's axis on which its steps lie, where the model has several. */
  axis?: string;
  /** How layers make its steps of those of that axis, one after the other. */
  made?: AxisRule[];
  /** What the file stores for it, one value a feature: taken for each sequence where a run does not give the tensor. */
  fallback?: Float32Array;
}

/** How the tensors of an ONNX graph are given to the model, and its results read as the graph's. */
export interface GraphBinding {
  /** Of the graph, in its order. */
  inputs: BoundTensor[];
  /** Of the graph, in its order. */
  outputs: BoundTensor[];
}

/** Initial states of a layer, of one kind. */
interface BoundState {
  data: Float32Array;
  shape: number[];
}

/** What {@link bindInputs} makes of tensors in the graph's own axes. */
export interface BoundRun {
  /** By name of the model's inputs: rows, sequence after sequence. */
  inputs: Record<string, { data: Float32Array | Float64Array; shape: number[] }>;
  /** Sequences. */
  batch: number;
  /** By axis of the model. */
  steps: ReadonlyMap<string, number>;
  /** By name of the layer: (directions, batch, features), by slot where it has two. */
  initialStates: Record<string, BoundState | Partial<Record<'hidden' | 'cell', BoundState>>>;
  /** Lengths of the sequences, where the graph takes them. */
  lengths: number[] | undefined;
}

/** The axis of a model that has but one. */
const ONLY_AXIS = 'time';

/** How many steps a tensor has in a run. */
export function stepsOf({ axis = ONLY_AXIS }: Pick<BoundTensor, 'axis'>, { steps }: Pick<BoundRun, 'steps'>): number {
  return steps.get(axis) ?? 1;
}

/** For a tensor's axes: the size of each, and where (batch, step, feature) lies. */
function layout(tensor: BoundTensor, sizes: { batch: number; time: number }) {
  const factors = tensor.axes
    .flat()
    .map((f) => ({ role: typeof f === 'number' ? 'feature' : f, size: typeof f === 'number' ? f : sizes[f] }));
  let stride = factors.reduce((n, { size }) => n * size, 1);
  const strides = factors.map(({ size }) => (stride = size === 0 ? 0 : stride / size));
  const features = factors.flatMap(({ role, size }, i) => (role === 'feature' ? [{ size, stride: strides[i]! }] : []));
  const width = features.reduce((n, { size }) => n * size, 1);
  const offsets = Array.from({ length: width }, (_, column) => {
    let rest = column;
    let offset = 0;
    for (const { size, stride: step } of [...features].reverse()) {
      offset += (rest % size) * step;
      rest = Math.floor(rest / size);
    }
    return offset;
  });
  const strideOf = (role: string) => strides[factors.findIndex((f) => f.role === role)] ?? 0;
  const shape = tensor.axes.map((axis) => axis.reduce<number>((n, f) => n * (typeof f === 'number' ? f : sizes[f]), 1));
  return { offsets, width, batch: strideOf('batch'), time: strideOf('time'), shape };
}

function checkLists(what: string, value: unknown, ...keys: string[]): void {
  checkRecord(what, value);
  const stray = keys.find((key) => !isList(value[key]));
  if (stray !== undefined) throw new GruError('invalid_argument', `${what} has no list of ${stray}`);
}

/**
 * Turns tensors in the axes of the ONNX graph into inputs of the model.
 *
 * @throws GruError `invalid_argument` for a missing tensor or an unknown name, `dtype_mismatch`, `shape_mismatch` for one that
 *   does not fit, `unsupported` for a length of 0 in sequence_lens (runtimes disagree about what the final state then is),
 *   `out_of_memory` for more sequences than a batch may have.
 */
export function bindInputs(binding: GraphBinding, tensors: Record<string, TensorLike>): BoundRun {
  checkLists('bindInputs: the binding, report.graph of a model,', binding, 'inputs', 'outputs');
  checkRecord('the tensors', tensors);
  const names = new Map(binding.inputs.map((bound) => [bound.name, bound]));
  const takes = `the graph takes ${[...names.keys()].map((name) => `'${name}'`).join(', ')}`;
  const stray = Object.keys(tensors).find((name) => !names.has(name));
  if (stray !== undefined) throw new GruError('invalid_argument', `there is no input '${stray}': ${takes}`);
  const sizes: Sizes = { batch: undefined, steps: new Map() };
  const given: { bound: BoundTensor; tensor: Given | undefined }[] = [];
  for (const bound of binding.inputs) {
    const value = bound.use !== 'unused' && Object.hasOwn(tensors, bound.name) ? tensors[bound.name] : undefined;
    if (value === undefined && (bound.use === 'unused' || bound.use === 'states')) continue;
    if (value === undefined && !bound.fallback)
      throw new GruError('invalid_argument', `input '${bound.name}' is missing: ${takes}`);
    const tensor = value === undefined ? undefined : readGiven(bound, value);
    if (tensor) readSizes(bound, tensor, sizes);
    given.push({ bound, tensor });
  }
  const { batch = 1 } = sizes;
  checkBatch('runOnnx', batch);
  // the names are the file's: entries, as `record['__proto__'] = x` makes no property
  const inputs: [string, BoundRun['inputs'][string]][] = [];
  const initialStates = new Map<string, BoundRun['initialStates'][string]>();
  let lengths: number[] | undefined;
  for (const { bound, tensor } of given) {
    const steps = stepsOf(bound, sizes);
    if (tensor && sizeOf(tensor.data) !== tensor.length) throw moved(`input '${bound.name}'`);
    if (bound.use === 'lengths') {
      lengths = checkLengths(bound.name, Array.from(tensor!.data), steps);
      continue;
    }
    const at = layout(bound, { batch, time: steps });
    if (bound.use === 'states') {
      const width = at.width / bound.values.length;
      for (const [v, name] of bound.values.entries()) {
        const size = bound.axes.at(-1)![0] as number;
        const data = new Float32Array(width * batch);
        data.forEach((_, i) => {
          const [d, b, j] = [Math.floor(i / (batch * size)), Math.floor(i / size) % batch, i % size];
          data[i] = tensor!.data[b * at.batch + at.offsets[v * width + d * size + j]!]!;
        });
        const state = { data, shape: [width / size, batch, size] };
        const { slot } = bound;
        initialStates.set(name, slot ? { ...initialStates.get(name), [slot]: state } : state);
      }
      continue;
    }
    const rows = bound.kind === 'sequence' ? steps : 1;
    const size = at.width / bound.values.length;
    for (const [v, name] of bound.values.entries()) {
      // Ids are checked by the run: an Int32Array would wrap those that it cannot hold.
      const count = batch * rows * size;
      const data = allocate(
        count,
        `input '${bound.name}'`,
        () => new (bound.dtype === 'int32' ? Float64Array : Float32Array)(count),
      );
      let to = 0;
      for (let b = 0; b < batch; b++) {
        for (let t = 0; t < rows; t++) {
          for (let j = 0; j < size; j++) {
            const column = v * size + j;
            data[to++] = tensor
              ? tensor.data[b * at.batch + t * at.time + at.offsets[column]!]!
              : bound.fallback![column]!;
          }
        }
      }
      const row = bound.dtype === 'int32' ? [] : [size];
      inputs.push([name, { data, shape: bound.kind === 'sequence' ? [batch, steps, ...row] : [batch, ...row] }]);
    }
  }
  return {
    inputs: Object.fromEntries(inputs),
    initialStates: Object.fromEntries(initialStates),
    batch,
    steps: sizes.steps,
    lengths,
  };
}

interface Sizes {
  batch: number | undefined;
  /** By axis of the model. */
  steps: Map<string, number>;
}

interface Given {
  /** A view of the caller's floats, or a copy. */
  data: Float32Array | Float64Array;
  length: number;
  shape: number[];
}

/** A tensor of the caller's; the BigInts of int64 tensors become numbers where whole numbers are meant. */
function readGiven({ name, dtype, whole }: BoundTensor, value: unknown): Given {
  const what = `input '${name}'`;
  const isWhole = dtype === 'int32' || whole === true;
  const { data, shape } = readTensor(what, value);
  if (!shape || !isArrayLike(data)) {
    throw new GruError('dtype_mismatch', `${what}: expected { data, shape }, got ${describe(value)}`);
  }
  const length = lengthOf(data, what);
  checkFilled(what, shape, length);
  if (isFloats(data)) return { data: viewOf(data), length, shape };
  const numbers = allocate(length, what, () => new Float64Array(length));
  for (let i = 0; i < length; i++) {
    const v: unknown = data[i];
    if (typeof v !== 'number' && !(typeof v === 'bigint' && isWhole)) {
      const expected = isWhole ? 'whole numbers' : 'floats';
      throw new GruError('dtype_mismatch', `${what}: expected ${expected}, got ${describe(v)}`);
    }
    numbers[i] = Number(v);
  }
  return { data: numbers, length, shape };
}

function readSizes(bound: BoundTensor, { length, shape }: Given, sizes: Sizes): void {
  const expected = shapeText(bound.axes.map((axis) => axis.join(' x ') || '1'));
  const refuse = (why: string) =>
    new GruError(
      'shape_mismatch',
      `input '${bound.name}': expected shape ${expected}, got ${shapeText([...shape])}${why}`,
    );
  if (shape.length !== bound.axes.length) throw refuse('');
  for (const [i, axis] of bound.axes.entries()) {
    const free = axis.filter((f) => typeof f !== 'number');
    const rest = axis.reduce<number>((n, f) => n * (typeof f === 'number' ? f : 1), 1);
    const [role] = free;
    if (role === undefined ? shape[i] !== rest : shape[i]! % rest !== 0) throw refuse('');
    if (role === undefined) continue;
    const size = shape[i]! / rest;
    // no data fill a shape of any size: 2^40 steps of no sequences
    if (length === 0 && size > MAX_BATCH)
      throw new GruError('out_of_memory', `input '${bound.name}': an empty tensor whose ${role} is ${size}`);
    const on = bound.axis ?? ONLY_AXIS;
    const known = (role === 'batch' ? sizes.batch : sizes.steps.get(on)) ?? size;
    if (known !== size) throw refuse(`: ${role} is ${known} elsewhere`);
    if (role === 'batch') sizes.batch = size;
    else sizes.steps.set(on, size);
  }
}

function checkLengths(name: string, lengths: number[], steps: number): number[] {
  for (const [b, length] of lengths.entries()) {
    if (length === 0) {
      throw new GruError(
        'unsupported',
        `input '${name}' (sequence_lens): the length of sequence ${b} is 0: runtimes disagree about its final state`,
      );
    }
    if (!Number.isInteger(length) || length < 0 || length > steps) {
      throw new GruError(
        'invalid_argument',
        `input '${name}' (sequence_lens): the length of sequence ${b} is ${length}, of ${steps} steps`,
      );
    }
  }
  return lengths;
}

/**
 * Puts rows of the model's outputs, sequence after sequence, into the axes of the ONNX graph. Steps past the length of a
 * sequence are zeros.
 *
 * @param values rows by name of the model's outputs
 * @throws GruError `unsupported` for a whole number beyond int32
 */
export function bindOutput(
  bound: BoundTensor,
  values: Record<string, Values>,
  run: BoundRun,
): { data: Values; shape: number[] } {
  checkLists('bindOutput: the output, one of report.graph,', bound, 'axes', 'values');
  checkRecord('bindOutput: the values', values);
  checkRecord('bindOutput: the run, what bindInputs gave,', run);
  if (!(run.steps instanceof Map)) throw new GruError('invalid_argument', 'bindOutput: the run has no steps');
  const { batch, lengths } = run;
  const made = (steps: number) => (bound.made ?? []).reduce((n, rule) => stepsMade(rule, n), steps);
  const steps = made(stepsOf(bound, run));
  const at = layout(bound, { batch, time: steps });
  const count = product(at.shape);
  const type = bound.dtype === 'int32' ? Int32Array : Float32Array;
  const data = allocate(count, `output '${bound.name}'`, () => new type(count));
  const size = at.width / bound.values.length;
  const put = (i: number, value: number) => {
    data[i] = value;
    if (bound.whole && data[i] !== value)
      throw new GruError('unsupported', `output '${bound.name}' holds the whole number ${value}: no int32`);
  };
  for (const [v, name] of bound.values.entries()) {
    const rows = Object.hasOwn(values, name) ? values[name] : undefined;
    if (!rows) throw new GruError('invalid_argument', `output '${name}' is missing`);
    let from = 0;
    for (let b = 0; b < batch; b++) {
      const taken = bound.kind === 'sequence' ? (lengths ? made(lengths[b]!) : steps) : 1;
      for (let t = 0; t < taken; t++) {
        for (let j = 0; j < size; j++) put(b * at.batch + t * at.time + at.offsets[v * size + j]!, rows[from++]!);
      }
    }
    if (from !== rows.length)
      throw new GruError('shape_mismatch', `output '${name}' has ${rows.length} values, expected ${from}`);
  }
  return { data, shape: at.shape };
}
