import type { Numbers, TensorLike } from '../base/tensor.ts';
import type { Values } from '../base/typed-array.ts';
import type { Padding } from './batch.ts';
import type { RunResult } from './result.ts';
import type { LayerState, LstmStateInput, StateInput, StateRecord } from './states.ts';

/** Numbers or booleans, shaped like the steps. */
export type Mask = TensorLike | Numbers | ArrayLike<boolean> | { data: ArrayLike<boolean>; shape: readonly number[] };

/** Options of {@link GruModel.run}. */
export interface RunOptions {
  /**
   * States to start from, by recurrent layer: (directions, batch, hiddenSize), or (directions, hiddenSize) for one sequence; for an
   * lstm `{ hidden, cell }` of such. What is left out starts from zeros. A model with one recurrent layer takes its states without a
   * record too.
   */
  initialStates?: StateRecord | LstmStateInput | StateInput | undefined;
  /** Sequences come and go as (steps, batch, size) instead of (batch, steps, size). Default false. */
  timeMajor?: boolean | undefined;
  /**
   * For a padded array: the steps of each sequence, (batch). No work is spent on the rest, and each sequence gives what it
   * gives alone: a reverse layer starts at the sequence's own last step. For a model of several axes a record by axis, or by an
   * input on it.
   */
  lengths?: Numbers | Record<string, Numbers | undefined> | undefined;
  /**
   * For a padded array: 0 or false for each step to leave out, (batch, steps), or (steps, batch) with `timeMajor`. As Keras
   * means it: the state passes over such a step. For a model of several axes a record, as `lengths`.
   */
  mask?: Mask | Record<string, Mask | undefined> | undefined;
  /**
   * What outputs are at steps left out: zeros (the default; PyTorch, ONNX), the last output held (Keras), or `none`: no rows, the
   * output is (rows, size), sequence after sequence, which saves what padding costs.
   */
  padding?: Padding | undefined;
  /**
   * What an earlier run returned, for a run of the same shapes: its arrays are filled and it is returned, so that nothing large is
   * allocated. `out.states` may be the `initialStates` too, and its outputs the input; arrays that overlap each other are refused.
   */
  out?: RunResult<Record<string, LayerState>, Values> | undefined;
}

export const RUN_OPTIONS = ['initialStates', 'timeMajor', 'lengths', 'mask', 'padding', 'out'] as const;
