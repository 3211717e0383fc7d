import { checkChoice, checkFlag, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import { pastSlot } from './past.ts';
import type { LayerBase } from './spec.ts';
import { onlySteps } from './steps.ts';
import {
  checkWindows,
  type WindowPadding,
  padsOf,
  type Windows,
  windowsAxis,
  windowsParams,
  windowsPast,
  windowsWait,
} from './windows.ts';

/**
 * Windows of steps, each as one step: y_n = max or mean over taps k of x[n stride + k dilation - left]. Steps outside of the sequence
 * are never the maximum; a window without any step is zeros.
 */
export interface PoolSpec extends LayerBase {
  type: 'pool';
  /** What is made of a window. */
  pool: 'max' | 'mean';
  /** Taps of a window. */
  window: number;
  /** Steps from one window to the next. Default 1. */
  stride?: number;
  /** Steps from one tap to the next. Default 1. */
  dilation?: number;
  /** Steps around a sequence. Default `valid`. */
  padding?: WindowPadding;
  /** The last window may reach beyond the padding, if it begins before that behind the sequence. Default false. */
  ceil?: boolean;
  /** `mean` divides by all taps within the padding, not by those within the sequence. Default false. */
  countPadding?: boolean;
}

export const pool: LayerKind<PoolSpec> = {
  type: 'pool',
  code: 20,
  fields: ['pool', 'window', 'stride', 'dilation', 'padding', 'ceil', 'countPadding'],
  check(spec) {
    if ((spec.pool as unknown) === undefined) throw specError(spec, 'pool is missing');
    checkChoice(spec, 'pool', spec.pool, ['max', 'mean']);
    checkWindows(spec, 'window', poolWindows(spec));
    checkFlag(spec, 'ceil', spec.ceil);
    checkFlag(spec, 'countPadding', spec.countPadding);
    if (spec.countPadding && spec.pool === 'max') throw specError(spec, "countPadding is for pool 'mean'");
    if (spec.ceil && (spec.padding === 'same' || spec.padding === 'sameLower'))
      throw specError(spec, `ceil is not for padding '${spec.padding}'`);
  },
  ports(spec, inputs) {
    const { size } = onlySteps(spec, inputs);
    return [{ port: 'output', kind: 'sequence', dtype: 'float32', size }];
  },
  tensors: () => [],
  axis(spec) {
    const windows = poolWindows(spec);
    const rule = windowsAxis(windows);
    // Rounded up, the last window beginning before n + left.
    return rule && spec.ceil ? { ...rule, add: Math.min(rule.add, padsOf(windows).left) + windows.stride - 1 } : rule;
  },
  params: (spec, axis, [input]) => ({
    mean: Number(spec.pool === 'mean'),
    countPadding: Number(spec.countPadding ?? false),
    ...windowsParams(poolWindows(spec), wait(spec, input!.size) === undefined, axis),
  }),
  slots: (spec, [input]) =>
    wait(spec, input!.size) === undefined ? [pastSlot(windowsPast(poolWindows(spec)), input!.size)] : [],
  notStreamable: (spec, [input]) => wait(spec, input!.size),
};

export function poolWindows({ window, stride = 1, dilation = 1, padding = 'valid' }: PoolSpec): Windows {
  return { taps: window, stride, dilation, padding };
}

function wait(spec: PoolSpec, size: number): string | undefined {
  if (spec.ceil && (spec.stride ?? 1) > 1) return 'its last window may reach beyond the last step (ceil)';
  return windowsWait(poolWindows(spec), size);
}
