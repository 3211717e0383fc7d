import { describe, isArrayLike } from '../base/tensor.ts';
import { checkChoice, checkFlag, checkSize, MAX_SIZE, onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/**
 * Windows of steps, each as one step: y_n = max or mean over taps k of x[n stride + k dilation - left]. Steps outside of the sequence
 * are never the maximum; a window without any step is zeros.
 */
export interface PoolSpec extends LayerBase {
  type: 'pool';
  pool: 'max' | 'mean';
  /** Taps of a window. */
  window: number;
  /** Steps from one window to the next. Default 1. */
  stride?: number;
  /** Steps from one tap to the next. Default 1. */
  dilation?: number;
  /**
   * Steps around a sequence: [before, behind], default none; or as many as give a window for each `stride` steps begun, half of them
   * before it, an odd one behind it (`same`) or before it (`sameLower`).
   */
  padding?: 'same' | 'sameLower' | readonly [number, number];
  /** The last window may reach beyond the padding, if it begins before that behind the sequence. Default false. */
  ceil?: boolean;
  /** `mean` divides by all taps within the padding, not by those within the sequence. Default false. */
  countPadding?: boolean;
}

const SIDES = ['fixed', 'same', 'sameLower'] as const;

export const pool: LayerKind<PoolSpec> = {
  type: 'pool',
  code: 20,
  fields: ['pool', 'window', 'stride', 'dilation', 'padding', 'ceil', 'countPadding'],
  check(spec) {
    if ((spec.pool as unknown) === undefined) throw specError(spec, 'pool is missing');
    checkChoice(spec, 'pool', spec.pool, ['max', 'mean']);
    checkSize(spec, 'window', spec.window);
    for (const field of ['stride', 'dilation'] as const) {
      if (spec[field] !== undefined) checkSize(spec, field, spec[field]);
    }
    checkFlag(spec, 'ceil', spec.ceil);
    checkFlag(spec, 'countPadding', spec.countPadding);
    checkPadding(spec, spec.padding);
    if (spec.window * (spec.dilation ?? 1) > MAX_SIZE) {
      throw specError(spec, `its taps lie more than ${MAX_SIZE} steps apart (window, dilation)`);
    }
    if (spec.countPadding && spec.pool === 'max') throw specError(spec, "countPadding is for pool 'mean'");
    if (spec.ceil && typeof spec.padding === 'string')
      throw specError(spec, `ceil is not for padding '${spec.padding}'`);
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs);
    if (kind !== 'sequence') throw specError(spec, 'takes a value of steps, its input has one row a sequence');
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  axis(spec) {
    const { window, stride = 1, dilation = 1, padding, ceil = false } = spec;
    const span = (window - 1) * dilation + 1;
    const [left, right] = padsOf(spec);
    // A window for each `stride` steps begun.
    if (typeof padding === 'string') return { mul: 1, add: stride - 1, div: stride };
    // floor((n + left + right - span) / stride) + 1; with ceil rounded up, the last window beginning before n + left.
    const floor = left + right - span + stride;
    return { mul: 1, add: ceil ? Math.min(floor, left) + stride - 1 : floor, div: stride };
  },
  params(spec, axis) {
    const { window, stride = 1, dilation = 1, padding, countPadding = false } = spec;
    const [left, right] = padsOf(spec);
    return {
      mean: Number(spec.pool === 'mean'),
      window,
      stride,
      dilation,
      sides: SIDES.indexOf(typeof padding === 'string' ? padding : 'fixed'),
      left,
      right,
      countPadding: Number(countPadding),
      axis,
    };
  },
  notStreamable: () => 'it pools several steps',
};

function padsOf({ padding = [0, 0] }: PoolSpec): readonly [number, number] {
  return typeof padding === 'string' ? [0, 0] : padding;
}

function checkPadding(spec: PoolSpec, padding: unknown): void {
  if (padding === undefined || !isArrayLike(padding)) {
    checkChoice(spec, 'padding', padding, ['same', 'sameLower']);
    return;
  }
  const isSteps = (n: unknown) => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= MAX_SIZE;
  if (padding.length === 2 && isSteps(padding[0]) && isSteps(padding[1])) return;
  throw specError(spec, `padding must be same, sameLower or two whole numbers from 0, got ${describe(padding)}`);
}
