import { MAX_SIZE } from './check.ts';
import { type AxisRule, keptSlot, type StateSlot } from './kind.ts';

/** What a stream keeps of the steps seen: the last `steps`, and how many have come (the same again `period` steps later, from `lag` on). */
export interface Past {
  steps: number;
  lag: number;
  period: number;
}

/** The state slot of rows of `size` numbers: those kept in a ring, and the count. */
export function pastSlot({ steps, lag, period }: Past, size: number): StateSlot {
  const count = (seen: number) => (seen < lag ? seen : lag + ((seen - lag) % period));
  return { ...keptSlot(steps * size + 1), count };
}

/** What is asked of a graph: slots, whose they are, and on which axis that layer's input lies. */
interface Counting {
  states: readonly { node: number; size: number; count?: StateSlot['count'] }[];
  nodes: readonly { inputs: readonly number[] }[];
  values: readonly { axis: number }[];
  derivedAxes: readonly (AxisRule & { from: number })[];
}

/**
 * Whether layers have counted the steps that a stream has taken: a state that was put together of two is none.
 *
 * @param state Values of all slots, of all sequences, and two for each of `seen`.
 * @param seen Steps by axis of the inputs.
 * @param given Steps of an axis that a layer makes of another.
 */
export function countsFit(
  { states, nodes, values, derivedAxes }: Counting,
  state: Float32Array,
  seen: readonly number[],
  given: (rule: AxisRule, steps: number) => number,
): boolean {
  const steps = [...seen];
  for (const axis of derivedAxes) steps.push(given(axis, steps[axis.from] ?? 0));
  const batch = (state.length - 2 * seen.length) / states.reduce((sum, { size }) => sum + size, 0);
  if (seen.length === 0) return true;
  let end = 0;
  return states.every(({ node, size, count }) => {
    const { axis } = values[nodes[node]!.inputs[0]!]!;
    for (let b = 0; b < batch; b++) {
      end += size;
      if (count && state[end - 1] !== count(steps[axis]!)) return false;
    }
    return true;
  });
}

/** Why it cannot be kept, if it cannot: a count is a number of the state too. */
export function pastLimit({ steps, lag, period }: Past, size: number): string | undefined {
  const numbers = Math.max(steps * size + 1, lag + period);
  return numbers > MAX_SIZE ? `its past takes ${numbers} numbers; at most ${MAX_SIZE}` : undefined;
}
