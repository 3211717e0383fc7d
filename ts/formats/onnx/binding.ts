import { GruError } from '../../errors.ts';
import { checkFilled, lengthOf, readTensor } from '../../foreign.ts';
import { describe, isArrayLike, product, shapeText } from '../../tensor.ts';

/** A tensor of the graph; ids and lengths may be int64, as ONNX has them. */
export interface GraphTensor {
  data: ArrayLike<number> | BigInt64Array | BigUint64Array;
  shape: readonly number[];
}

/** A tensor of the ONNX graph and the values of the model that stand for it. */
export interface BoundTensor {
  /** Name in the graph. */
  name: string;
  /**
   * `lengths`: the lengths of the sequences (sequence_lens). `states`: states that a run starts from, zeros where it is left out;
   * `values` are then names of gru layers. `unused`: nothing reads it.
   */
  use: 'values' | 'lengths' | 'states' | 'unused';
  dtype: 'float32' | 'int32';
  /** What each axis is made of; an axis of size 1 may be made of nothing. */
  axes: ('batch' | 'time' | number)[][];
  /**
   * Names of the model's inputs or outputs: one with all features, (batch, features) or (batch, steps, features), or for a
   * tensor of several states one each (`h0.0`, `h0.1`).
   */
  values: string[];
  kind: 'sequence' | 'vector';
  /** What the file gives for each sequence where the tensor is left out. */
  fallback?: Float32Array;
}

/** How the tensors of an ONNX graph are given to the model, and its results read as the graph's. */
export interface GraphBinding {
  inputs: BoundTensor[];
  outputs: BoundTensor[];
}

/** What {@link bindInputs} makes of tensors in the graph's own axes. */
export interface BoundRun {
  /** By name of the model's inputs: rows, sequence after sequence. */
  inputs: Record<string, { data: Float32Array | Int32Array; shape: number[] }>;
  /** By name of gru layers: the states that the run starts from. */
  states: Record<string, { data: Float32Array; shape: number[] }>;
  batch: number;
  steps: number;
  /** Lengths of the sequences, where the graph takes them. */
  lengths: number[] | undefined;
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

/**
 * Turns tensors in the axes of the ONNX graph into inputs of the model.
 *
 * @throws GruError `invalid_argument` for a missing tensor and for names that the model does not take, `shape_mismatch` for one
 *   that does not fit, `dtype_mismatch` and `id_out_of_range` for values that are no floats, no whole numbers of 32 bits,
 *   `unsupported` for a length of 0 in sequence_lens (runtimes disagree about what the final state then is).
 */
export function bindInputs(binding: GraphBinding, tensors: Record<string, GraphTensor>): BoundRun {
  checkNames(binding, tensors);
  const sizes: { batch?: number; time?: number } = {};
  const given = binding.inputs
    .filter(({ use }) => use !== 'unused')
    .map((bound) => ({ bound, data: readData(bound, tensors, sizes) }));
  const { batch = 1, time: steps = 1 } = sizes;
  const inputs: [string, BoundRun['inputs'][string]][] = [];
  const states: [string, BoundRun['states'][string]][] = [];
  let lengths: number[] | undefined;
  for (const { bound, data } of given) {
    if (bound.use === 'lengths') {
      if (data) lengths = checkLengths(bound.name, Array.from(data, Number), steps);
      continue;
    }
    if (bound.use === 'states') {
      if (data) states.push(...bindStates(bound, data, batch));
      continue;
    }
    const at = layout(bound, { batch, time: steps });
    const rows = bound.kind === 'sequence' ? steps : 1;
    const size = at.width / bound.values.length;
    for (const [v, name] of bound.values.entries()) {
      const into = new (bound.dtype === 'int32' ? Int32Array : Float32Array)(batch * rows * size);
      let to = 0;
      for (let b = 0; b < batch; b++) {
        for (let t = 0; t < rows; t++) {
          for (let j = 0; j < size; j++) {
            const column = v * size + j;
            into[to++] = data
              ? data[b * at.batch + t * at.time + at.offsets[column]!]!
              : (bound.fallback?.[column] ?? 0);
          }
        }
      }
      const row = bound.dtype === 'int32' ? [] : [size];
      inputs.push([name, { data: into, shape: bound.kind === 'sequence' ? [batch, steps, ...row] : [batch, ...row] }]);
    }
  }
  return { inputs: Object.fromEntries(inputs), states: Object.fromEntries(states), batch, steps, lengths };
}

function checkNames(binding: GraphBinding, tensors: unknown): void {
  const names = binding.inputs.map(({ name }) => name);
  const text = names.slice(0, 50).join(', ') + (names.length > 50 ? ', ...' : '');
  if (typeof tensors !== 'object' || tensors === null)
    throw new GruError('invalid_argument', `expected tensors by name (${text}), got ${describe(tensors)}`);
  const known = new Set(names);
  const stray = Object.keys(tensors).find((name) => !known.has(name));
  if (stray !== undefined)
    throw new GruError('invalid_argument', `the model takes no input '${stray}' at a run; it takes ${text || 'none'}`);
}

/** (layers, batch, size) as gru layers take their states: of one layer, its directions follow each other. */
function bindStates(
  bound: BoundTensor,
  data: ArrayLike<number>,
  batch: number,
): [string, BoundRun['states'][string]][] {
  const at = layout(bound, { batch, time: 1 });
  const hidden = bound.axes.at(-1)![0] as number;
  const count = at.width / hidden / bound.values.length;
  return bound.values.map((name, v) => {
    const into = new Float32Array(count * batch * hidden);
    let to = 0;
    for (let d = v * count; d < (v + 1) * count; d++) {
      for (let b = 0; b < batch; b++) {
        for (let j = 0; j < hidden; j++) into[to++] = data[b * at.batch + at.offsets[d * hidden + j]!]!;
      }
    }
    return [name, { data: into, shape: [count, batch, hidden] }];
  });
}

/** The values of one tensor, checked; undefined where it is left out and may be. */
function readData(
  bound: BoundTensor,
  tensors: Record<string, GraphTensor>,
  sizes: { batch?: number; time?: number },
): ArrayLike<number> | undefined {
  const what = `input '${bound.name}'`;
  const tensor: unknown = Object.hasOwn(tensors, bound.name) ? tensors[bound.name] : undefined;
  if (tensor === undefined) {
    if (bound.use === 'states' || bound.fallback) return undefined;
    throw new GruError('invalid_argument', `${what} is missing`);
  }
  const { data, shape } = readTensor(what, tensor);
  if (!shape || !isArrayLike(data))
    throw new GruError('invalid_argument', `${what}: expected { data, shape }, got ${describe(tensor)}`);
  checkFilled(what, shape, lengthOf(data, what));
  readSizes(bound, shape, sizes);
  return bound.dtype === 'int32' ? readWhole(what, data) : readFloats(what, data);
}

/** Ids and lengths: int64, as ONNX has them, or any other numbers. A value that 32 bits would wrap is refused. */
function readWhole(what: string, data: ArrayLike<unknown>): ArrayLike<number> {
  if (data instanceof Int32Array) return data;
  return Int32Array.from(data, (value, i) => {
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number === 'number' && number === (number | 0)) return number;
    throw new GruError(
      'id_out_of_range',
      `${what}: value ${i} must be a whole number of 32 bits, got ${describe(value)}`,
    );
  });
}

