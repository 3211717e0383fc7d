import { describe } from '../base/tensor.ts';
import { checkChoice, floatBits, MAX_SIZE, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import { type Past, pastLimit, pastSlot } from './past.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';

const OUTSIDE = ['constant', 'edge', 'reflect'] as const;

/** Steps put before and behind each sequence; a number below 0 takes as many away. */
export interface PadSpec extends LayerBase {
  type: 'pad';
  /** Default 0. */
  before?: number;
  /** Default 0. */
  after?: number;
  /** What they hold: `value`; the first or last step; or the steps inside, the first and last being mirrors. Default `constant`. */
  mode?: (typeof OUTSIDE)[number];
  /** Default 0. */
  value?: number;
}

export const pad: LayerKind<PadSpec> = {
  type: 'pad',
  code: 22,
  fields: ['before', 'after', 'mode', 'value'],
  check(spec) {
    for (const field of ['before', 'after'] as const) {
      const steps: unknown = spec[field] ?? 0;
      if (!Number.isInteger(steps) || Math.abs(steps as number) > MAX_SIZE) {
        throw specError(
          spec,
          `${field} must be a whole number from -${MAX_SIZE} to ${MAX_SIZE}, got ${describe(steps)}`,
        );
      }
    }
    checkChoice(spec, 'mode', spec.mode, OUTSIDE);
    if (spec.value === undefined) return;
    if (typeof spec.value !== 'number') throw specError(spec, `value must be a number, got ${describe(spec.value)}`);
    if ((spec.mode ?? 'constant') !== 'constant') throw specError(spec, "value is for mode 'constant'");
  },
  ports(spec, inputs) {
    const { size } = onlySteps(spec, inputs);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  axis: ({ before = 0, after = 0 }) => ({ mul: 1, add: before + after, div: 1 }),
  params: (spec, axis, [input]) => ({
    before: Math.max(spec.before ?? 0, 0),
    skipped: Math.max(-(spec.before ?? 0), 0),
    held: Math.max(-(spec.after ?? 0), 0),
    outside: OUTSIDE.indexOf(spec.mode ?? 'constant'),
    value: floatBits(spec.value ?? 0),
    streams: Number(wait(spec, input!.size) === undefined),
    axis,
  }),
  slots: (spec, [input]) => (wait(spec, input!.size) === undefined ? [pastSlot(padPast(spec), input!.size)] : []),
  notStreamable: (spec, [input]) => wait(spec, input!.size),
};

/**
 * The last steps, which are taken away unless more come: a stream lags behind by as many. Of those before them it matters whether there
 * was one, and how many are still to be taken away at the start.
 */
export function padPast({ before = 0, after = 0 }: PadSpec): Past {
  const held = Math.max(-after, 0);
  return { steps: held, lag: Math.max(held - Math.min(before, 0), 1), period: Math.max(held, 1) };
}

function wait(spec: PadSpec, size: number): string | undefined {
  const { before = 0, after = 0, mode = 'constant' } = spec;
  if (after > 0) return `it puts ${after} step(s) behind the last one, which a stream does not know`;
  if (mode === 'reflect' && before > 0) return `it looks ${before} step(s) ahead (mode 'reflect')`;
  return pastLimit(padPast(spec), size);
}
