import { helpOf, MOST_MILLISECONDS, MOST_THREADS, readWords, UsageError } from '../words.ts';
import { checkRedis } from '../redis.ts';
import { NO_SPANS, OTEL, Tracing } from '../tracing.ts';
import { startWorker } from './queue.ts';
import { THREADS } from './threads.ts';

const WORDS = {
  numbers: {
    threads: [THREADS, 'shards at a time, each on a thread of its own', MOST_THREADS],
    stalled: [
      30_000,
      'milliseconds without a sign of life after which another worker takes a shard over',
      MOST_MILLISECONDS,
    ],
  },
  texts: { queue: [undefined, 'redis://... that `gru score --queue` has been given', 'GRU_QUEUE_URL'] },
  flags: { otel: OTEL },
} as const;

const WORKER_HELP = `gru worker [options] --queue redis://HOST

Scores shards of a queue until SIGTERM; it ends those that it is at. The files of the model, the input and the output have to be found
at the same paths as where \`gru score\` runs: on this machine, on a shared disk, or in an object store (s3://).

${helpOf(WORDS)}`;

/** `gru worker`: until SIGTERM or SIGINT. @throws CommandError. */
export async function worker(args: string[]): Promise<number> {
  const given = readWords(args, WORDS);
  if (!given) {
    console.log(WORKER_HELP);
    return 0;
  }
  const url = given.text('queue');
  if (url === undefined) throw new UsageError('say which queue: gru worker --queue redis://host');
  if (given.positionals.length > 0)
    throw new UsageError(`a worker takes no ${given.positionals[0]!}: the queue says what to score`);
  const warn = (text: string) => {
    console.error(`gru worker: ${text}`);
  };
  const threads = Math.max(given.number('threads'), 1);
  const stalled = Math.max(given.number('stalled'), 100);
  await checkRedis('queue', url);
  const spans = given.flag('otel') ? await Tracing.start(warn) : NO_SPANS;
  let outage = '';
  const running = startWorker(url, {
    threads,
    stalled,
    spans,
    onError({ message }) {
      // Each try to connect again fails in the same way.
      if (message !== outage) warn(message);
      outage = message;
    },
  });
  await new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, resolve);
  });
  await running.close();
  await spans.close();
  return 0;
}
