import { table } from 'gru-wasm/command';
import { helpOf, readWords, UsageError } from '../words.ts';
import { ShardQueue } from './queue.ts';

const WORDS = {
  numbers: {},
  texts: { queue: [undefined, 'redis://... that `gru score --queue` has been given', 'GRU_QUEUE_URL'] },
  flags: { json: 'print JSON' },
} as const;

const QUEUE_HELP = `gru queue status [options] --queue redis://HOST

Shows how many shards are done (where their folder can be seen from here), those that wait, those that are being scored, and those that no worker could score, with their errors.

${helpOf(WORDS)}`;

/** `gru queue status`. @throws CommandError. */
export async function queue(args: string[]): Promise<number> {
  const given = readWords(args, WORDS);
  if (!given) {
    console.log(QUEUE_HELP);
    return 0;
  }
  const url = given.text('queue');
  if (given.positionals.join(' ') !== 'status' || url === undefined) {
    throw new UsageError('say gru queue status --queue redis://host');
  }
  const shards = await ShardQueue.connect(url);
  try {
    const runs = await shards.status();
    if (given.flag('json')) console.log(JSON.stringify(runs));
    else {
      const head = ['output', 'done', 'waiting', 'active', 'failed'];
      const rows = runs.map(({ folder, done, shards, waiting, active, failed }) => [
        folder.replace(/\.parts$/, ''),
        done === undefined ? '?' : `${done}/${shards!}`,
        waiting,
        active,
        failed.length,
      ]);
      console.log(rows.length === 0 ? 'nothing waits' : table(head, rows));
      for (const { shard, reason } of runs.flatMap(({ failed }) => failed)) console.log(`shard ${shard}: ${reason}`);
    }
  } finally {
    await shards.close();
  }
  return 0;
}
