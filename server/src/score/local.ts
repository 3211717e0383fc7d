import { CommandError, Progress } from 'gru-wasm/command';
import type { Spans } from '../tracing.ts';
import type { Parts } from './parts.ts';
import { Threads } from './threads.ts';

/** Scores what is missing on this machine's threads. @throws CommandError of the first row that cannot be scored; what is done stays. */
export async function scoreHere(parts: Parts, count: number, spans: Spans, traceparent?: string): Promise<void> {
  const missing = await parts.missing();
  const { folder, id, plan } = parts;
  const progress = new Progress(plan.shards.length);
  let done = plan.shards.length - missing.length;
  const atATime = Math.max(1, Math.min(count, missing.length));
  const threads = new Threads(atATime);
  // Each thread takes the next one when it has done its last: a span is of the work, not of waiting for it.
  const next = missing.values();
  const work = async () => {
    for (const shard of next) {
      await spans.span('shard', { 'gru.run': id, 'gru.shard': shard }, traceparent, async () => {
        const failed = await threads.run({ folder, id, shard });
        if (failed) throw new CommandError(failed.exit, failed.line);
      });
      progress.update(++done);
    }
  };
  try {
    await Promise.all(Array.from({ length: atATime }, work));
  } finally {
    progress.end();
    await threads.close();
  }
}
