import { describe, isArrayLike } from '../base/tensor.ts';
import { checkChoice, checkSize, MAX_SIZE, specError } from './check.ts';
import type { AxisRule } from './kind.ts';
import { type Past, pastLimit } from './past.ts';
import type { AnyLayer } from './spec.ts';

/** Windows of steps, from each of which a layer makes a row: its taps are x[n stride + k dilation - left], k = 0 .. taps - 1. */
export interface Windows {
  taps: number;
  stride: number;
  dilation: number;
  padding: WindowPadding;
}

/**
 * Steps around a sequence: none (`valid`); all before it, so that no window reads a later step (`causal`); as many as give a window for
 * each `stride` steps begun, half of them before it, an odd one behind it (`same`) or before it (`sameLower`); or [before, behind].
 */
export type WindowPadding = 'valid' | 'causal' | 'same' | 'sameLower' | readonly [number, number];

const NAMED = ['valid', 'causal', 'same', 'sameLower'];

/** Steps from the first tap to the last. */
export function spanOf({ taps, dilation }: Windows): number {
  return (taps - 1) * dilation;
}

/** Where padding lies depends on the length of the sequence: behind the last of its windows, which are `stride` steps apart. */
function isByLength(windows: Windows): boolean {
  const { padding, stride } = windows;
  return (padding === 'same' || padding === 'sameLower') && stride > 1 && spanOf(windows) > 0;
}

/** Steps before and behind a sequence; none where they depend on its length. */
export function padsOf(windows: Windows): { left: number; right: number } {
  const { padding } = windows;
  const span = isByLength(windows) ? 0 : spanOf(windows);
  switch (padding) {
    case 'valid':
      return { left: 0, right: 0 };
    case 'causal':
      return { left: span, right: 0 };
    case 'same':
      return { left: Math.floor(span / 2), right: Math.ceil(span / 2) };
    case 'sameLower':
      return { left: Math.ceil(span / 2), right: Math.floor(span / 2) };
    default:
      return { left: padding[0], right: padding[1] };
  }
}

/** The axis of a row a window: one for each `stride` steps begun, of those at which a window can start. */
export function windowsAxis(windows: Windows): AxisRule | undefined {
  const { stride } = windows;
  const { left, right } = padsOf(windows);
  const add = isByLength(windows) ? stride - 1 : left + right - spanOf(windows) + stride - 1;
  return stride === 1 && add === 0 ? undefined : { mul: 1, add, div: stride };
}

/** What windows to come need of the steps seen: whether all of a window have come, and which window comes next. */
export function windowsPast(windows: Windows): Past {
  const steps = spanOf(windows);
  return { steps, lag: steps, period: Math.max(steps, 1) * windows.stride };
}

/** Why they cannot go step by step over rows of `size` numbers, if they cannot. */
export function windowsWait(windows: Windows, size: number): string | undefined {
  const span = spanOf(windows);
  const { left, right } = padsOf(windows);
  const ahead = isByLength(windows) ? Math.ceil(span / 2) : right;
  if (ahead > 0) {
    const up = isByLength(windows) ? 'up to ' : '';
    const padding = typeof windows.padding === 'string' ? windows.padding : windows.padding.join(', ');
    return `it looks ${up}${ahead} step${ahead > 1 ? 's' : ''} ahead (padding '${padding}'; 'causal' and 'valid' do not)`;
  }
  if (left > span) return `its padding of ${left} steps gives rows before the first step`;
  return pastLimit(windowsPast(windows), size);
}

/** Parameters for the core. */
export function windowsParams(windows: Windows, streams: boolean, axis: number): Record<string, number> {
  const { taps, stride, dilation, padding } = windows;
  const sides = isByLength(windows) ? (padding === 'same' ? 1 : 2) : 0;
  return { taps, stride, dilation, padding: sides, ...padsOf(windows), streams: Number(streams), axis };
}

/** Checks what a spec says of its windows. */
export function checkWindows(
  spec: AnyLayer & { stride?: number; dilation?: number },
  taps: 'kernelSize' | 'window',
  windows: Windows,
): void {
  checkSize(spec, taps, windows.taps);
  checkSize(spec, 'stride', windows.stride);
  checkSize(spec, 'dilation', windows.dilation);
  checkPadding(spec, windows.padding);
  if (spanOf(windows) > MAX_SIZE) {
    throw specError(spec, `its taps lie ${spanOf(windows)} steps apart (${taps}, dilation); at most ${MAX_SIZE}`);
  }
}

function checkPadding(spec: AnyLayer, padding: unknown): void {
  if (!isArrayLike(padding)) {
    checkChoice(spec, 'padding', padding, NAMED);
    return;
  }
  const isSteps = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SIZE;
  if (padding.length !== 2 || !isSteps(padding[0]) || !isSteps(padding[1])) {
    throw specError(
      spec,
      `padding must be one of ${NAMED.join(', ')} or two whole numbers from 0 to ${MAX_SIZE}, got ${describe(padding)}`,
    );
  }
}
