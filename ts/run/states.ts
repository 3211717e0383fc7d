import { GruError } from '../base/errors.ts';
import { checkFilled, lengthOf, partOf, readTensor } from '../base/foreign.ts';
import { type StateGroup } from '../spec/state-groups.ts';
import type { RunInputs } from './inputs.ts';
import type { RecurrentSlot } from '../layers/kind.ts';
import { floatsOf } from '../base/numbers.ts';
import {
  describe,
  isArrayLike,
  isRecord,
  type Numbers,
  sameShape,
  shapeText,
  type Tensor,
  type TensorLike,
  zeros,
} from '../base/tensor.ts';
import { sizeOf } from '../base/typed-array.ts';

/** One state of a layer: (directions, batch, hiddenSize), forward first; without the batch for one sequence. */
export type StateInput = TensorLike | Numbers;

/** What an lstm layer starts from; a state left out is zero. */
export type LstmStateInput = Partial<Record<RecurrentSlot, StateInput>>;

/** States by the name of the layer, a tensor (gru, rnn) or `{ hidden, cell }` (lstm); a layer left out starts from zeros. */
export type StateRecord = Record<string, StateInput | LstmStateInput>;

/** Final states of an lstm layer: (directions, batch, hiddenSize) each, forward first. */
export type LstmState = Record<RecurrentSlot, Tensor>;

/** What a layer ends with: a gru's or an rnn's hidden state, or an lstm's two. */
export type LayerState = Tensor | LstmState;

/** The state of a layer whose kind TypeScript does not know: a gru's or an rnn's is read as a tensor, an lstm's as `{ hidden, cell }`. */
export type AnyState = Tensor & LstmState;

/** The shape of a state in a run. */
export function stateShape({ count, size }: StateGroup, { batched, batch }: RunInputs): number[] {
  return batched ? [count, batch, size] : [count, size];
}

/** What a state is called in errors, after `run: initialStates` or `out.states`. */
export function stateName(what: string, { layer, slot, only }: StateGroup): string {
  return `${what}['${layer}']${only ? '' : `.${slot}`}`;
}

/** Picks each state's value of a record by layer, each property read once. */
export function pickStates(groups: readonly StateGroup[], record: Record<string, unknown>, what: string): unknown[] {
  let layer: string | undefined;
  let value: unknown;
  return groups.map((group, g) => {
    if (group.layer !== layer) {
      layer = group.layer;
      // Getters of a class count, what every object has does not.
      value = Object.hasOwn(record, layer) || !(layer in Object.prototype) ? record[layer] : undefined;
      // A layer that has several has two, which follow each other.
      if (!group.only && value !== undefined) checkSlots([group, groups[g + 1]!], layer, value, what);
    }
    return group.only || value === undefined ? value : (value as Record<string, unknown>)[group.slot];
  });
}

/** @throws GruError for the states of an lstm that are no record of its slots, those of these groups. */
function checkSlots(groups: readonly StateGroup[], layer: string, value: unknown, what: string): void {
  const slots: string[] = groups.map(({ slot }) => slot);
  if (!isRecord(value)) {
    const text = `${what}['${layer}']: expected { ${slots.join(', ')} }, got ${describe(value)}`;
    throw new GruError('dtype_mismatch', text);
  }
  const stray = Object.keys(value).find((key) => !slots.includes(key));
  if (stray === undefined) return;
  throw new GruError('invalid_argument', `${what}['${layer}'] has ${slots.join(' and ')}, no '${stray}'`);
}

const NONE: readonly undefined[] = [];

/**
 * The given states, one array of the caller's a group, undefined for those left out.
 *
 * @param what The option, for errors: `run: initialStates`.
 * @throws GruError `shape_mismatch`, `dtype_mismatch`, `invalid_argument`, naming the layer and the state.
 */
export function readStates(
  what: string,
  groups: StateGroup[],
  given: unknown,
  run: RunInputs,
): readonly (Float32Array | undefined)[] {
  if (given === undefined) return NONE;
  const layers = new Set(groups.map(({ layer }) => layer));
  const [only] = layers.size === 1 ? layers : [];
  const record = byLayer(groups, only, given);
  if (!record) {
    const message =
      layers.size === 0 ? 'the model has no recurrent layer' : 'several recurrent layers: give a record by layer name';
    throw new GruError('invalid_argument', `${what}: ${message}; got ${describe(given)}`);
  }
  const stray = Object.keys(record).find((name) => !layers.has(name));
  if (stray !== undefined) {
    const names = [...layers].map((layer) => `'${layer}'`).join(', ');
    throw new GruError(
      'invalid_argument',
      `${what}: there is no recurrent layer '${stray}'; there is ${names || 'none'}`,
    );
  }
  return pickStates(groups, record, what).map((value, g) =>
    value === undefined ? undefined : readState(stateName(what, groups[g]!), groups[g]!, value, run),
  );
}

/** A record by layer; what is given without one is of the only layer. */
function byLayer(
  groups: readonly StateGroup[],
  only: string | undefined,
  given: unknown,
): Record<string, unknown> | undefined {
  if (!isRecord(given)) return only === undefined ? undefined : { [only]: given };
  if (only === undefined || Object.hasOwn(given, only)) return given;
  const isSlot = (key: string) => groups.some(({ slot, only }) => !only && slot === key);
  return Object.keys(given).some(isSlot) ? { [only]: given } : given;
}

function readState(what: string, group: StateGroup, value: unknown, run: RunInputs): Float32Array {
  if (group.fromGraph) {
    throw new GruError('invalid_argument', `${what}: this layer takes its initial state from inside the model`);
  }
  const { data: given, shape } = readTensor(what, value);
  if (!isArrayLike(given)) {
    throw new GruError('dtype_mismatch', `${what}: expected a tensor or an array, got ${describe(value)}`);
  }
  const data = floatsOf(what, given);
  const expected = stateShape(group, run);
  const length = lengthOf(data, what);
  if (shape) {
    checkFilled(what, shape, length);
    if (!sameShape(shape, expected)) {
      const text = `${shapeText(expected)} (${run.batched ? 'directions, batch, hidden' : 'directions, hidden'} size)`;
      throw new GruError('shape_mismatch', `${what}: expected shape ${text}, got ${shapeText(shape)}`);
    }
  }
  const count = group.count * run.batch * group.size;
  if (length === count) return data;
  throw new GruError('shape_mismatch', `${what}: expected ${count} values for ${shapeText(expected)}, got ${length}`);
}

/** New final states by layer, and the arrays of {@link groupStates}'s groups. @throws GruError `out_of_memory`. */
export function newStates(
  groups: readonly StateGroup[],
  run: RunInputs,
): { states: Record<string, LayerState>; arrays: Float32Array[] } {
  const states: Record<string, LayerState> = {};
  const arrays = groups.map((group) => {
    const tensor = zeros(stateShape(group, run));
    if (group.only) own(states, group.layer, tensor);
    else if (group.slot === 'hidden') own(states, group.layer, { hidden: tensor } as LstmState);
    else (states[group.layer] as LstmState)[group.slot as RecurrentSlot] = tensor;
    return tensor.data;
  });
  return { states, arrays };
}

/** Adds a record's own property whatever its name; `Object.fromEntries` took 0.2 us. */
export function own<T>(record: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') Object.defineProperty(record, name, { value, enumerable: true });
  else record[name] = value;
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
