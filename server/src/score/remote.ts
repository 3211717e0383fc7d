import { setTimeout } from 'node:timers/promises';
import { CommandError, EXIT, Progress } from 'gru-wasm/command';
import type { Parts } from './parts.ts';
import type { FailedShard, ShardQueue } from './queue.ts';

/** Puts what is missing into the queue, what has failed before too. */
export async function enqueue(parts: Parts, queue: ShardQueue): Promise<number> {
  const missing = await parts.missing();
  await putIn(parts, queue, missing);
  return missing.length;
}

async function putIn(parts: Parts, queue: ShardQueue, missing: readonly number[]): Promise<true> {
  await queue.retry(parts, missing);
  await queue.add(parts, missing);
  return true;
}

/** Milliseconds that forgetting what has failed may take when all is done. */
const TIDY_LIMIT = 2000;

/**
 * Puts what is missing into the queue and waits until workers have scored it.
 *
 * @throws CommandError where some could not be scored, once all others are done.
 */
export async function scoreByWorkers(parts: Parts, queue: ShardQueue): Promise<void> {
  const total = parts.plan.shards.length;
  const progress = new Progress(total);
  const link = new Link(queue);
  let entered: true | undefined;
  try {
    for (;;) {
      // In this order: a shard that ends meanwhile is counted where it was, not left out.
      const unfinished = entered && (await link.ask(queue.unfinished()));
      const missing = await parts.missing();
      if (missing.length === 0) {
        // Of one that somebody has scored without the queue; a Redis that is away keeps nobody from the output.
        await Promise.race([link.ask(queue.retry(parts, missing)), setTimeout(TIDY_LIMIT, undefined, { ref: false })]);
        return;
      }
      progress.update(total - missing.length);
      entered ??= await link.ask(putIn(parts, queue, missing));
      if (unfinished !== undefined) {
        const failed = await link.ask(look(parts, queue, missing, unfinished));
        if (failed?.length === missing.length) throw failedError(parts, failed);
      }
      await setTimeout(parts.lookEvery);
    }
  } finally {
    progress.end();
  }
}

/** A Redis that does not answer now will later: shards that are done are on the disk, and one that is in is not put in twice. */
class Link {
  private lost = false;

  constructor(queue: ShardQueue) {
    queue.onError = (error) => {
      this.lose(error);
    };
  }

  /** What it answers, when it does; undefined where the connection broke under it. */
  async ask<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      const got = await answer;
      this.lost = false;
      return got;
    } catch (error) {
      this.lose(error as Error);
      return undefined;
    }
  }

  /** Says it once an outage. */
  private lose({ message }: Error): void {
    if (!this.lost) console.error(`the queue does not answer (${message}): trying on`);
    this.lost = true;
  }
}

/** What has failed of the missing; puts them in again where the queue has lost some. */
async function look(
  parts: Parts,
  queue: ShardQueue,
  missing: readonly number[],
  unfinished: number,
): Promise<FailedShard[]> {
  const failed = (await queue.failed(parts.id)).filter(({ shard }) => missing.includes(shard));
  // Fewer than that are missing: a Redis that was restarted has lost its last second.
  if (unfinished < missing.length - failed.length) await queue.add(parts, missing);
  return failed;
}

function failedError({ folder, plan }: Parts, failed: readonly FailedShard[]): CommandError {
  const [{ shard, reason }] = failed as [FailedShard];
  const text = `${failed.length} of ${plan.shards.length} shards could not be scored; shard ${shard}: ${reason}`;
  return new CommandError(EXIT.data, `${text} (the others are in ${folder}: start again to try these again)`);
}
