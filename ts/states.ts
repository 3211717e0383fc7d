import { GruError } from './errors.ts';
import { checkFilled, lengthOf, partOf, readTensor } from './foreign.ts';
import type { Graph } from './graph.ts';
import type { RunInputs } from './inputs.ts';
import { describe, isRecord, sameShape, shapeText, type TensorLike } from './tensor.ts';
import { isFloats, sizeOf } from './typed-array.ts';

/** Hidden states of one gru layer: (directions, batch, hiddenSize), forward first; without the batch for one sequence. */
export type StateInput = TensorLike | Float32Array;

/** Hidden states by the name of the gru layer; a layer left out starts from zeros. */
export type StateRecord = Record<string, StateInput>;

/** The states of one gru layer: `count` of them from `first` on in {@link Graph.states}. */
export interface StateGroup {
  layer: string;
  first: number;
  count: number;
  hiddenSize: number;
  fromGraph: boolean;
}

export function groupStates(graph: Graph): StateGroup[] {
  const groups: StateGroup[] = [];
  graph.states.forEach(({ layer, hiddenSize, fromGraph }, first) => {
    const last = groups.at(-1);
    if (last?.layer === layer) last.count++;
    else groups.push({ layer, first, count: 1, hiddenSize, fromGraph });
  });
  return groups;
}

/** The shape of a layer's states in a run. */
export function stateShape({ count, hiddenSize }: StateGroup, { batched, batch }: RunInputs): number[] {
  return batched ? [count, batch, hiddenSize] : [count, hiddenSize];
}

/**
 * The given states, one array of the caller's a group, undefined for those left out.
 *
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`, naming the layer.
 */
export function readStates(groups: StateGroup[], given: unknown, run: RunInputs): (Float32Array | undefined)[] {
  if (given === undefined) return groups.map(() => undefined);
  const [only] = groups;
  const record = isRecord(given) ? given : groups.length === 1 && only ? { [only.layer]: given } : undefined;
  if (!record) {
    const message =
      groups.length === 0
        ? 'the model has no gru layer'
        : 'the model has several gru layers: give a record by layer name';
    throw new GruError('invalid_argument', `initialStates: ${message}; got ${describe(given)}`);
  }
  const layers = new Set(groups.map(({ layer }) => layer));
  const stray = Object.keys(record).find((name) => !layers.has(name));
  if (stray !== undefined) {
    const names = groups.map((group) => `'${group.layer}'`).join(', ');
    throw new GruError(
      'invalid_argument',
      `initialStates: there is no gru layer '${stray}'; there is ${names || 'none'}`,
    );
  }
  return groups.map((group) => {
    const value = Object.hasOwn(record, group.layer) ? record[group.layer] : undefined;
    return value === undefined ? undefined : readState(group, value, run);
  });
}

function readState(group: StateGroup, value: unknown, run: RunInputs): Float32Array {
  const what = `initialStates['${group.layer}']`;
  if (group.fromGraph) {
    throw new GruError('invalid_argument', `${what}: this layer takes its initial state from inside the model`);
  }
  const { data, shape } = readTensor(what, value);
  if (!isFloats(data)) {
    throw new GruError('dtype_mismatch', `${what}: expected a tensor or a Float32Array, got ${describe(value)}`);
  }
  const expected = stateShape(group, run);
  const length = lengthOf(data, what);
  if (shape) {
    checkFilled(what, shape, length);
    if (!sameShape(shape, expected)) {
      const text = `${shapeText(expected)} (${run.batched ? 'directions, batch, hidden' : 'directions, hidden'} size)`;
      throw new GruError('shape_mismatch', `${what}: expected shape ${text}, got ${shapeText(shape)}`);
    }
  }
  const count = group.count * run.batch * group.hiddenSize;
  if (length === count) return data;
  throw new GruError('shape_mismatch', `${what}: expected ${count} values for ${shapeText(expected)}, got ${length}`);
}

/** Fills final states, by intrinsics alone: the arrays may be the caller's. `read` copies state number `index` out, so too. */
export function fillStates(
  groups: readonly StateGroup[],
  states: readonly Float32Array[],
  read: (index: number, out: Float32Array) => void,
): void {
  groups.forEach(({ first, count }, g) => {
    const data = states[g]!;
    const size = sizeOf(data) / count;
    for (let i = 0; i < count; i++) read(first + i, count === 1 ? data : partOf(data, i * size, (i + 1) * size));
  });
}
