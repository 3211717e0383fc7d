import { parentPort, workerData } from 'node:worker_threads';
import { createModel, GruError, type GruErrorCode } from 'gru-wasm';
import { StreamsEngine } from './engine.ts';
import { serveModel } from './model.ts';
import { buffersOf, type PackedBlocks, packBlocks, unpackBlocks } from './packed-blocks.ts';

export interface ThreadData {
  spec: Parameters<typeof createModel>[0];
  maxSlots: number;
}

/** What a thread is asked for, in the order of the asking. */
export type Task =
  | { kind: 'run'; slots: readonly number[]; blocks: PackedBlocks }
  | { kind: 'save'; slots: readonly number[] }
  | { kind: 'load'; slots: readonly number[]; states: readonly Float32Array[] };

export interface Ask {
  /** Slots whose sequences begin anew before it. */
  fresh: readonly number[];
  task: Task;
}

/** Classes of errors do not come out of a thread. */
export type Answer =
  { ok: PackedBlocks | Float32Array | boolean[] } | { code: GruErrorCode; message: string } | { fault: unknown };

const { spec, maxSlots } = workerData as ThreadData;
const served = serveModel('', await createModel(spec));
const engine = new StreamsEngine(served, maxSlots);

function answerOf({ fresh, task }: Ask): Answer {
  try {
    for (const slot of fresh) engine.reset(slot);
    switch (task.kind) {
      case 'run':
        return {
          ok: packBlocks(served.outputs, engine.run(task.slots, unpackBlocks(served.inputs, task.blocks))),
        };
      case 'save':
        return { ok: engine.save(task.slots) };
      case 'load':
        return { ok: engine.load(task.slots, task.states) };
    }
  } catch (error) {
    return error instanceof GruError ? { code: error.code, message: error.message } : { fault: error };
  }
}

parentPort!.on('message', (ask: Ask) => {
  const answer = answerOf(ask);
  const isRun = ask.task.kind === 'run' && 'ok' in answer;
  parentPort!.postMessage(answer, isRun ? buffersOf(answer.ok as PackedBlocks) : []);
});
