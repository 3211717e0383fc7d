import type { Past } from '../../../layers/past.ts';
import type { Layout } from '../plan.ts';

/** What steps to come need of those seen, in rows of a state: crate/src/layers/windows/past.rs. */
export interface KeptRows extends Past {
  /** Numbers in a step. */
  size: number;
}

/** Numbers of a sequence's row of the state. */
export function pastRow({ steps, size }: KeptRows): number {
  return steps * size + 1;
}

/** How many steps have come, or as many as are alike, by a sequence's row of the state. */
export function seenOf({ steps, size, lag, period }: KeptRows, state: Float32Array, at: number): number {
  const seen = state[at + steps * size]!;
  return seen >= 0 && seen < lag + period ? Math.trunc(seen) : 0;
}

/** Goes on by the steps of all sequences. */
export function keepPast(past: KeptRows, state: Float32Array, layout: Layout, x: Float32Array): void {
  const { steps: kept, size, lag, period } = past;
  for (let b = 0; b < layout.batch; b++) {
    const at = layout.sequences[b]! * pastRow(past);
    const seen = seenOf(past, state, at);
    const steps = layout.lengths[b]!;
    for (let step = Math.max(steps - kept, 0); step < steps; step++) {
      const from = (layout.starts[b]! + step * layout.stride) * size;
      const to = at + ((seen + step) % kept) * size;
      for (let c = 0; c < size; c++) state[to + c] = x[from + c]!;
    }
    const now = seen + steps;
    state[at + kept * size] = now < lag ? now : lag + ((now - lag) % period);
  }
}
