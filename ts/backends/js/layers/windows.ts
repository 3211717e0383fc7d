import { padsOf, spanOf, type Windows } from '../../../layers/windows.ts';

/**
 * The step at which the first window of `steps` starts, of those that end after `seen` steps have come, and how many there are:
 * crate/src/layers/windows/mod.rs.
 */
export function windowsIn(windows: Windows, steps: number, seen: number): { start: number; outputs: number } {
  const { padding, stride } = windows;
  const span = spanOf(windows);
  const pads = padsOf(windows);
  let { left } = pads;
  let all = steps + left + pads.right;
  if ((padding === 'same' || padding === 'sameLower') && stride > 1) {
    const outputs = Math.ceil(steps / stride);
    all = steps === 0 ? 0 : Math.max((outputs - 1) * stride + span + 1, steps);
    const outside = all - steps;
    left = padding === 'same' ? Math.floor(outside / 2) : Math.ceil(outside / 2);
  }
  // Steps before the first window is complete.
  const lag = Math.max(span - left, 0);
  const before = Math.ceil(Math.max(seen - lag, 0) / stride) * stride;
  const positions = Math.max(all + seen - span - before, 0);
  return { start: before - seen - left, outputs: Math.ceil(positions / stride) };
}
