import type { BackendState, CompiledModel } from '../backends/backend.ts';
import type { Ragged } from './batch.ts';
import type { RunInputs } from './inputs.ts';
import type { Resource } from '../base/lifetime.ts';

/** What of a run its state depends on. */
type Layout = Pick<RunInputs, 'batch' | 'steps' | 'timeMajor'> & { ragged: Pick<Ragged, 'lengths'> | undefined };

/** What a model holds in the backend, apart from its streams. */
export class ModelResources implements Resource {
  readonly compiled: CompiledModel;
  /** The state of the last run, kept for the next one of the same batch. */
  runState: BackendState | undefined;
  private layout: { lengths: Int32Array | undefined; steps: number; timeMajor: boolean } | undefined;

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
  stateFor({ batch, steps, ragged, timeMajor }: Layout): BackendState {
    if (this.runState?.batch !== batch) this.dropRunState();
    const state = (this.runState ??= this.compiled.createState(batch));
    if (!this.isLaidOut(steps, timeMajor, ragged?.lengths)) {
      state.setLengths(ragged?.lengths ?? new Int32Array(batch).fill(steps), timeMajor && !ragged);
      // A copy: a worker's lengths are in memory that the next run overwrites.
      this.layout = { lengths: ragged?.lengths.slice(), steps, timeMajor };
    }
    return state;
  }

  private isLaidOut(steps: number, timeMajor: boolean, lengths: Int32Array | undefined): boolean {
    const { layout } = this;
    if (!layout) return false;
    if (!lengths) return !layout.lengths && layout.steps === steps && layout.timeMajor === timeMajor;
    return layout.lengths?.every((length, b) => length === lengths[b]) ?? false;
  }
}
