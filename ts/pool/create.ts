import { GruError } from '../base/errors.ts';
import { builtin, folderOf } from '../base/host.ts';
import { GruModel } from '../api/model.ts';
import { originOf } from '../api/origin.ts';
import { type PoolOptions, readPoolOptions } from './options.ts';
import { Pool } from './pool.ts';
import type { GruPool } from './types.ts';
import type { PoolWorker } from './worker.ts';
import { describe, isRevoked } from '../base/tensor.ts';

const WORKER = 'pool-worker.js';

/** Undefined in bundles that are no modules. */
const here = import.meta.url as string | undefined;

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
  const backend = originOf(model)?.backend;
  if (!backend) {
    throw new GruError('unsupported', 'createPool: the model must come from loadModel, createModel or createGru');
  }
  const read = readPoolOptions(options);
  const { workers = parallelism(), maxQueue = 256, createWorker = defaultWorker, startTimeout = 10_000 } = read;
  await backend.settled?.();
  const pool = new Pool({ model, backend, workers, maxQueue, createWorker, startTimeout });
  try {
    await pool.start();
  } catch (error) {
    throw read.createWorker ? error : notCarried(error);
  }
  return pool;
}

/** What starts no worker of the package's own is most often a bundle whose bundler left the worker's script behind. */
function notCarried(error: unknown): unknown {
  if (!(error instanceof GruError) || error.code !== 'worker_lost') return error;
  return new GruError('worker_lost', `${error.message}; ${fix()}`, { cause: error });
}

/** The line to add. Scripts of CommonJS, and classic ones of browsers, have no address by which a file beside them is found. */
function fix(): string {
  const copy = `copy gru-wasm/dist/${WORKER} beside it`;
  if (builtin('node:worker_threads')) {
    const give = (place: string) => `give createWorker: () => new Worker(${place}), with Worker of node:worker_threads`;
    return here === undefined
      ? `${give("require.resolve('gru-wasm/pool-worker')")}; or ${copy}: new Worker(require('node:path').join(__dirname, '${WORKER}'))`
      : `in a bundle, ${copy}, or ${give("new URL(import.meta.resolve('gru-wasm/pool-worker'))")}`;
  }
  const give = `give createWorker: () => new Worker('/${WORKER}', { type: 'module' })`;
  return here === undefined
    ? `${copy}, and ${give}`
    : `in a bundle, ${copy}, or ${give}; Vite's development server needs optimizeDeps: { exclude: ['gru-wasm'] }`;
}

function parallelism(): number {
  return Math.max(1, (globalThis.navigator as Navigator | undefined)?.hardwareConcurrency ?? nodeParallelism());
}

function nodeParallelism(): number {
  return builtin('node:os')?.availableParallelism() ?? 1;
}

function defaultWorker(): PoolWorker {
  if (here === undefined) {
    const format = builtin('node:worker_threads') ? 'CommonJS' : 'a classic script';
    throw new GruError('worker_lost', `createPool: bundled as ${format} it does not find the script of its workers`);
  }
  const threads = builtin('node:worker_threads');
  // Bundlers know the form of the other line; here it would make them bundle the script twice.
  // The process's own execArgv may hold what workers refuse (--input-type) or should not do twice (--import).
  if (threads) return new threads.Worker(new URL(folderOf(here) + WORKER), { execArgv: [], name: 'gru-wasm' });
  return new Worker(new URL('./pool-worker.js', import.meta.url), { type: 'module' });
}