function readFloats(what: string, data: ArrayLike<unknown>): ArrayLike<number> {
  if (data instanceof Float32Array) return data;
  return Float32Array.from(data, (value, i) => {
    if (typeof value === 'number') return value;
    throw new GruError('dtype_mismatch', `${what}: value ${i} must be a number, got ${describe(value)}`);
  });
}

function readSizes(bound: BoundTensor, shape: readonly number[], sizes: { batch?: number; time?: number }): void {
  const expected = shapeText(bound.axes.map((axis) => axis.join(' x ') || '1'));
  const refuse = (why: string) =>
    new GruError('shape_mismatch', `input '${bound.name}': expected shape ${expected}, got ${shapeText(shape)}${why}`);
  if (shape.length !== bound.axes.length) throw refuse('');
  for (const [i, axis] of bound.axes.entries()) {
    const free = axis.filter((f) => typeof f !== 'number');
    const rest = axis.reduce<number>((n, f) => n * (typeof f === 'number' ? f : 1), 1);
    const [role] = free;
    if (role === undefined ? shape[i] !== rest : shape[i]! % rest !== 0) throw refuse('');
    if (role === undefined) continue;
    const size = shape[i]! / rest;
    if (size === 0) throw refuse(`: ${role} is 0`);
    sizes[role] ??= size;
    if (sizes[role] !== size) throw refuse(`: ${role} is ${sizes[role]} elsewhere`);
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
    if (length < 0 || length > steps) {
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
 */
export function bindOutput(
  bound: BoundTensor,
  values: Record<string, Float32Array>,
  run: BoundRun,
): { data: Float32Array; shape: number[] } {
  const { batch, steps, lengths } = run;
  const at = layout(bound, { batch, time: steps });
  const data = new Float32Array(product(at.shape));
  const size = at.width / bound.values.length;
  for (const [v, name] of bound.values.entries()) {
    const rows = values[name];
    if (!rows) throw new GruError('invalid_argument', `output '${name}' is missing`);
    let from = 0;
    for (let b = 0; b < batch; b++) {
      const count = bound.kind === 'sequence' ? (lengths?.[b] ?? steps) : 1;
      for (let t = 0; t < count; t++) {
        for (let j = 0; j < size; j++) data[b * at.batch + t * at.time + at.offsets[v * size + j]!] = rows[from++]!;
      }
    }
    if (from !== rows.length)
      throw new GruError('shape_mismatch', `output '${name}' has ${rows.length} values, expected ${from}`);
  }
  return { data, shape: at.shape };
}
