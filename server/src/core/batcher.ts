import { ServeError } from '../errors.ts';
import type { StepEngine } from './engine.ts';
import type { Tensors } from './model.ts';
import {
  calledBy,
  digestOf,
  keyOf,
  mayBeElsewhere,
  type Reply,
  type Sequence,
  type SequenceCall,
  type StepAnswer,
  type Turn,
  unknown,
} from './sequence.ts';
import { type Limits, Quota } from './quota.ts';
import { SequenceTable } from './sequence-table.ts';
import type { SequenceStore } from './store.ts';
import { decodeTensors, encodeTensors } from './tensors.ts';

export interface BatcherOptions extends Limits {
  /** Steps in a block. */
  steps(block: Tensors): number;
  /** Milliseconds that a request waits for others. */
  window: number;
  /** Sequences that one batch takes; so many do not wait. */
  maxBatch: number;
  /** Requests of one sequence that wait. */
  maxPendingOfSequence: number;
  /** Shared with other batchers; one's own by the limits here. */
  quota?: Quota | undefined;
  /** Milliseconds without a request after which a sequence is dropped. */
  idleTimeout: number;
  store?: SequenceStore | undefined;
  /** Steps between two writes of a sequence to the store; 1: each batch is written before its answers go out. */
  storeEvery?: number | undefined;
  now?: () => number;
  /** Told of each batch that has run. */
  onBatch?(sequences: number, milliseconds: number): void;
}

/** Of a turn that has not run. */
const NONE: Tensors = {};

/** How often a request is tried again that another instance came before. */
const MAX_TRIES = 4;

/**
 * Live sequences whose steps come when they come: those that arrive within a window run as one batch, each sequence's in the order of their arrival.
 * Knows no protocol and no network. What a sequence gives does not depend on its batch.
 */
export class SequenceBatcher {
  private readonly engine: StepEngine;
  private readonly options: BatcherOptions;
  private readonly quota: Quota;
  private readonly table: SequenceTable;
  private readonly now: () => number;
  private ready: Sequence[] = [];
  private timer: NodeJS.Timeout | undefined;
  private pending = 0;
  private idle: (() => void)[] = [];

  constructor(engine: StepEngine, options: BatcherOptions) {
    this.engine = engine;
    this.options = options;
    this.now = options.now ?? Date.now;
    this.quota = options.quota ?? new Quota(options);
    this.table = new SequenceTable(this.quota, options.store !== undefined, this.now);
    engine.onLost = () => {
      this.table.lose();
    };
  }

  /** Sequences whose state is here. */
  get live(): number {
    return this.table.live;
  }

  /** Requests that have not been answered. */
  get waiting(): number {
    return this.pending;
  }

