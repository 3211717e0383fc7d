import { product } from '../base/tensor.ts';
import type { Graph } from '../spec/graph.ts';
import type { RunInputs } from '../run/inputs.ts';

/** Sequences from `from` to `to` - 1. */
export interface Span {
  from: number;
  to: number;
}

/** Floating-point operations of one step of one sequence: two a weight, 2 * 3H * (I + H) for a GRU. */
export function stepWork({ nodes }: Graph): number {
  const weights = nodes.reduce((sum, { kind, layer }) => {
    // Rows of a table are looked up, not multiplied.
    if (kind.vocabularySize) return sum;
    return sum + kind.tensors(layer).reduce((n, { shape }) => n + product(shape), 0);
  }, 0);
  return 2 * weights;
}

/** Steps of all sequences. */
export function totalSteps({ axes, batch }: RunInputs): number {
  return axes.reduce((sum, { ragged, steps }) => sum + (ragged ? ragged.steps.length : batch * steps), 0);
}

/**
 * Shares the sequences of a run out in `count` parts of about equal steps: neighbours where all are of one length, else the
 * longest first, each to the part that has least. Every part then has long and short ones, so that its batch shrinks like the
 * whole one.
 */
export function shareOut(run: RunInputs, count: number): Span[][] {
  const { batch, axes } = run;
  const parts = Math.max(1, Math.min(count, batch));
  const ragged = axes.filter((axis) => axis.ragged);
  if (ragged.length === 0) {
    const edge = (i: number) => Math.round((i * batch) / parts);
    return Array.from({ length: parts }, (_, i) => [{ from: edge(i), to: edge(i + 1) }]);
  }
  const lengths = new Float64Array(batch);
  for (const axis of ragged) axis.ragged!.lengths.forEach((length, b) => (lengths[b]! += length));
  const members = Array.from({ length: parts }, (): number[] => []);
  const loads = new Float64Array(parts);
  const longestFirst = Uint32Array.from(lengths, (_, b) => b).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  for (const b of longestFirst) {
    const part = loads.indexOf(loads.reduce((a, b) => Math.min(a, b)));
    members[part]!.push(b);
    // At least one, so that empty sequences spread too and no part stays empty.
    loads[part]! += Math.max(lengths[b]!, 1);
  }
  return members.map(toSpans);
}

function toSpans(members: number[]): Span[] {
  const spans: Span[] = [];
  for (const b of members.sort((x, y) => x - y)) {
    const last = spans.at(-1);
    if (last?.to === b) last.to++;
    else spans.push({ from: b, to: b + 1 });
  }
  return spans;
}
