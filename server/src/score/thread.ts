import { type ExitCode, failure } from 'gru-wasm/command';
import { Parts } from './parts.ts';
import { Scorer } from './scorer.ts';

/** A shard for a thread: where its plan is, and which it is. */
export interface ShardTask {
  folder: string;
  id: string;
  shard: number;
  /** The span of the run that it belongs to. */
  traceparent?: string | undefined;
}

/** Of a shard that could not be scored. Classes of errors do not come out of a thread. */
export interface ShardFailure {
  exit: ExitCode;
  line: string;
}

/** The plan that this thread has been at, and its model. */
let current: { id: string; scorer: Scorer } | undefined;

/** Scores a shard: what a thread of the pool runs. */
export default async function scoreShard({ folder, id, shard }: ShardTask): Promise<ShardFailure | undefined> {
  try {
    if (current?.id !== id) {
      current?.scorer.dispose();
      current = undefined;
      current = { id, scorer: await Scorer.load(await Parts.open(folder)) };
    }
    await current.scorer.score(shard);
    return undefined;
  } catch (error) {
    return failure(error);
  }
}
