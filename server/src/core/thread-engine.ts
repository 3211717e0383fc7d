import { Worker } from 'node:worker_threads';
import { GruError } from 'gru-wasm';
import { ServeError } from '../errors.ts';
import type { StepEngine } from './engine.ts';
import type { Answer, Ask, Task, ThreadData } from './engine-thread.ts';
import type { ServedModel, Tensors } from './model.ts';
import { buffersOf, type PackedBlocks, packBlocks, unpackBlocks } from './packed-blocks.ts';

interface Pending {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

/** The states of live sequences in a thread of their own, with a model of its own. */
export class ThreadEngine implements StepEngine {
  readonly maxSlots: number;
  onLost: (() => void) | undefined;
  private readonly served: ServedModel;
  private thread: Worker | undefined;
  /** Answers come in the order of the asking. */
  private pending: Pending[] = [];
  private fresh: number[] = [];

  constructor(served: ServedModel, maxSlots: number) {
    this.served = served;
    this.maxSlots = maxSlots;
    this.thread = this.start();
  }

  async run(slots: readonly number[], blocks: readonly Tensors[]): Promise<Tensors[]> {
    const packed = packBlocks(this.served.inputs, blocks);
    const results = await this.ask<PackedBlocks>({ kind: 'run', slots, blocks: packed }, buffersOf(packed));
    return unpackBlocks(this.served.outputs, results);
  }

  reset(slot: number): void {
    this.fresh.push(slot);
  }

  save(slots: readonly number[]): Promise<Float32Array> {
    return this.ask({ kind: 'save', slots });
  }

  load(slots: readonly number[], states: readonly Float32Array[]): Promise<boolean[]> {
    return this.ask({ kind: 'load', slots, states });
  }

  async close(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    await thread?.terminate();
  }

  private ask<T>(task: Task, transfer: ArrayBuffer[] = []): Promise<T> {
    const ask: Ask = { fresh: this.fresh, task };
    this.fresh = [];
    this.thread ??= this.start();
    const { thread } = this;
    return new Promise<T>((resolve, reject) => {
      this.pending.push({ resolve, reject });
      thread.ref();
      thread.postMessage(ask, transfer);
    });
  }

  private start(): Worker {
    const { maxSlots, served } = this;
    const workerData: ThreadData = { spec: served.model.spec, maxSlots };
    const thread = new Worker(new URL('./engine-thread.js', import.meta.url), { workerData });
    // A server without requests may end.
    thread.unref();
    let cause: unknown;
    thread.on('message', (answer: Answer) => {
      const { resolve, reject } = this.pending.shift()!;
      if (this.pending.length === 0) thread.unref();
      if ('ok' in answer) resolve(answer.ok as never);
      else if ('code' in answer) reject(new GruError(answer.code, answer.message));
      else reject(new Error('a thread of live sequences failed', { cause: answer.fault }));
    });
    thread.on('error', (error) => (cause = error));
    thread.on('exit', () => {
      const lost = this.pending;
      this.pending = [];
      if (this.thread === thread) {
        this.thread = undefined;
        this.fresh = [];
        this.onLost?.();
      }
      const error = new ServeError('unavailable', 'the thread of these sequences has ended', { cause });
      for (const { reject } of lost) reject(error);
    });
    return thread;
  }
}
