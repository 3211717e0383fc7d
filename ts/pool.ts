import { GruError } from './errors.ts';
import { builtin, folderOf } from './host.ts';
import { GruModel } from './model.ts';
import { backendOf } from './origin.ts';
import { type PoolOptions, readPoolOptions } from './pool/options.ts';
import { Pool } from './pool/pool.ts';
import type { GruPool } from './pool/types.ts';
import type { PoolWorker } from './pool/worker.ts';
import { describe, isRevoked } from './tensor.ts';

export type { PoolOptions, PoolRunOptions } from './pool/options.ts';
export type { GruPool } from './pool/types.ts';
export type { PoolWorker } from './pool/worker.ts';
export type { ModelInput } from './inputs.ts';
export type { GruModel, RunOptions } from './model.ts';
export type { RunResult } from './result.ts';
export { GruError, type GruErrorCode } from './errors.ts';

const WORKER = 'pool-worker.js';

/**
 * Starts workers (Node's worker threads, Web Workers) that run a model at the same time. Each has an instance of its own of
 * the compiled module; no cross-origin isolation is needed. Where there is shared memory, workers read the model's weights
 * from one copy before they pack them.
 *
 * @param model Keep it as long as the pool: it does the runs that are too small for a worker.
 * @throws GruError `invalid_argument`, `disposed`; `worker_lost` when workers cannot be started, `timeout` when they do not
 *   answer, `out_of_memory`.
 *
 * @example
 * import { loadModel } from 'gru-wasm';
 * import { createPool } from 'gru-wasm/pool';
 * const pool = await createPool(await loadModel('speech.safetensors'), { workers: 4 });
 * const { output } = await pool.run({ data, shape: [512, steps, 64] });
 * await pool.close();
 */
export async function createPool(model: GruModel, options: PoolOptions = {}): Promise<GruPool> {
  if (isRevoked(model) || !(model instanceof GruModel)) {
    throw new GruError('invalid_argument', `createPool: expected a model, got ${describe(model)}`);
  }
  const backend = backendOf(model);
  if (!backend) {
    throw new GruError('unsupported', 'createPool: the model must come from loadModel, createModel or createGru');
  }
  const read = readPoolOptions(options);
  const { workers = parallelism(), maxQueue = 256, createWorker = defaultWorker, startTimeout = 10_000 } = read;
  await backend.settled?.();
  const pool = new Pool({ model, backend, workers, maxQueue, createWorker, startTimeout });
  await pool.start();
  return pool;
}

function parallelism(): number {
  return Math.max(1, (globalThis.navigator as Navigator | undefined)?.hardwareConcurrency ?? nodeParallelism());
}

function nodeParallelism(): number {
  return builtin('node:os')?.availableParallelism() ?? 1;
}

function defaultWorker(): PoolWorker {
  const threads = builtin('node:worker_threads');
  // Bundlers know the form of the other line; here it would make them bundle the script twice.
  // The process's own execArgv may hold what workers refuse (--input-type) or should not do twice (--import).
  if (threads)
    return new threads.Worker(new URL(folderOf(import.meta.url) + WORKER), { execArgv: [], name: 'gru-wasm' });
  return new Worker(new URL('./pool-worker.js', import.meta.url), { type: 'module' });
}
