import type { BackendState, CompiledModel } from '../backends/backend.ts';
import type { Resource } from '../base/lifetime.ts';

/** What of a run its state depends on: by axis, the steps of each sequence where they differ, else of all. */
export interface RunLayout {
  batch: number;
  timeMajor: boolean;
  axes: readonly { steps: number; ragged: { lengths: Int32Array } | undefined }[];
}

/** What a model holds in the backend, apart from its streams. */
export class ModelResources implements Resource {
  readonly compiled: CompiledModel;
  /** The state of the last run, kept for the next one of the same batch. */
  runState: BackendState | undefined;
  private layout: RunLayout | undefined;

  constructor(compiled: CompiledModel) {
    this.compiled = compiled;
  }

  free(): void {
    this.dropRunState();
    this.compiled.free();
  }

  dropRunState(): void {
    this.runState?.free();
    this.runState = undefined;
    this.layout = undefined;
  }

  /** A state laid out for the run: the one kept, where it fits. */
  stateFor({ batch, axes, timeMajor }: RunLayout): BackendState {
    if (this.runState?.batch !== batch) this.dropRunState();
    const state = (this.runState ??= this.compiled.createState(batch));
    if (this.isLaidOut(axes, timeMajor)) return state;
    state.setLengths(
      axes.map(({ steps, ragged }) => ({
        lengths: ragged?.lengths ?? new Int32Array(batch).fill(steps),
        timeMajor: timeMajor && !ragged,
      })),
    );
    // A copy: a worker's lengths are in memory that the next run overwrites.
    const copies = axes.map(({ steps, ragged }) => ({ steps, ragged: ragged && { lengths: ragged.lengths.slice() } }));
    this.layout = { batch, timeMajor, axes: copies };
    return state;
  }

  private isLaidOut(axes: RunLayout['axes'], timeMajor: boolean): boolean {
    const { layout } = this;
    if (!layout) return false;
    for (let a = 0; a < axes.length; a++) {
      const { steps, ragged } = axes[a]!;
      const kept = layout.axes[a]!;
      if (!ragged) {
        if (kept.ragged || kept.steps !== steps || layout.timeMajor !== timeMajor) return false;
      } else if (!kept.ragged?.lengths.every((length, b) => length === ragged.lengths[b])) return false;
    }
    return true;
  }
}
