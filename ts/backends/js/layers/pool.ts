import { pool as kind, poolWindows } from '../../../layers/pool.ts';
import { padsOf, windowsPast } from '../../../layers/windows.ts';
import type { PoolSpec } from '../../../spec/spec.ts';
import { type Build, type Io, type Layer, nothing, rowOf, type Workspace } from './layer.ts';
import { keepPast, type KeptRows, pastRow, seenOf } from './past.ts';
import { windowsIn } from './windows.ts';

/** Windows of steps, each as one row; a window without any step is zeros. */
export const pool: Build<PoolSpec> = (spec, [input], axis) =>
  new Pool(spec, input!.size, kind.notStreamable!(spec, [input!]) === undefined, axis);

class Pool implements Layer {
  readonly bytes = 0;
  readonly orders = [];
  readonly keepsTiny = true;
  readonly #spec: PoolSpec;
  readonly #size: number;
  readonly #axis: number;
  readonly #past: KeptRows | undefined;

  constructor(spec: PoolSpec, size: number, streams: boolean, axis: number) {
    this.#spec = spec;
    this.#size = size;
    this.#axis = axis;
    this.#past = streams ? { ...windowsPast(poolWindows(spec)), size } : undefined;
  }

  workspace(batch: number): Workspace {
    return { ...nothing, states: this.#past ? [new Float32Array(batch * pastRow(this.#past))] : [] };
  }

  reserve(workspace: Workspace): Workspace {
    return workspace;
  }

  run({ layout: from, layouts, inputs: [x], outputs: [y] }: Io, { states: [state] }: Workspace): void {
    const size = this.#size;
    const windows = poolWindows(this.#spec);
    const { window, countPadding = false } = this.#spec;
    const isMean = this.#spec.pool === 'mean';
    const { stride, dilation } = windows;
    const { right } = padsOf(windows);
    const to = layouts[this.#axis]!;
    for (let b = 0; b < (x && y ? to.batch : 0); b++) {
      const steps = from.lengths[b]!;
      const past = this.#past && state ? from.sequences[b]! * pastRow(this.#past) : 0;
      const seen = this.#past && state ? seenOf(this.#past, state, past) : 0;
      const { start } = windowsIn(windows, steps, seen);
      for (let output = 0; output < to.lengths[b]!; output++) {
        const into = rowOf(to, b, output) * size;
        y!.fill(isMean ? 0 : -Infinity, into, into + size);
        let inside = 0;
        let counted = 0;
        for (let tap = 0; tap < window; tap++) {
          const step = start + output * stride + tap * dilation;
          if (step < steps + right) counted++;
          if (step < -seen || step >= steps) continue;
          inside++;
          const kept = step < 0 ? this.#past!.steps : 0;
          const source = step < 0 ? state! : x!;
          const row = step < 0 ? past + ((seen + kept + step) % kept) * size : rowOf(from, b, step) * size;
          for (let j = 0; j < size; j++) {
            const value = source[row + j]!;
            const sum = y![into + j]!;
            y![into + j] = isMean ? sum + value : value > sum || value !== value ? value : sum;
          }
        }
        if (inside === 0) y!.fill(0, into, into + size);
        else if (isMean) for (let j = into; j < into + size; j++) y![j] = y![j]! / (countPadding ? counted : inside);
      }
    }
    if (this.#past && state) keepPast(this.#past, state, from, x!);
  }
}
