import { endOnSignals } from 'gru-wasm/command';
import { withoutPassword } from '../redis.ts';
import { helpOf, MOST_THREADS, readWords, UsageError } from '../words.ts';
import { NO_SPANS, OTEL, Tracing } from '../tracing.ts';
import { scoreHere } from './local.ts';
import { Parts } from './parts.ts';
import { planOf } from './plan.ts';
import { ShardQueue } from './queue.ts';
import { enqueue, scoreByWorkers } from './remote.ts';
import { THREADS } from './threads.ts';

const WORDS = {
  numbers: {
    threads: [THREADS, 'threads, each with a shard in memory', MOST_THREADS],
    'shard-bytes': [2 ** 20, 'bytes of the input that are one shard; of Parquet a row group at least'],
  },
  texts: {
    input: [undefined, 'what is read: .ndjson, .csv, .tsv or .parquet, a sequence a row; a file or s3://BUCKET/KEY'],
    output: [undefined, 'what is written, in any of these formats'],
    'input-format': [undefined, 'ndjson, csv, tsv or parquet, instead of by the ending'],
    'output-format': [undefined, 'the same'],
    id: ['id', 'the field or column that goes from the input to the output'],
    queue: [undefined, 'redis://... of a queue from which workers take shards (gru worker)', 'GRU_QUEUE_URL'],
    select: [undefined, "names of outputs, with commas; default: the model's first"],
  },
  flags: {
    detach: 'with --queue: do not wait; the same command again later waits and writes the output',
    otel: OTEL,
    last: 'of outputs with steps the last step alone',
    relaxed: 'relaxed SIMD, where this machine has it: faster, and other bits than on other machines',
  },
} as const;

const SCORE_HELP = `gru score [options] MODEL --input FILE --output FILE

Runs a model over a file of sequences, on all of this machine's cores, in memory that does not grow with the file. Stopped in between
and started again it goes on where it was: FILE.parts beside the output holds what is done.

${helpOf(WORDS)}

  gru score churn.onnx --input customers.ndjson --output scores.ndjson
  gru score churn.onnx --input customers.ndjson --output scores.ndjson --queue redis://host
  gru score churn.onnx --input s3://data/customers.parquet --output s3://data/scores.parquet
  gru score tagger.safetensors --input ids.parquet --output tags.parquet --select tags`;

/** `gru score`. @throws CommandError, GruError. */
export async function score(args: string[]): Promise<number> {
  const given = readWords(args, WORDS);
  if (!given) {
    console.log(SCORE_HELP);
    return 0;
  }
  const { positionals, text, flag, number } = given;
  const [model, second] = positionals;
  if (model === undefined || second !== undefined)
    throw new UsageError('say one MODEL: gru score model.onnx --input ...');
  const [input, output] = [text('input'), text('output')];
  if (input === undefined || output === undefined) throw new UsageError('--input and --output are needed');
  // Before anything is read: words that are wrong are said first.
  const threads = Math.max(number('threads'), 1);
  const warn = (text: string) => {
    console.error(`gru score: ${text}`);
  };
  endOnSignals();
  const spans = flag('otel') ? await Tracing.start(warn) : NO_SPANS;
  const start = performance.now();
  const plan = await planOf({
    model,
    input,
    output,
    inputFormat: text('input-format'),
    outputFormat: text('output-format'),
    select: text('select')?.split(',') ?? [],
    last: flag('last'),
    id: text('id'),
    shardBytes: Math.max(number('shard-bytes'), 1),
    relaxed: flag('relaxed'),
  });
  const parts = await Parts.begin(plan);
  const url = text('queue');
  try {
    const attributes = { 'gru.run': parts.id, 'gru.shards': plan.shards.length, 'gru.input.bytes': plan.input.bytes };
    const isDone = await spans.span('score', attributes, undefined, async (traceparent) => {
      if (url === undefined) await scoreHere(parts, threads, spans, traceparent);
      else if (!(await scoreThere(parts, url, flag('detach'), traceparent))) return false;
      await parts.join();
      return true;
    });
    if (!isDone) return 0;
  } finally {
    await spans.close();
  }
  const seconds = (performance.now() - start) / 1000;
  console.error(`${output}: ${counted(plan.shards.length)} in ${seconds.toFixed(1)} s`);
  return 0;
}

const counted = (shards: number) => (shards === 1 ? '1 shard' : `${shards} shards`);

/** By the workers of a queue. @returns Whether all is done. */
async function scoreThere(parts: Parts, url: string, detach: boolean, traceparent?: string): Promise<boolean> {
  const queue = await ShardQueue.connect(url);
  queue.traceparent = traceparent;
  try {
    if (!detach) await scoreByWorkers(parts, queue);
    else {
      const count = await enqueue(parts, queue);
      console.error(`${counted(count)} queued: gru worker --queue ${withoutPassword(url)}`);
    }
    return !detach;
  } finally {
    await queue.close();
  }
}
