import type { ModelInput } from '../run/inputs.ts';
import type { RunResult } from '../run/result.ts';
import type { AnyState } from '../run/states.ts';
import type { PoolRunOptions } from './options.ts';

/** What `model.run` returns of a model of any kind of layers. */
export type PoolResult = RunResult<Record<string, AnyState>>;

/**
 * Workers with a copy of a model each. Made by {@link createPool}.
 *
 * @example
 * await using pool = await createPool(model);
 * const { output } = await pool.run({ data, shape: [512, steps, size] });
 */
export interface GruPool {
  /** Number of workers that the pool started with. */
  readonly workers: number;
  /** Calls that wait for a worker, and parts of calls whose worker died. */
  readonly queued: number;

  /**
   * Resolves when the queue has room. One producer that awaits it before each call is never ahead of the workers by more than
   * the queue, and never meets `queue_full`.
   *
   * @example
   * for await (const batch of source) {
   *   await pool.ready;
   *   void pool.run(batch).then(write);
   * }
   */
  readonly ready: Promise<void>;

  /**
   * `model.run` in the workers: the same inputs, options (but `out`) and results, bit for bit. A batch is shared out among the workers that
   * have nothing to do; a run too small to gain by that is done at once on this thread.
   *
   * @param input What `model.run` takes. It is copied at the call: change yours as soon as that has returned.
   * @throws (as a rejection) what `model.run` throws; GruError `queue_full`, `timeout`, `worker_lost`, `disposed` after
   *   {@link close}; the reason of `options.signal` when aborted. What a getter or a Proxy of the caller's throws passes as it is.
   *
   * @example
   * const { output, states } = await pool.run([first, second, third], { timeout: 1000, signal });
   */
  run(input: ModelInput | Record<string, ModelInput>, options?: PoolRunOptions): Promise<PoolResult>;

  /** Resolves when all calls made so far, and those made meanwhile, have settled. */
  drain(): Promise<void>;

  /** Ends the workers. Calls that have not settled are rejected with `disposed`: `drain()` comes first. Idempotent. */
  close(): Promise<void>;

  /** {@link close}, for `await using pool = await createPool(model)`. */
  [Symbol.asyncDispose](): Promise<void>;
}
