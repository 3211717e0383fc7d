import type { Backend } from '../backends/backend.ts';
import { GruError } from '../base/errors.ts';
import { INSPECT } from '../base/host.ts';
import { ownCopy } from '../base/own-copy.ts';
import { type Graph, resolveGraph } from '../spec/graph.ts';
import type { ModelInput } from '../run/inputs.ts';
import type { GruModel } from '../api/model.ts';
import type { RunOptions } from '../run/options.ts';
import type { GruPool, PoolResult } from './types.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { runGroups, type StateGroup } from '../spec/state-groups.ts';
import { Call, type Limits, type Part } from './call.ts';
import { Crew } from './crew.ts';
import { toGruError } from './failure.ts';
import { type PoolRunOptions, readPoolRun } from './options.ts';
import { cut, prepare, readRun } from './parts.ts';
import { shareSpec } from './share.ts';
import { shareOut, stepWork, totalSteps } from './work.ts';
import type { PoolWorker } from './worker.ts';
import { useAllKinds } from '../layers/full.ts';

useAllKinds();

/**
 * Operations below which a run stays on the caller's thread, and that a part of a run has at least. One thread does them in about
 * 0.4 ms (0.7 ms at hidden sizes of 16), while a worker costs 50 to 70 us; halves of less gained nothing (bench/records/pool.md).
 */
const LEAST_WORK = { wasm: 16e6, js: 1e6 };

/**
 * After this turn; in Node, after timers and sockets have had theirs. Node hands out messages that come while it hands out
 * messages, up to 1000: an answer for each job given out meanwhile kept a busy thread's timers waiting for 10 s.
 */
const later = (globalThis as { setImmediate?: (f: () => void) => void }).setImmediate ?? queueMicrotask;

/** What the pool is made of; see {@link createPool}. */
export interface PoolParts {
  model: GruModel;
  backend: Backend;
  workers: number;
  maxQueue: number;
  createWorker: () => PoolWorker;
  startTimeout: number;
}

/** The pool on the caller's side: a queue of calls, which it cuts into parts for its {@link Crew}. */
export class Pool implements GruPool {
  readonly workers: number;
  private readonly model: GruModel;
  private readonly graph: Graph;
  private readonly groups: StateGroup[];
  private readonly crew: Crew;
  private readonly maxQueue: number;
  private readonly stepWork: number;
  private readonly leastWork: number;
  /** Calls that no worker has seen yet. */
  private readonly queue: Call[] = [];
  /** Parts whose worker died. */
  private readonly again: Part[] = [];
  /** Calls that have not settled. */
  private readonly calls = new Set<Call>();
  private roomWaiters: (() => void)[] = [];
  private drainWaiters: (() => void)[] = [];
  private pumping = false;
  private ended: GruError | undefined;
  private started: { resolve: () => void; reject: (error: GruError) => void } | undefined;

  constructor({ model, backend, workers, maxQueue, createWorker, startTimeout }: PoolParts) {
    this.model = model;
    this.workers = workers;
    this.maxQueue = maxQueue;
    const { spec } = model;
    this.graph = resolveGraph(spec);
    this.groups = runGroups(this.graph);
    this.stepWork = stepWork(this.graph);
    this.leastWork = backend.shared ? LEAST_WORK.wasm : LEAST_WORK.js;
    const start = { backend: backend.name, shared: backend.shared, spec: shareSpec(spec) };
    this.crew = new Crew(
      { createWorker, startTimeout, start },
      {
        idle: () => {
          if (this.crew.readyCount === this.workers) this.started?.resolve();
          this.pump();
        },
        answered: ({ call, spans }, results) => {
          call.put(spans, results, this.groups);
        },
        failed: ({ call }, error) => {
          call.reject(error);
        },
        lost: (part, why) => {
          this.lost(part, why);
        },
        broken: (error) => {
          this.end(error);
          this.started?.reject(error);
        },
      },
    );
  }

