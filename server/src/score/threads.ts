import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { ShardFailure, ShardTask } from './thread.ts';

/** Threads that each score a shard at a time: that many shards are in memory, however many wait. */
export class Threads {
  private readonly pool: Piscina<ShardTask, ShardFailure | undefined>;

  constructor(threads: number) {
    this.pool = new Piscina({
      filename: new URL('./thread.js', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      // Shards take longer than the messages about them.
      atomics: 'disabled',
    });
  }

  run(task: ShardTask): Promise<ShardFailure | undefined> {
    return this.pool.run(task);
  }

  /** Ends the threads, whatever they are at: parts are whole or not there. */
  close(): Promise<void> {
    return this.pool.destroy();
  }
}

/** All that runs at a time, for `--threads`. */
export const THREADS = availableParallelism();
