import type { PadSpec } from '../../../spec/spec.ts';
import { pad as kind, padPast } from '../../../layers/pad.ts';
import { type Build, rowOf, stateless } from './layer.ts';
import { keepPast, type KeptRows, pastRow, seenOf } from './past.ts';

/**
 * Steps put before and behind each sequence, or taken away there. From run to run is kept how many have come, as far as that matters to
 * what is put or taken away before them, and the last ones, which steps to come take away no more.
 */
export const pad: Build<PadSpec> = (spec, inputs, axis) => {
  const size = inputs[0]!.size;
  const { before = 0, after = 0, mode = 'constant', value = 0 } = spec;
  const streams = kind.notStreamable!(spec, [inputs[0]!]) === undefined;
  const kept: KeptRows | undefined = streams ? { ...padPast(spec), size } : undefined;
  /** Rows that a stream has given when it has seen so many steps. */
  const given = (seen: number) => (seen === 0 ? 0 : Math.max(seen + before + Math.min(after, 0), 0));
  const layer = stateless(0, () => undefined);
  return {
    ...layer,
    keepsTiny: true,
    workspace: (batch) => ({
      ...layer.workspace(batch),
      states: kept ? [new Float32Array(batch * pastRow(kept))] : [],
    }),
    reserve: (workspace) => workspace,
    run({ layout: from, layouts, inputs: [x], outputs: [y] }, { states: [state] }) {
      const to = layouts[axis]!;
      for (let b = 0; b < (x && y ? to.batch : 0); b++) {
        const steps = from.lengths[b]!;
        const past = kept && state ? from.sequences[b]! * pastRow(kept) : 0;
        const seen = kept && state ? seenOf(kept, state, past) : 0;
        for (let output = 0; output < to.lengths[b]!; output++) {
          const step = stepAt(mode, given(seen) + output - before, seen + steps);
          const into = rowOf(to, b, output) * size;
          if (step < 0) y!.fill(mode === 'constant' ? value : 0, into, into + size);
          else {
            const source = step < seen ? state! : x!;
            const row = step < seen ? past + (step % kept!.steps) * size : rowOf(from, b, step - seen) * size;
            for (let j = 0; j < size; j++) y![into + j] = source[row + j]!;
          }
        }
      }
      if (kept && state) keepPast(kept, state, from, x!);
    },
  };
};

/** The step, of `steps`, that lies `inside` steps behind the first; -1: none does. */
function stepAt(mode: PadSpec['mode'], inside: number, steps: number): number {
  const last = steps - 1;
  if (last < 0) return -1;
  if (inside >= 0 && inside <= last) return inside;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return Math.min(Math.max(inside, 0), last);
  if (last === 0) return 0;
  const distance = Math.abs(inside) % (2 * last);
  return Math.min(distance, 2 * last - distance);
}
