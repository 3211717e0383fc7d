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

/** All states of a stream, from `at` of `all` on: those of its slots, then of its clock. No views of parts: thousands are read in a millisecond. */
export function readState(slots: Slots, all = new Float32Array(stateLength(slots)), at = 0): Float32Array {
  const { graph, state, clock, index } = slots;
  const batch = index === undefined ? state.batch : 1;
  for (let i = 0; i < graph.states.length; i++) {
    state.readHidden(i, all, at, index);
    at += batch * graph.states[i]!.size;
  }
  clock.write(all, at, index);
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
  if (!clock.read(values, index)) {
    throw new GruError('invalid_argument', 'hiddenState: its counts of steps do not fit');
  }
  const batch = index === undefined ? state.batch : 1;
  let at = 0;
  graph.states.forEach(({ size }, i) => {
    state.writeHidden(i, values.subarray(at, (at += batch * size)), index);
  });
}
