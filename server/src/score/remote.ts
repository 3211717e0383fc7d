import { setTimeout } from 'node:timers/promises';
import { CommandError, EXIT, Progress } from 'gru-wasm/command';
import type { Parts } from './parts.ts';
import type { FailedShard, ShardQueue } from './queue.ts';

/** Milliseconds between two looks at what is done. */
const EVERY = 500;

/** Puts what is missing into the queue, what has failed before too. */
export async function enqueue(parts: Parts, queue: ShardQueue): Promise<number> {
  const missing = await parts.missing();
  await queue.retry(parts.id);
  await queue.add(parts, missing);
  return missing.length;
}

/**
 * Puts what is missing into the queue and waits until workers have scored it.
 *
 * @throws CommandError where some could not be scored, once all others are done.
 */
export async function scoreByWorkers(parts: Parts, queue: ShardQueue): Promise<void> {
  const total = parts.plan.shards.length;
  const progress = new Progress(total);
  // A Redis that does not answer now will later: shards that are done are on the disk, and one that is in is not put in twice.
  const later = () => undefined;
  let entered: number | undefined;
  try {
    for (;;) {
      entered ??= await enqueue(parts, queue).catch(later);
      const seen = entered === undefined ? undefined : await look(parts, queue).catch(later);
      if (seen) {
        const { left, failed } = seen;
        if (left === 0) return;
        progress.update(total - left);
        if (failed.length > 0 && failed.length === left) throw failedError(parts, failed);
      }
      await setTimeout(EVERY);
    }
  } finally {
    progress.end();
  }
}

async function look(parts: Parts, queue: ShardQueue): Promise<{ left: number; failed: FailedShard[] }> {
  // In this order: a shard that ends meanwhile is counted where it was, not left out.
  const unfinished = await queue.unfinished();
  const missing = await parts.missing();
  const failed = (await queue.failed(parts.id)).filter(({ shard }) => missing.includes(shard));
  // Fewer than that are missing: a Redis that was restarted has lost its last second.
  if (unfinished < missing.length - failed.length) await queue.add(parts, missing);
  return { left: missing.length, failed };
}

function failedError({ folder, plan }: Parts, failed: readonly FailedShard[]): CommandError {
  const [{ shard, reason }] = failed as [FailedShard];
  const text = `${failed.length} of ${plan.shards.length} shards could not be scored; shard ${shard}: ${reason}`;
  return new CommandError(EXIT.data, `${text} (the others are in ${folder}: start again to try these again)`);
}
