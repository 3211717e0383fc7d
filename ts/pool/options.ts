import { GruError } from '../base/errors.ts';
import type { RunOptions } from '../run/options.ts';
import { checkOptions, describe, isRevoked } from '../base/tensor.ts';
import type { PoolWorker } from './worker.ts';

/** Options of {@link createPool}. */
export interface PoolOptions {
  /** Default: as many as the machine runs at a time (`os.availableParallelism()`, `navigator.hardwareConcurrency`). */
  workers?: number | undefined;
  /** Calls that may wait for a worker; more are rejected with `queue_full`. See {@link GruPool.ready}. Default 256. */
  maxQueue?: number | undefined;
  /**
   * Makes a worker, where the pool's own way does not suit: a bundler that does not find the script, a content-security
   * policy, `resourceLimits`. The worker runs `gru-wasm/pool-worker`. It is called again for each worker that was lost, until
   * 8 in a row have done no work.
   */
  createWorker?: (() => PoolWorker) | undefined;
  /**
   * Milliseconds that workers which start may all be silent; then they are given up, and `createPool` rejects with `timeout`.
   * So long a worker may also take to start a job that it was given; then another takes its place.
   * Default 10,000: a worker is ready within 0.1 s, larger models take as long as their weights take to be packed.
   */
  startTimeout?: number | undefined;
}

/** Options of {@link GruPool.run}: those of `model.run` but `out`, and when to give up. */
export interface PoolRunOptions extends Omit<RunOptions, 'out'> {
  /** Rejects the call with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds from the call on; then it is rejected with `timeout`. Without it (and without `signal`) a worker that has
   * started its work has all the time it takes, and for ever where it hangs: nobody can tell that from long work.
   */
  timeout?: number | undefined;
}

/** What `setTimeout` can wait: 24 days. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Reads each option once. @throws GruError `invalid_argument`. */
export function readPoolOptions(options: PoolOptions): PoolOptions {
  const known = ['workers', 'maxQueue', 'createWorker', 'startTimeout'] as const;
  const { workers, maxQueue, createWorker, startTimeout } = checkOptions('createPool', options, known);
  whole('createPool: workers', workers, 1, 1024);
  whole('createPool: maxQueue', maxQueue, 0, 2 ** 31);
  milliseconds('createPool: startTimeout', startTimeout);
  if (createWorker !== undefined && typeof createWorker !== 'function') {
    throw new GruError(
      'invalid_argument',
      `createPool: createWorker must be a function, got ${describe(createWorker)}`,
    );
  }
  return { workers, maxQueue, createWorker, startTimeout };
}

/** The options of `model.run`, and the others; each is read once. @throws GruError `invalid_argument`. */
export function readPoolRun(options: PoolRunOptions): { run: RunOptions; signal?: AbortSignal; timeout?: number } {
  const { signal, timeout, ...run } = checkOptions('pool.run', options, [
    'initialStates',
    'timeMajor',
    'lengths',
    'mask',
    'padding',
    'signal',
    'timeout',
  ]);
  milliseconds('pool.run: timeout', timeout);
  if (signal !== undefined && !isSignal(signal)) {
    throw new GruError('invalid_argument', `pool.run: signal must be an AbortSignal, got ${describe(signal)}`);
  }
  return { run, ...(signal && { signal }), ...(timeout !== undefined && { timeout }) };
}

/** By what is asked of it: an `AbortSignal` of another realm is no instance of ours. */
function isSignal(signal: unknown): boolean {
  if (isRevoked(signal)) return false;
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && [addEventListener, removeEventListener].every((f) => typeof f === 'function');
}

function milliseconds(what: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value > 0 && value <= LONGEST_TIMEOUT)) return;
  const range = `a number of milliseconds up to ${LONGEST_TIMEOUT}`;
  throw new GruError('invalid_argument', `${what} must be ${range}, got ${describe(value)}`);
}

function whole(what: string, value: unknown, least: number, most: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new GruError(
    'invalid_argument',
    `${what} must be a whole number from ${least} to ${most}, got ${describe(value)}`,
  );
}
