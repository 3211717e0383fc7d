import { MAX_SIZE } from './check.ts';
import { keptSlot, type StateSlot } from './kind.ts';

/** What a stream keeps of the steps seen: the last `steps`, and how many have come (the same again `period` steps later, from `lag` on). */
export interface Past {
  steps: number;
  lag: number;
  period: number;
}

/** The state slot of rows of `size` numbers: those kept in a ring, and the count. */
export function pastSlot({ steps }: Past, size: number): StateSlot {
  return keptSlot(steps * size + 1);
}

/** Why it cannot be kept, if it cannot: a count is a number of the state too. */
export function pastLimit({ steps, lag, period }: Past, size: number): string | undefined {
  const numbers = Math.max(steps * size + 1, lag + period);
  return numbers > MAX_SIZE ? `its past takes ${numbers} numbers; at most ${MAX_SIZE}` : undefined;
}
