import type { BackendState } from '../backends/backend.ts';
import { GruError, type Name, nameText } from '../base/errors.ts';
import { checkApart, copyInto, fill, lengthOf, partOf } from '../base/foreign.ts';
import { allocate, ints } from '../base/limits.ts';
import { floatsOf } from '../base/numbers.ts';
import { describe, isArrayLike, isRecord, type Numbers } from '../base/tensor.ts';
import { ARRAYS, holds, sizeOf, type Values } from '../base/typed-array.ts';
import { readIds } from '../run/ids.ts';
import { wantsRecord } from '../run/inputs.ts';
import type { Graph, GraphInput } from '../spec/graph.ts';

/** What several streams take at once: a block each, of any number of steps; for a model with several inputs by name. */
export type Blocks = readonly Numbers[] | Record<string, readonly Numbers[]>;

/** Blocks of several streams, checked. */
export interface ReadBlocks {
  /** By input: an array a stream, the caller's features or ids of ours; and their lengths. */
  inputs: { values: Values[]; lengths: number[] }[];
  /** By axis, those that layers make included: steps of each stream. */
  steps: Int32Array[];
}

/**
 * Reads what `count` streams are given, each property once.
 *
 * @throws GruError naming the input and the stream.
 */
export function readBlocks(graph: Graph, blocks: unknown, count: number): ReadBlocks {
  const { inputs, axes, derivedAxes } = graph;
  const record = isRecord(blocks) ? blocks : undefined;
  if (!record && inputs.length !== 1) throw wantsRecord(graph, blocks);
  const names = new Set(inputs.map(({ name }) => name));
  const stray = record && Object.keys(record).find((name) => !names.has(name));
  if (stray !== undefined) throw new GruError('invalid_argument', `the model has no input '${stray}'`);
  const steps = [...axes, ...derivedAxes].map(() => new Int32Array(count).fill(-1));
  const read = inputs.map((input) => {
    const list = record ? record[input.name] : blocks;
    const what = `input '${input.name}'`;
    if (!isArrayLike(list)) {
      throw new GruError('dtype_mismatch', `${what}: expected an array of blocks, got ${describe(list)}`);
    }
    const got = lengthOf(list, what);
    if (got !== count)
      throw new GruError('shape_mismatch', `${what}: expected ${count} blocks, one a stream, got ${got}`);
    const lengths: number[] = [];
    const values: Values[] = [];
    let i = 0;
    const name = () => `${what}, block ${i}`;
    for (; i < count; i++) {
      const data = readBlock(input, list[i], name);
      const length = lengthOf(data, name);
      checkRows(input, steps[input.axis]!, i, length, name);
      lengths.push(length);
      values.push(data);
    }
    return { values, lengths };
  });
  for (const axis of steps) for (let i = 0; i < count; i++) if (axis[i]! < 0) axis[i] = 1;
  return { inputs: read, steps };
}

function readBlock(input: GraphInput, block: unknown, what: Name): Values {
  if (input.dtype === 'float32') return floatsOf(what, block);
  if (!isArrayLike(block)) {
    throw new GruError('dtype_mismatch', `${nameText(what)}: expected ids, got ${describe(block)}`);
  }
  const ids = ints(lengthOf(block, what), what);
  readIds(input, block, ids, undefined, what);
  return ids;
}

/** Whether a block has the rows of its axis; the first input on it tells how many. */
function checkRows({ kind, size }: GraphInput, steps: Int32Array, i: number, length: number, what: () => string): void {
  if (kind === 'vector') {
    if (length === size) return;
    throw new GruError('shape_mismatch', `${what()}: expected ${size} values, got ${length}`);
  }
  const count = length / size;
  if (!Number.isInteger(count)) {
    throw new GruError('shape_mismatch', `${what()}: expected a multiple of ${size} values, got ${length}`);
  }
  if (steps[i]! < 0) steps[i] = count;
  if (steps[i] === count) return;
  throw new GruError('shape_mismatch', `${what()}: ${count} steps, but ${steps[i]!} of another input on the same axis`);
}

/** Copies blocks in, stream after stream. @throws GruError where an array was resized or transferred meanwhile. */
export function putBlocks(graph: Graph, state: BackendState, { inputs }: ReadBlocks): void {
  graph.inputs.forEach(({ dtype, name }, i) => {
    const view = dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i);
    const { values, lengths } = inputs[i]!;
    let at = 0;
    let k = 0;
    const what = () => `input '${name}', block ${k}`;
    for (; k < values.length; k++) {
      copyInto(view, at, values[k]!, lengths[k]!, what);
      at += lengths[k]!;
    }
  });
}

/** Values of the model's first output that each stream gives. */
export function outputSizes({ outputs: [port] }: Graph, { steps }: ReadBlocks): number[] {
  const { kind, axis, size } = port!;
  const sizes: number[] = [];
  for (const count of steps[axis]!) sizes.push(kind === 'vector' ? size : count * size);
  return sizes;
}

/** The arrays that are to be filled, each read once; undefined where none are given. */
export function readTargets(given: unknown, count: number, dtype: keyof typeof ARRAYS): Values[] | undefined {
  if (given === undefined) return undefined;
  if (!isArrayLike(given) || lengthOf(given, 'out') !== count) {
    const text = `out: expected an array of ${count} ${ARRAYS[dtype]}s, one a stream, got ${describe(given)}`;
    throw new GruError('dtype_mismatch', text);
  }
  return Array.from({ length: count }, (_, i) => {
    const array: unknown = given[i];
    if (holds(array, dtype)) return array;
    throw new GruError('dtype_mismatch', `out[${i}]: expected a ${ARRAYS[dtype]}, got ${describe(array)}`);
  });
}

/** Checks that arrays take what a block gives. Later than they are read: what is read may be a getter that shrinks another. */
export function checkTargets(arrays: readonly Values[], sizes: readonly number[]): void {
  arrays.forEach((array, i) => {
    if (sizeOf(array) === sizes[i]) return;
    throw new GruError('shape_mismatch', `out[${i}]: expected ${sizes[i]!} values, got ${sizeOf(array)}`);
  });
  checkApart(arrays, (i) => `out[${i}]`);
}

/** New arrays. @throws GruError `out_of_memory`. */
export function newTargets(sizes: readonly number[], dtype: keyof typeof ARRAYS): Values[] {
  const type = dtype === 'int32' ? Int32Array : Float32Array;
  return sizes.map((size) => allocate(size, 'runMany', () => new type(size)));
}

/** Copies the model's first output out, stream after stream. */
export function takeBlocks(rows: Values, targets: readonly Values[], sizes: readonly number[]): void {
  let at = 0;
  targets.forEach((target, i) => {
    // A view is made for 200 ns, also of nothing.
    if (sizes[i] !== 0) fill(target, partOf(rows, at, (at += sizes[i]!)));
  });
}
