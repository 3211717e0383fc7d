import type { Graph, GraphState } from '../spec/graph.ts';

/** The state slots in words, in the order of their values: `gru.hidden`, `lstm.cell (reverse)`; then the counts of a clock. */
export function slotNames({ states, axes, derivedAxes }: Graph): string {
  const name = ({ layer, slot, direction }: GraphState) =>
    `${layer}.${slot}${direction === 'forward' ? '' : ` (${direction})`}`;
  const counted = derivedAxes.length > 0 ? axes.map((axis) => `${axis} steps`) : [];
  return [...states.map(name), ...counted].join(', ');
}

/** Values of all state slots of `batch` sequences. */
export function slotsLength({ states }: Graph, batch: number): number {
  return states.reduce((sum, { size }) => sum + batch * size, 0);
}

/** Calls back for each slot with its part of the values of all, (batch, size) each. */
export function eachSlot(
  { states }: Graph,
  batch: number,
  all: Float32Array,
  visit: (index: number, part: Float32Array) => void,
): void {
  let at = 0;
  states.forEach(({ size }, i) => {
    visit(i, all.subarray(at, (at += batch * size)));
  });
}
