import { Arena } from './arena.ts';
import { GruError } from '../errors.ts';
import type { Failure, Job, Start } from './messages.ts';
import type { Part } from './call.ts';
import { type PoolWorker, WorkerHandle } from './worker.ts';

/** Workers in a row that may die while they start, before the pool gives up: when none ever ran, and later. */
const MAX_FAILED_STARTS = { first: 3, later: 20 };

/** Milliseconds that a worker may go on with a part of a call that was given up, before another takes its place. */
const GRACE = 1000;

/** A worker's place: there is always one worker in it, or one on its way. */
interface Place {
  worker: WorkerHandle;
  readonly arena: Arena;
  ready: boolean;
  /** What it is working on. */
  held: { part: Part; job: Job } | undefined;
  grace: ReturnType<typeof setTimeout> | undefined;
}

/** What the crew tells the pool. */
export interface CrewEvents {
  /** A worker has become ready, or has nothing to do. */
  idle(): void;
  /** The results are valid in this turn alone where they are in shared memory. */
  answered(part: Part, results: Float32Array[]): void;
  failed(part: Part, error: GruError): void;
  /** The worker that had this part is gone. */
  lost(part: Part, why: string): void;
  /** Workers cannot be started any more. */
  broken(error: GruError): void;
}

/** The workers of a pool: starts them, gives them parts of calls, replaces those that die. */
export class Crew {
  private readonly createWorker: () => PoolWorker;
  private readonly start: Omit<Start, 'lock'>;
  private readonly events: CrewEvents;
  private readonly places = new Set<Place>();
  private jobs = 0;
  private failedStarts = 0;
  /** A worker has been ready. */
  private running = false;
  private closed = false;

  constructor(createWorker: () => PoolWorker, start: Omit<Start, 'lock'>, events: CrewEvents) {
    this.createWorker = createWorker;
    this.start = start;
    this.events = events;
  }

  get idleCount(): number {
    return [...this.places].filter(isIdle).length;
  }

  get readyCount(): number {
    return [...this.places].filter(({ ready }) => ready).length;
  }

  /** Adds a worker. @throws GruError `worker_lost` when there cannot be one. */
  hire(): void {
    const place = {
      arena: new Arena(),
      ready: false,
      held: undefined,
      grace: undefined,
    } as Partial<Place> as Place;
    try {
      place.worker = new WorkerHandle(this.createWorker(), this.start, {
        ready: () => {
          this.failedStarts = 0;
          this.running = true;
          place.ready = true;
          place.worker.keepAlive(false);
          this.events.idle();
        },
        answered: ({ id, results }) => {
          const held = this.takeBack(place, id);
          if (held) this.events.answered(held.part, results ?? held.job.results!);
          this.events.idle();
        },
        failed: (failure) => {
          this.failed(place, failure);
        },
        died: (why) => {
          this.replace(place, why);
        },
      });
      this.places.add(place);
    } catch (cause) {
      throw new GruError('worker_lost', `a worker could not be started: ${String(cause)}`, { cause });
    }
  }

  /** Gives a part to an idle worker. */
  give(part: Part, cut: (id: number, arena: Arena) => Job): void {
    const place = [...this.places].find(isIdle)!;
    const id = ++this.jobs;
    const job = cut(id, place.arena);
    place.held = { part, job };
    part.attempts++;
    place.worker.keepAlive(true);
    try {
      place.worker.run(job);
    } catch (error) {
      this.takeBack(place, id);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const places = [...this.places];
    this.places.clear();
    for (const { grace } of places) clearTimeout(grace);
    await Promise.all(places.map(({ worker }) => worker.terminate()));
  }

  /** Gives those workers a while to end that are at a call which nobody waits for any more. */
  giveUp(settled: (part: Part) => boolean): void {
    for (const place of this.places) {
      if (!place.held || place.grace !== undefined || !settled(place.held.part)) continue;
      place.grace = setTimeout(() => {
        void place.worker.terminate();
        this.replace(place, 'it did not end in time');
      }, GRACE);
    }
  }

  private takeBack(place: Place, id: number): Place['held'] {
    const { held } = place;
    if (held?.job.id !== id) return undefined;
    clearTimeout(place.grace);
    place.grace = place.held = undefined;
    place.worker.keepAlive(false);
    return held;
  }

  private failed(place: Place, { id, code, message }: Failure): void {
    const error = new GruError(code, message);
    if (id === undefined) {
      void place.worker.terminate();
      this.places.delete(place);
      this.fall(error);
      return;
    }
    const held = this.takeBack(place, id);
    if (held) this.events.failed(held.part, error);
    this.events.idle();
  }

  private replace(place: Place, why: string): void {
    if (!this.places.delete(place) || this.closed) return;
    clearTimeout(place.grace);
    if (!place.ready) this.failedStarts++;
    if (place.held) this.events.lost(place.held.part, why);
    if (this.failedStarts >= MAX_FAILED_STARTS[this.running ? 'later' : 'first']) {
      this.fall(new GruError('worker_lost', `workers die while they start: ${why}`));
      return;
    }
    try {
      this.hire();
    } catch (error) {
      this.fall(error as GruError);
    }
  }

  private fall(error: GruError): void {
    void this.close();
    this.events.broken(error);
  }
}

function isIdle({ ready, held }: Place): boolean {
  return ready && !held;
}
