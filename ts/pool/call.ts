import { GruError } from '../base/errors.ts';
import { onAbort } from './abort.ts';
import { toGruError } from './failure.ts';
import type { Graph } from '../spec/graph.ts';
import type { PoolResult } from './types.ts';
import type { StateGroup } from '../spec/state-groups.ts';
import { Assembly, type Batch } from './parts.ts';
import type { Span } from './work.ts';

/** A part of a call: what a worker is given at a time. */
export interface Part {
  call: Call;
  spans: Span[];
  /** Workers that died when they had it. */
  deaths: number;
}

/** What a call is waiting for. */
export interface Limits {
  signal: AbortSignal | undefined;
  timeout: number | undefined;
}

/** A call of `run` that is on its way through the pool. It settles once. */
export class Call {
  readonly batch: Batch;
  readonly work: number;
  readonly promise: Promise<PoolResult>;
  settled = false;
  private readonly assembly: Assembly;
  private readonly onSettled: (call: Call) => void;
  private resolve!: (result: PoolResult) => void;
  private fail!: (reason: unknown) => void;
  private missing = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopListening: (() => void) | undefined;

  constructor(graph: Graph, batch: Batch, work: number, limits: Limits, onSettled: (call: Call) => void) {
    this.batch = batch;
    this.work = work;
    this.assembly = new Assembly(graph, batch);
    this.onSettled = onSettled;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.fail = reject;
    });
    this.limit(limits);
  }

  /** The parts that workers are given. */
  split(shares: Span[][]): Part[] {
    this.missing = shares.length;
    return shares.map((spans) => ({ call: this, spans, deaths: 0 }));
  }

  /** @returns The spans' share of the result is in; the last one settles the call. */
  put(spans: Span[], results: Float32Array[], groups: StateGroup[]): void {
    if (this.settled) return;
    try {
      this.assembly.put(spans, results);
      if (--this.missing > 0) return;
      this.resolve(this.assembly.result(groups));
    } catch (error) {
      this.fail(toGruError(error, 'pool.run'));
    }
    this.end();
  }

  reject(reason: unknown): void {
    if (this.settled) return;
    this.fail(reason);
    this.end();
  }

  private end(): void {
    this.settled = true;
    clearTimeout(this.timer);
    this.stopListening?.();
    this.onSettled(this);
  }

  private limit({ signal, timeout }: Limits): void {
    if (signal) {
      this.stopListening = onAbort(signal, () => {
        this.reject(signal.reason);
      });
    }
    if (timeout === undefined) return;
    this.timer = setTimeout(() => {
      this.reject(new GruError('timeout', `pool.run: no result within ${timeout} ms`));
    }, timeout);
  }
}
