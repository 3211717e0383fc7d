import { type Job, type JobType, Queue, UnrecoverableError, Worker } from 'bullmq';
import { EXIT } from 'gru-wasm/command';
import { checkRedis, checkRedisUrl } from '../redis.ts';
import type { Spans } from '../tracing.ts';
import { Parts } from './parts.ts';
import type { ShardTask } from './thread.ts';
import { Threads } from './threads.ts';

/** Its name in Redis, for Bull Board and its like. */
export const QUEUE = 'gru-score';

/** A shard is tried so often, where the fault may be the machine's, and taken over so often from workers that have died of it. */
const ATTEMPTS = 3;
const DEATHS = 5;

/** Errors that another try would meet again. */
const LASTING: readonly number[] = [EXIT.data, EXIT.model, EXIT.usage];

const UNFINISHED = ['waiting', 'active', 'delayed', 'prioritized'] as const;

/** A shard in the failed list. */
export interface FailedShard extends ShardTask {
  reason: string;
}

/** How far the shards of one output are. */
export interface RunStatus {
  folder: string;
  /** Those that are done, and all; undefined where the folder cannot be seen from here. */
  done: number | undefined;
  shards: number | undefined;
  waiting: number;
  active: number;
  failed: FailedShard[];
}

/** The shards that wait in a Redis. */
export class ShardQueue {
  private readonly queue: Queue<ShardTask>;
  /** Told of each try to connect that fails. */
  onError: ((error: Error) => void) | undefined;
  /** The span that shards which are put in belong to. */
  traceparent: string | undefined;

  private constructor(queue: Queue<ShardTask>) {
    this.queue = queue;
  }

  /** @throws CommandError where no Redis answers. */
  static async connect(url: string): Promise<ShardQueue> {
    await checkRedis('queue', url);
    const queue = new Queue<ShardTask>(QUEUE, { connection: { url } });
    const made = new ShardQueue(queue);
    // It connects again by itself.
    queue.on('error', (error) => made.onError?.(error));
    return made;
  }

  /** Puts shards in. One that is there already stays as it is. */
  async add({ folder, id }: Parts, shards: readonly number[]): Promise<void> {
    await this.queue.addBulk(
      shards.map((shard) => ({
        name: 'shard',
        data: { folder, id, shard, traceparent: this.traceparent },
        opts: {
          jobId: `${id}-${shard}`,
          attempts: ATTEMPTS,
          backoff: { type: 'exponential', delay: 1000 },
          removeOnComplete: true,
        },
      })),
    );
  }

  /** Shards that no worker could score. */
  async failed(id: string): Promise<FailedShard[]> {
    return (await this.failedJobs()).map(failedOf).filter((shard) => shard.id === id);
  }

  /** Tries those again that are missing, and forgets the others of its folder: they have been scored by other means, or are of a run that was deleted. */
  async retry({ folder, id }: Parts, missing: readonly number[]): Promise<void> {
    for (const job of await this.failedJobs()) {
      const { data } = job;
      if (data.folder !== folder) continue;
      if (data.id === id && missing.includes(data.shard)) await job.retry('failed');
      else await job.remove();
    }
  }

  /** Shards that wait or are being scored, of all runs. */
  async unfinished(): Promise<number> {
    const counts = await this.queue.getJobCounts(...UNFINISHED);
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  async status(): Promise<RunStatus[]> {
    const runs = new Map<string, RunStatus>();
    const runOf = ({ data: { folder } }: Pick<Job<ShardTask>, 'data'>) => {
      const none = { done: undefined, shards: undefined, waiting: 0, active: 0, failed: [] };
      const run = runs.get(folder) ?? { folder, ...none };
      runs.set(folder, run);
      return run;
    };
    for (const job of await this.jobs('active')) runOf(job).active++;
    for (const job of await this.jobs('waiting', 'delayed', 'prioritized')) runOf(job).waiting++;
    for (const failed of await this.failedNow()) runOf({ data: failed }).failed.push(failed);
    return Promise.all([...runs.values()].map(async (run) => ({ ...run, ...(await Parts.progressOf(run.folder)) })));
  }

  close(): Promise<void> {
    return this.queue.close();
  }

  /** Failed shards that are still missing, as far as can be seen from here: one may have been scored without the queue, or its run begun anew. */
  private async failedNow(): Promise<FailedShard[]> {
    const failed = (await this.failedJobs()).map(failedOf);
    const runs = new Map(
      [...new Set(failed.map(({ folder }) => folder))].map((folder) => [folder, Parts.missingIn(folder)]),
    );
    const isMissing = await Promise.all(
      failed.map(async ({ folder, id, shard }) => (await runs.get(folder))?.(id, shard) ?? true),
    );
    return failed.filter((_, i) => isMissing[i]);
  }

  private failedJobs(): Promise<Job<ShardTask>[]> {
    return this.jobs('failed');
  }

  /** But those that have ended while they were listed. */
  private async jobs(...states: JobType[]): Promise<Job<ShardTask>[]> {
    const jobs = (await this.queue.getJobs(states)) as (Job<ShardTask> | undefined)[];
    return jobs.filter((job) => job !== undefined);
  }
}

const failedOf = ({ data, failedReason }: Job<ShardTask>): FailedShard => ({ ...data, reason: failedReason });

export interface WorkerOptions {
  threads: number;
  /** Milliseconds without a sign of life after which another worker takes a shard over. */
  stalled: number;
  spans: Spans;
  onError(error: Error): void;
}

/** Takes shards, until it is closed: then it ends those that it is at. @throws UsageError. */
export function startWorker(url: string, options: WorkerOptions): { close(): Promise<void> } {
  checkRedisUrl('queue', url);
  const { threads, stalled, spans } = options;
  const pool = new Threads(threads);
  const worker = new Worker<ShardTask>(QUEUE, ({ data }) => scoreOnce(pool, data, spans), {
    connection: { url },
    concurrency: threads,
    lockDuration: stalled,
    stalledInterval: stalled,
    maxStalledCount: DEATHS,
  });
  worker.on('error', (error) => {
    options.onError(error);
  });
  return {
    async close() {
      await worker.close();
      await pool.close();
    },
  };
}

function scoreOnce(pool: Threads, task: ShardTask, spans: Spans): Promise<void> {
  const { id, shard, folder, traceparent } = task;
  return spans.span('shard', { 'gru.run': id, 'gru.shard': shard }, traceparent, async () => {
    const failed = await pool.run(task);
    // A shard of a worker that has died after writing its part may be taken over when all is done.
    if (!failed || (await Parts.areJoined(folder))) return;
    throw LASTING.includes(failed.exit) ? new UnrecoverableError(failed.line) : new Error(failed.line);
  });
}