  /** @throws (as a rejection) ServeError `not_found`, `conflict`, `too_many`, `unavailable`, `bad_request`. */
  submit(call: SequenceCall, block: Tensors): Promise<StepAnswer> {
    return new Promise((resolve, reject) => {
      this.ask(call, block, (_, answer, error) => {
        if (answer) resolve(answer);
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  /** As {@link submit}, without a promise for each of thousands. @throws ServeError for what does not join a batch. */
  ask(call: SequenceCall, block: Tensors, reply: Reply, place = 0): void {
    const { maxPendingOfSequence, store } = this.options;
    this.quota.checkPending();
    const known = this.table.get(call.key);
    if (!known && !call.start && !store) throw unknown(call.id);
    if (call.start && call.step) {
      throw new ServeError(
        'bad_request',
        `sequence_start with sequence_step ${call.step}: a sequence starts at step 0`,
      );
    }
    if (call.snapshot && !store) {
      throw new ServeError('bad_request', 'sequence_snapshot: this server has no store of states (gru serve --state)');
    }
    if (known && known.waiting.length >= maxPendingOfSequence) {
      throw new ServeError(
        'too_many',
        `sequence ${calledBy(call.id)}: ${maxPendingOfSequence} requests of it wait already`,
      );
    }
    const sequence = known ?? this.table.begin(call.key, call.owner);
    const digest = call.step === undefined ? undefined : digestOf(call, block);
    sequence.waiting.push({ call, block, digest, tries: 0, reply, place });
    this.pending++;
    this.quota.addPending(1);
    this.enqueue(sequence);
  }

  /** Drops a sequence, where nothing of it waits. */
  release(owner: string, id: string): void {
    const sequence = this.table.get(keyOf(owner, id));
    if (sequence && !sequence.busy) this.table.drop(sequence);
  }

  /** Drops those whose ids begin so, where nothing of them waits. */
  releaseAll(owner: string, prefix: string): void {
    const start = keyOf(owner, prefix);
    for (const one of this.table.quiet()) if (one.key.startsWith(start)) this.table.drop(one);
  }

  /** Drops what has been idle for too long; with a store, after it has been written there. */
  async sweep(): Promise<void> {
    const before = this.now() - this.options.idleTimeout;
    const old = this.table.quiet().filter(({ lastUsed }) => lastUsed <= before);
    await this.flush(old);
    for (const one of old) if (!one.busy && one.lastUsed <= before) this.table.drop(one);
  }

  /** Writes what the store does not have yet of all sequences. */
  async save(): Promise<void> {
    await this.flush(this.table.quiet());
  }

  /** Resolves when no request waits. */
  drained(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
  }

  private enqueue(sequence: Sequence): void {
    if (sequence.busy) return;
    sequence.busy = true;
    this.ready.push(sequence);
    if (this.ready.length >= this.options.maxBatch) this.runBatch();
    else {
      this.timer ??= setTimeout(() => {
        this.runBatch();
      }, this.options.window);
    }
  }

  private runBatch(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const batch = this.ready;
    this.ready = [];
    if (batch.length > 0) void this.process(batch);
  }

  /** One batch from its states to its answers. Never rejects: each request has an answer or an error of its own. */
  private async process(batch: readonly Sequence[]): Promise<void> {
    const { store, storeEvery = 1 } = this.options;
    const heads = batch.map(({ waiting }) => waiting[0]);
    try {
      const here = store ? await this.fetch(batch, store) : batch;
      const turns = await this.run(here.map((one) => this.turnOf(one)).filter((turn) => turn !== undefined));
      const due = store
        ? turns.filter(
            ({ sequence: one, waiting: { call } }) =>
              one.ended ||
              one.version === undefined ||
              call.snapshot === true ||
              one.step - one.durableStep >= storeEvery,
          )
        : [];
      const lost = due.length > 0 ? await this.write(due.map(({ sequence }) => sequence)) : new Set();
      for (const turn of turns) {
        if (lost.size > 0 && lost.has(turn.sequence)) this.tryAgain(turn);
        else this.answer(turn);
      }
    } catch (error) {
      // The store does not answer: what it has decides, when it does again.
      batch.forEach((one, i) => {
        if (one.waiting[0] !== heads[i]) return;
        this.table.forget(one);
        this.settle(one, undefined, error);
      });
    }
    for (const one of batch) this.next(one);
  }

  /** Brings the states here that are in the store, or may have gone on there. Gives the sequences that go on: where the store does not answer, the others. */
  private async fetch(batch: readonly Sequence[], store: SequenceStore): Promise<readonly Sequence[]> {
    const missing = batch.filter(mayBeElsewhere);
    if (missing.length === 0) return batch;
    let found: Awaited<ReturnType<SequenceStore['load']>>;
    try {
      found = await store.load(missing.map(({ key }) => key));
    } catch (error) {
      for (const one of missing) this.settle(one, undefined, error);
      const refused = new Set(missing);
      return batch.filter((one) => !refused.has(one));
    }
    const restored: { sequence: Sequence; state: Float32Array }[] = [];
    missing.forEach((one, i) => {
      const stored = found[i];
      if (!stored || stored.version === one.version) return;
      const { version, step, ended, state, last } = stored;
      Object.assign(one, { version, step, durableStep: step, ended, last, fromStore: true });
      if (ended) this.table.releaseSlot(one);
      else restored.push({ sequence: one, state });
    });
    if (restored.length === 0) return batch;
    const whole = await this.engine.load(
      restored.map(({ sequence }) => this.table.takeSlot(sequence)),
      restored.map(({ state }) => state),
    );
    // A state that is not this model's, as after a change of it, is as good as none.
    restored.forEach(({ sequence }, i) => {
      if (!whole[i]) this.table.forget(sequence);
    });
    return batch;
  }

  /** What a sequence does in this batch; undefined where its request has been answered or refused. */
  private turnOf(sequence: Sequence): Turn | undefined {
    const waiting = sequence.waiting[0]!;
    const { call, digest } = waiting;
    const { last } = sequence;
    try {
      if (last && digest !== undefined && last.step === call.step && last.digest === digest) {
        const { step, durableStep } = sequence;
        this.settle(sequence, {
          outputs: decodeTensors(last.outputs),
          step,
          durableStep: this.durable(durableStep),
        });
        return undefined;
      }
      if (call.start) {
        this.table.restart(sequence);
        this.engine.reset(this.table.takeSlot(sequence));
        Object.assign(sequence, {
          step: 0,
          durableStep: 0,
          version: undefined,
          last: undefined,
          ended: false,
        });
      } else if (sequence.slot === undefined) throw unknown(call.id);
      else this.checkStep(sequence, call);
      sequence.fromStore = false;
      return { sequence, waiting, outputs: NONE, before: sequence.step };
    } catch (error) {
      this.settle(sequence, undefined, error);
      return undefined;
    }
  }

  private checkStep(sequence: Sequence, { id, step }: SequenceCall): void {
    const at = sequence.step;
    if (step === undefined && sequence.fromStore && (this.options.storeEvery ?? 1) > 1) {
      const text = `sequence ${calledBy(id)} goes on from step ${at}: send again what came after it, with sequence_step`;
      throw new ServeError('conflict', text, { step: at });
    }
    if (step === undefined || step === at) return;
    throw new ServeError('conflict', `sequence ${calledBy(id)} is at step ${at}, the request is for step ${step}`, {
      step: at,
    });
  }

  private async run(turns: readonly Turn[]): Promise<Turn[]> {
    if (turns.length === 0) return [];
    const start = performance.now();
    try {
      const results = await this.engine.run(
        turns.map(({ sequence }) => sequence.slot!),
        turns.map(({ waiting }) => waiting.block),
      );
      turns.forEach((turn, i) => {
        this.advance(turn, results[i]!);
      });
    } catch (error) {
      const isHere = ({ sequence }: Turn) => sequence.slot !== undefined;
      // One alone is at fault, and the others are not to suffer for it.
      if (turns.length > 1 && turns.every(isHere)) {
        const ran: Turn[] = [];
        for (const turn of turns) ran.push(...(await this.run([turn])));
        return ran;
      }
      for (const { sequence, waiting } of turns) {
        // What is refused has not begun.
        if (waiting.call.start) this.table.forget(sequence);
        this.settle(sequence, undefined, error);
      }
      return [];
    }
    this.options.onBatch?.(turns.length, performance.now() - start);
    return [...turns];
  }

  private advance(turn: Turn, outputs: Tensors): void {
    const { sequence, waiting, before } = turn;
    turn.outputs = outputs;
    sequence.step = before + this.options.steps(waiting.block);
    const { digest, call } = waiting;
    sequence.last = digest === undefined ? undefined : { step: before, digest, outputs: encodeTensors(outputs) };
    sequence.ended = call.end;
  }

  /**
   * Writes sequences and gives those that another instance has gone on with.
   *
   * @throws (as a rejection) ServeError `unavailable` where a state has been lost.
   */
  private async write(sequences: readonly Sequence[]): Promise<Set<Sequence>> {
    const slots = sequences.map(({ slot }) => {
      if (slot === undefined) throw new ServeError('unavailable', 'the state of a sequence has been lost: try again');
      return slot;
    });
    const { version, refused } = await this.options.store!.save(sequences, await this.engine.save(slots));
    const lost = new Set(refused.map((place) => sequences[place]!));
    for (const one of sequences) {
      one.version = version;
      one.durableStep = one.step;
    }
    for (const one of lost) this.table.forget(one);
    return lost;
  }

  private async flush(sequences: readonly Sequence[]): Promise<void> {
    if (!this.options.store) return;
    const changed = sequences.filter((one) => one.slot !== undefined && one.step > one.durableStep);
    for (const one of changed) one.busy = true;
    try {
      if (changed.length > 0) await this.write(changed);
    } finally {
      for (const one of changed) this.next(one);
    }
  }

  private tryAgain({ sequence, waiting }: Turn): void {
    if (++waiting.tries < MAX_TRIES && !waiting.call.start && (this.options.storeEvery ?? 1) === 1) return;
    const text = `sequence ${calledBy(waiting.call.id)}: another instance has gone on with it`;
    this.settle(sequence, undefined, new ServeError('conflict', text));
  }

  private answer({ sequence, outputs }: Turn): void {
    const { step, durableStep } = sequence;
    this.settle(sequence, {
      outputs,
      step,
      durableStep: this.durable(durableStep),
    });
  }

  private durable(step: number): number | undefined {
    return this.options.store ? step : undefined;
  }

  /** Takes a sequence's first request out, and answers it. */
  private settle(sequence: Sequence, answer: StepAnswer | undefined, error?: unknown): void {
    const { reply, place } = sequence.waiting.shift()!;
    sequence.lastUsed = this.now();
    this.pending--;
    this.quota.addPending(-1);
    reply(place, answer, error);
  }

  /** A sequence has had its turn: its next request, if there is one, joins the next batch. */
  private next(sequence: Sequence): void {
    sequence.busy = false;
    if (sequence.ended) this.table.end(sequence);
    if (sequence.waiting.length > 0) this.enqueue(sequence);
    else if (sequence.slot === undefined && !sequence.last) this.table.drop(sequence);
    if (this.pending === 0) for (const resolve of this.idle.splice(0)) resolve();
  }
}
