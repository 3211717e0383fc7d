import { describe } from '../base/tensor.ts';
import { checkChoice, floatBits, MAX_SIZE, onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

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
    const { kind, size } = onlyInput(spec, inputs);
    if (kind !== 'sequence') throw specError(spec, 'takes a value of steps, its input has one row a sequence');
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  axis: ({ before = 0, after = 0 }) => ({ mul: 1, add: before + after, div: 1 }),
  params: (spec, axis) => ({
    before: Math.max(spec.before ?? 0, 0),
    skipped: Math.max(-(spec.before ?? 0), 0),
    outside: OUTSIDE.indexOf(spec.mode ?? 'constant'),
    value: floatBits(spec.value ?? 0),
    streams: Number(streams(spec)),
    axis,
  }),
  slots: (spec) => (streams(spec) ? [{ slot: 'past', direction: 'forward', size: 1, fromGraph: false }] : []),
  notStreamable,
};

/** Whether it goes step by step, and keeps what it has done at the start. */
function streams(spec: PadSpec): boolean {
  return notStreamable(spec) === undefined;
}

function notStreamable({ before = 0, after = 0, mode = 'constant' }: PadSpec): string | undefined {
  if (after > 0) return `it puts ${after} step(s) behind the last one, which a stream does not know`;
  if (after < 0) return `it takes the last ${-after} step(s) away, so it looks as many ahead`;
  return mode === 'reflect' && before > 0 ? `it looks ${before} step(s) ahead (mode 'reflect')` : undefined;
}
