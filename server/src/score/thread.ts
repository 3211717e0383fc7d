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
      const parts = await Parts.open(folder);
      // Of a run that was deleted to begin anew: nobody waits for it.
      if (parts.id !== id) return undefined;
      current = { id, scorer: await Scorer.load(parts) };
    }
    await current.scorer.score(shard);
    return undefined;
  } catch (error) {
    return failure(error);
  }
}
