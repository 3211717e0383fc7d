import { type BatcherOptions, SequenceBatcher } from './batcher.ts';
import { type StepEngine, stepsOf } from './engine.ts';
import type { ServedModel, Tensors } from './model.ts';
import { Quota } from './quota.ts';
import { keyOf, type Reply, type SequenceCall, type StepAnswer } from './sequence.ts';

/** The live sequences of a model, each with the engine that holds its state; the limits are of all together. */
export class LiveSequences {
  private readonly batchers: SequenceBatcher[];
  private readonly engines: readonly StepEngine[];
  private readonly steps: BatcherOptions['steps'];

  constructor(served: ServedModel, engines: readonly StepEngine[], options: Omit<BatcherOptions, 'steps' | 'quota'>) {
    const quota = new Quota(options);
    this.engines = engines;
    this.steps = (block) => stepsOf(served, block);
    this.batchers = engines.map((engine) => new SequenceBatcher(engine, { ...options, steps: this.steps, quota }));
  }

  get live(): number {
    return this.batchers.reduce((sum, { live }) => sum + live, 0);
  }

  get waiting(): number {
    return this.batchers.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  async submit(call: SequenceCall, block: Tensors): Promise<StepAnswer> {
    // Throws where inputs differ in them.
    this.steps(block);
    return this.batcherOf(call.key).submit(call, block);
  }

  ask(call: SequenceCall, block: Tensors, reply: Reply, place: number): void {
    this.steps(block);
    this.batcherOf(call.key).ask(call, block, reply, place);
  }

  release(owner: string, id: string): void {
    this.batcherOf(keyOf(owner, id)).release(owner, id);
  }

  releaseAll(owner: string, prefix: string): void {
    for (const batcher of this.batchers) batcher.releaseAll(owner, prefix);
  }

  async sweep(): Promise<void> {
    await Promise.all(this.batchers.map((batcher) => batcher.sweep()));
  }

  /** Answers what waits, writes the states to the store, and ends. */
  async close(): Promise<void> {
    try {
      for (const batcher of this.batchers) {
        await batcher.drained();
        await batcher.save();
      }
    } finally {
      for (const engine of this.engines) await engine.close();
    }
  }

  private batcherOf(key: string): SequenceBatcher {
    const { batchers } = this;
    return batchers.length === 1 ? batchers[0]! : batchers[hash(key) % batchers.length]!;
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
