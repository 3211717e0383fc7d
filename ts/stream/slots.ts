import type { BackendState } from '../backends/backend.ts';
import { GruError } from '../base/errors.ts';
import { lengthOf, viewOf } from '../base/foreign.ts';
import type { Graph, GraphState } from '../spec/graph.ts';
import type { Clock } from './clock.ts';

/** The state slots in words, in the order of their values: `gru.hidden`, `lstm.cell (reverse)`; then the counts of a clock. */
export function slotNames({ states, axes, derivedAxes }: Graph): string {
  const name = ({ layer, slot, direction }: GraphState) =>
    `${layer}.${slot}${direction === 'forward' ? '' : ` (${direction})`}`;
  const counted = derivedAxes.length > 0 ? axes.map((axis) => `${axis} steps`) : [];
  return [...states.map(name), ...counted].join(', ');
}

/** Values of all state slots of `batch` sequences. */
function slotsLength({ states }: Graph, batch: number): number {
  return states.reduce((sum, { size }) => sum + batch * size, 0);
}

/** Calls back for each slot with its part of the values of all, (batch, size) each. Returns the rest, a clock's. */
function eachSlot(
  { states }: Graph,
  batch: number,
  all: Float32Array,
  visit: (index: number, part: Float32Array) => void,
): Float32Array {
  let at = 0;
  states.forEach(({ size }, i) => {
    visit(i, all.subarray(at, (at += batch * size)));
  });
  return all.subarray(at);
}

/** A stream as its states are read and written: all sequences of one, or (`index`) one of many. */
export interface Slots {
  graph: Graph;
  state: BackendState;
  clock: Clock;
  index?: number;
}

/** Values of all states of a stream. */
export function stateLength({ graph, state, clock, index }: Slots): number {
  return slotsLength(graph, index === undefined ? state.batch : 1) + clock.size;
}

/** All states of a stream, into `all`: those of its slots, then of its clock. */
export function readState(slots: Slots, all: Float32Array = new Float32Array(stateLength(slots))): Float32Array {
  const { graph, state, clock, index } = slots;
  const rest = eachSlot(graph, index === undefined ? state.batch : 1, all, (i, part) => {
    state.readHidden(i, part, index);
  });
  clock.write(rest, index);
  return all;
}

/** Sets them. @throws GruError `shape_mismatch`, `invalid_argument`; nothing has changed then. */
export function writeState(slots: Slots, given: Float32Array): void {
  const { graph, state, clock, index } = slots;
  const [length, expected] = [lengthOf(given, 'hiddenState'), stateLength(slots)];
  if (length !== expected) {
    throw new GruError('shape_mismatch', `hiddenState: expected ${expected} values, got ${length}`);
  }
  const values = viewOf(given);
  if (!clock.read(values.subarray(length - clock.size), index)) {
    throw new GruError('invalid_argument', 'hiddenState: its last values are no count of steps');
  }
  eachSlot(graph, index === undefined ? state.batch : 1, values, (i, part) => {
    state.writeHidden(i, part, index);
  });
}
