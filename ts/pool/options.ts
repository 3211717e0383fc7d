import { GruError } from '../errors.ts';
import type { RunOptions } from '../model.ts';
import { checkOptions, describe } from '../tensor.ts';
import type { PoolWorker } from './worker.ts';

/** Options of {@link createPool}. */
export interface PoolOptions {
  /** Default: as many as the machine runs at a time (`os.availableParallelism()`, `navigator.hardwareConcurrency`). */
  workers?: number | undefined;
  /** Calls that may wait for a worker; more are rejected with `queue_full`. See {@link GruPool.ready}. Default 256. */
  maxQueue?: number | undefined;
  /**
   * Makes a worker, where the pool's own way does not suit: a bundler that does not find the script, a content-security
   * policy, `resourceLimits`. The worker runs `gru-wasm/pool-worker`. It is called again for each worker that died.
   */
  createWorker?: (() => PoolWorker) | undefined;
}

/** Options of {@link GruPool.run}: those of `model.run` but `out`, and when to give up. */
export interface PoolRunOptions extends Omit<RunOptions, 'out'> {
  /** Rejects the call with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds from the call on; then it is rejected with `timeout`. */
  timeout?: number | undefined;
}

/** What `setTimeout` can wait: 24 days. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** @throws GruError `invalid_argument`. */
export function checkPoolOptions(options: PoolOptions): void {
  checkOptions('createPool', options, ['workers', 'maxQueue', 'createWorker']);
  whole('createPool: workers', options.workers, 1, 1024);
  whole('createPool: maxQueue', options.maxQueue, 0, 2 ** 31);
  const { createWorker } = options as { createWorker?: unknown };
  if (createWorker !== undefined && typeof createWorker !== 'function') {
    throw new GruError(
      'invalid_argument',
      `createPool: createWorker must be a function, got ${describe(createWorker)}`,
    );
  }
}

/** The options of `model.run`, and the others. @throws GruError `invalid_argument`. */
export function checkRunOptions(options: PoolRunOptions): { run: RunOptions; signal?: AbortSignal; timeout?: number } {
  checkOptions('pool.run', options, [
    ...['initialStates', 'timeMajor', 'lengths', 'mask', 'padding'],
    ...['signal', 'timeout'],
  ]);
  const { signal, timeout, ...run } = options;
  if (timeout !== undefined && !(timeout > 0 && timeout <= LONGEST_TIMEOUT)) {
    const range = `a number of milliseconds up to ${LONGEST_TIMEOUT}`;
    throw new GruError('invalid_argument', `pool.run: timeout must be ${range}, got ${describe(timeout)}`);
  }
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw new GruError('invalid_argument', `pool.run: signal must be an AbortSignal, got ${describe(signal)}`);
  }
  const { padding = 'zero' } = run;
  if (!['zero', 'hold', 'none'].includes(padding)) {
    throw new GruError('invalid_argument', `pool.run: padding must be zero, hold or none, got ${describe(padding)}`);
  }
  return { run, ...(signal && { signal }), ...(timeout !== undefined && { timeout }) };
}

function whole(what: string, value: unknown, least: number, most: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new GruError(
    'invalid_argument',
    `${what} must be a whole number from ${least} to ${most}, got ${describe(value)}`,
  );
}
