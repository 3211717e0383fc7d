import type { StateSlot } from '../layers/kind.ts';
import type { Graph } from './graph.ts';

/** One state of one layer in all its directions: `count` slots from `first` on in {@link Graph.states}. */
export interface StateGroup {
  layer: string;
  slot: StateSlot['slot'];
  /** The layer has this state of runs alone: it goes by the layer's name, without the slot's. */
  only: boolean;
  first: number;
  count: number;
  size: number;
  fromGraph: boolean;
}

export function groupStates(graph: Graph): StateGroup[] {
  const groups: StateGroup[] = [];
  graph.states.forEach(({ layer, slot, size, fromGraph }, first) => {
    const last = groups.at(-1);
    if (last?.layer === layer && last.slot === slot) last.count++;
    else groups.push({ layer, slot, only: true, first, count: 1, size, fromGraph });
  });
  // Those of one layer follow each other.
  const runs = groups.filter(isOfRuns);
  runs.forEach((group, i) => {
    group.only = runs[i - 1]?.layer !== group.layer && runs[i + 1]?.layer !== group.layer;
  });
  return groups;
}

/** Whether runs start from and end with a slot. What is kept of the past is for streams: a run is of whole sequences. */
export function isOfRuns({ slot }: Pick<StateSlot, 'slot'>): boolean {
  return slot !== 'past';
}

/** The slots of {@link isOfRuns}. */
export function runSlots({ states }: Graph): number[] {
  return states.flatMap((state, index) => (isOfRuns(state) ? [index] : []));
}

/** The groups of these. */
export function runGroups(graph: Graph): StateGroup[] {
  return groupStates(graph).filter(isOfRuns);
}