  /** Starts the workers; resolves when all are ready. */
  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => (this.started = { resolve, reject }));
    try {
      for (let i = 0; i < this.workers; i++) this.crew.hire();
      await started;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** What `JSON.stringify` writes of a pool: what its model is, and how many run it. @internal */
  toJSON(): ReturnType<GruModel['toJSON']> & { workers: number } {
    return { ...this.model.toJSON(), workers: this.workers };
  }

  get queued(): number {
    const waiting = this.queue.length + this.again.length;
    return Math.max(0, waiting - this.crew.idleCount) + this.crew.waitingCount;
  }

  get ready(): Promise<void> {
    if (this.ended || this.room > 0) return Promise.resolve();
    return new Promise((resolve) => this.roomWaiters.push(resolve));
  }

  async run(input: ModelInput | Record<string, ModelInput>, options: PoolRunOptions = {}): Promise<PoolResult> {
    const { run, signal, timeout } = readPoolRun(options);
    this.checkOpen();
    if (signal?.aborted) throw signal.reason;
    const taken = this.take(input, run, { signal, timeout });
    return taken instanceof Call ? taken.promise : taken;
  }

  async drain(): Promise<void> {
    if (this.calls.size > 0) await new Promise<void>((resolve) => this.drainWaiters.push(resolve));
  }

  async close(): Promise<void> {
    this.end(new GruError('disposed', 'the pool has been closed'));
    await this.crew.close();
  }

  /** What Node, Deno and Bun print. */
  [INSPECT](): string {
    return `GruPool { workers: ${this.workers} }`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls that can be made now: those in the queue that find an idle worker do not wait. */
  private get room(): number {
    const { idleCount, waitingCount } = this.crew;
    return this.maxQueue + idleCount - this.queue.length - waitingCount - this.again.length;
  }

  /** Copies what the caller gives; runs it at once where it is small. */
  private take(given: unknown, givenOptions: RunOptions, limits: Limits): Call | PoolResult {
    checkAlive(this.model);
    // Read once: what is small is read again below, and a getter may then give something else.
    const [input, options] = ownCopy([given, givenOptions] as const);
    const read = readRun(this.graph, this.groups, input, options);
    this.checkOpen();
    const work = totalSteps(read.run) * this.stepWork;
    if (work < this.leastWork) return this.model.run(input as ModelInput, options);
    if (this.room <= 0) {
      throw new GruError(
        'queue_full',
        `pool.run: the queue is full (maxQueue ${this.maxQueue}); await pool.ready first`,
      );
    }
    const call = new Call(this.graph, prepare(this.graph, this.groups, read), work, limits, (settled) => {
      this.settled(settled);
    });
    this.calls.add(call);
    this.queue.push(call);
    // The caller's getters, and a signal's methods, may have closed the pool or aborted.
    if (this.ended) call.reject(this.ended);
    else if (limits.signal?.aborted) call.reject(limits.signal.reason);
    this.pump();
    return call;
  }

  /** @throws GruError `disposed`, or what ended the pool. */
  private checkOpen(): void {
    if (this.ended) throw this.ended;
  }

  /** Gives out work, after the calls of this tick are all in: together they may keep each worker busy without being split. */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    later(() => {
      this.pumping = false;
      this.giveOut();
      if (this.room > 0) for (const resolve of this.roomWaiters.splice(0)) resolve();
    });
  }

  private giveOut(): void {
    while (this.crew.hasRoom && !this.ended) {
      const idle = this.crew.idleCount;
      const part = this.again.shift() ?? (idle > 0 ? this.crew.takeBack() : undefined);
      if (part) {
        this.give(part);
        continue;
      }
      const call = this.queue.shift();
      if (!call) return;
      const share = Math.floor(idle / (this.queue.length + 1));
      const count = Math.max(1, Math.min(share, Math.floor(call.work / this.leastWork)));
      for (const next of call.split(shareOut(call.batch.run, count))) this.give(next);
    }
  }

  private give(part: Part): void {
    const { call, spans } = part;
    if (call.settled) return;
    try {
      this.crew.give(part, (id, arena) => cut(this.graph, this.groups, call.batch, spans, id, arena));
    } catch (error) {
      // No memory for the copy.
      call.reject(toGruError(error, 'pool.run'));
    }
  }

  private lost(part: Part, why: string): void {
    if (part.call.settled) return;
    if (part.deaths < 2) {
      this.again.push(part);
      // Another worker may have nothing to do; a new one comes later.
      this.pump();
    } else
      part.call.reject(new GruError('worker_lost', `pool.run: two workers were lost at this call; the second: ${why}`));
  }

  private settled(call: Call): void {
    this.calls.delete(call);
    const at = this.queue.indexOf(call);
    if (at >= 0) this.queue.splice(at, 1);
    this.crew.settled();
    this.pump();
    if (this.calls.size === 0) for (const resolve of this.drainWaiters.splice(0)) resolve();
  }

  private end(error: GruError): void {
    if (this.ended) return;
    this.ended = error;
    for (const call of [...this.calls]) call.reject(error);
    for (const resolve of this.roomWaiters.splice(0)) resolve();
  }
}

/** @throws GruError `disposed`. */
function checkAlive(model: GruModel): ModelSpec {
  return model.spec;
}
