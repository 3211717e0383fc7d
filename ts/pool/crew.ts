import type { Arena } from './arena.ts';
import { GruError } from '../errors.ts';
import type { Failure, Job, Start } from './messages.ts';
import type { Part } from './call.ts';
import { Place } from './place.ts';
import { type PoolWorker, WorkerHandle } from './worker.ts';

/** Workers in a row that may die while they start, before the pool gives up: when none ever ran, and later. */
const MAX_FAILED_STARTS = { first: 3, later: 20 };

/** Ids of jobs start again after this one: they must fit a ticket. */
const LAST_ID = 2 ** 31 - 1;

/** What the crew tells the pool. */
export interface CrewEvents {
  /** A worker has become ready, or has ended a job. */
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
    return [...this.places].filter(({ idle }) => idle).length;
  }

  get readyCount(): number {
    return [...this.places].filter(({ ready }) => ready).length;
  }

  /** Parts that wait for a worker which is at another. */
  get waitingCount(): number {
    return [...this.places].filter(({ next }) => next).length;
  }

  /** There is a worker that a part can be given to. */
  get hasRoom(): boolean {
    return [...this.places].some(({ hasRoom }) => hasRoom);
  }

  /** Adds a worker. @throws GruError `worker_lost` when there cannot be one. */
  hire(): void {
    try {
      const worker = new WorkerHandle(this.createWorker(), this.start, {
        ready: () => {
          this.failedStarts = 0;
          this.running = true;
          place.ready = true;
          place.worker.keepAlive(false);
          this.events.idle();
        },
        answered: ({ id, results }) => {
          const held = place.take(id);
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
      const place = new Place(worker, () => {
        void worker.terminate();
        this.replace(place, 'it did not end in time');
      });
      this.places.add(place);
    } catch (cause) {
      throw new GruError('worker_lost', `a worker could not be started: ${String(cause)}`, { cause });
    }
  }

  /** Gives a part to an idle worker, or to the one that should be idle first. */
  give(part: Part, cut: (id: number, arena: Arena) => Job): void {
    const place = [...this.places].filter(({ hasRoom }) => hasRoom).reduce((a, b) => (b.job < a.job ? b : a));
    this.jobs = (this.jobs % LAST_ID) + 1;
    place.give(part, (arena) => cut(this.jobs, arena));
  }

  /** The part that has waited longest for a worker which is at another. */
  takeBack(): Part | undefined {
    for (const place of [...this.places].filter(({ next }) => next).sort((a, b) => a.next - b.next)) {
      const part = place.takeBack();
      if (part) return part;
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.closed = true;
    const places = [...this.places];
    this.places.clear();
    for (const place of places) place.vacate();
    await Promise.all(places.map(({ worker }) => worker.terminate()));
  }

  /** A call has settled. */
  giveUp(): void {
    for (const place of this.places) place.giveUp();
  }

  private failed(place: Place, { id, code, message }: Failure): void {
    const error = new GruError(code, message);
    if (id === undefined) {
      void place.worker.terminate();
      this.places.delete(place);
      this.fall(error);
      return;
    }
    const held = place.take(id);
    if (held) this.events.failed(held.part, error);
    this.events.idle();
  }

  private replace(place: Place, why: string): void {
    if (!this.places.delete(place) || this.closed) return;
    if (!place.ready) this.failedStarts++;
    for (const part of place.vacate()) this.events.lost(part, why);
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
