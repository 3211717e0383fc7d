import type { PadSpec } from '../../../spec/spec.ts';
import { pad as kind } from '../../../layers/pad.ts';
import { type Build, rowOf, stateless } from './layer.ts';

/**
 * Steps put before and behind each sequence, or taken away there. What was put before it, or is still to be taken away, is kept from
 * run to run.
 */
export const pad: Build<PadSpec> = (spec, [input], axis) => {
  const size = input!.size;
  const { before = 0, mode = 'constant', value = 0 } = spec;
  const [put, skip] = [Math.max(before, 0), Math.max(-before, 0)];
  const streams = kind.slots!(spec).length > 0;
  const most = Math.max(skip, 1);
  const layer = stateless(0, () => undefined);
  return {
    ...layer,
    workspace: (batch) => ({ ...layer.workspace(batch), states: streams ? [new Float32Array(batch)] : [] }),
    reserve: (workspace) => workspace,
    run({ layout: from, layouts, inputs: [x], outputs: [y] }, { states: [state] }) {
      const to = layouts[axis]!;
      for (let b = 0; b < to.batch; b++) {
        const steps = from.lengths[b]!;
        let seen = 0;
        if (state) {
          const sequence = from.sequences[b]!;
          // As many as matter: whether there was a first step, and how many are still to be skipped.
          seen = Math.min(Math.max(Math.trunc(state[sequence]!) || 0, 0), most);
          state[sequence] = Math.min(seen + steps, most);
        }
        if (!x || !y) continue;
        const first = seen === 0 ? put : 0;
        for (let output = 0; output < to.lengths[b]!; output++) {
          const step = stepAt(mode, output + Math.max(skip - seen, 0), first, steps);
          const into = rowOf(to, b, output) * size;
          if (step < 0) y.fill(mode === 'constant' ? value : 0, into, into + size);
          else for (let j = 0, row = rowOf(from, b, step) * size; j < size; j++) y[into + j] = x[row + j]!;
        }
      }
    },
  };
};

/** The step that lies at `position` when `first` steps were put before; -1: none does. */
function stepAt(mode: PadSpec['mode'], position: number, first: number, steps: number): number {
  const inside = position - first;
  const last = steps - 1;
  if (last < 0) return -1;
  if (inside >= 0 && inside <= last) return inside;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return Math.min(Math.max(inside, 0), last);
  if (last === 0) return 0;
  const distance = Math.abs(inside) % (2 * last);
  return Math.min(distance, 2 * last - distance);
}
