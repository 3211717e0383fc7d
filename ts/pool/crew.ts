import type { Arena } from './arena.ts';
import { GruError } from '../base/errors.ts';
import { toGruError } from './failure.ts';
import { type Failure, fits, type Job, type Start } from './messages.ts';
import type { Part } from './call.ts';
import { Place } from './place.ts';
import { type PoolWorker, WorkerHandle } from './worker.ts';

/** Workers in a row that may die while they start, before the pool gives up: when none ever ran, and later. */
const MAX_FAILED_STARTS = { first: 3, later: 20 };

/** Ids of jobs start again after this one: they must fit a ticket. */
const LAST_ID = 2 ** 31 - 1;

/** What workers are made of. */
export interface CrewOptions {
  createWorker: () => PoolWorker;
  /** Milliseconds that those which start may all be silent. */
  startTimeout: number;
  start: Omit<Start, 'lock'>;
}

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
  private readonly options: CrewOptions;
  private readonly events: CrewEvents;
  private readonly places = new Set<Place>();
  private jobs = 0;
  private failedStarts = 0;
  /** A worker has been ready. */
  private running = false;
  private closed = false;
  private startTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: CrewOptions, events: CrewEvents) {
    this.options = options;
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
      const worker: WorkerHandle = new WorkerHandle(this.options.createWorker(), this.options.start, {
        online: () => {
          this.watchStarts();
        },
        ready: () => {
          this.failedStarts = 0;
          this.running = true;
          place.ready = true;
          this.watchStarts();
          place.worker.keepAlive(false);
          this.events.idle();
        },
        answered: (answer) => {
          const held = place.take(answer.id, (job) => fits(answer, job));
          if (!held) return false;
          this.events.answered(held.part, answer.results ?? held.job.results!);
          this.events.idle();
          return true;
        },
        failed: (failure) => this.failed(place, failure),
        skipped: (id) => {
          if (!place.skip(id)) return false;
          this.events.idle();
          return true;
        },
        died: (why) => {
          this.replace(place, why);
        },
      });
      const place: Place = new Place(worker, () => {
        void worker.terminate();
        this.replace(place, 'it did not end in time');
      });
      this.places.add(place);
      this.watchStarts();
    } catch (cause) {
      const error = toGruError(cause, 'a worker could not be started', 'worker_lost');
      throw new GruError('worker_lost', error.message, { cause });
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
    clearTimeout(this.startTimer);
    const places = [...this.places];
    this.places.clear();
    for (const place of places) place.vacate();
    await Promise.all(places.map(({ worker }) => worker.terminate()));
  }

  /** A call has settled. */
  giveUp(): void {
    for (const place of this.places) place.giveUp();
  }

  private failed(place: Place, { id, code, message }: Failure): boolean {
    const error = new GruError(code, message);
    if (id === undefined) {
      if (place.ready) return false;
      if (this.running) {
        // A successor that found no memory, say: the others go on meanwhile.
        void place.worker.terminate();
        this.replace(place, message);
      } else this.fall(error);
      return true;
    }
    const held = place.take(id, () => true);
    if (!held) return false;
    this.events.failed(held.part, error);
    this.events.idle();
    return true;
  }

  /** The time begins again at each sign of life from any of them: many workers on few cores start one after the other. */
  private watchStarts(): void {
    clearTimeout(this.startTimer);
    this.startTimer = undefined;
    if (this.readyCount === this.places.size) return;
    this.startTimer = setTimeout(() => {
      this.giveUpStarts();
    }, this.options.startTimeout);
  }

  private giveUpStarts(): void {
    const why = `it did not answer its start for ${this.options.startTimeout} ms`;
    if (this.readyCount === 0) {
      const advice =
        'its script must be gru-wasm/pool-worker of this version; where it needs longer, raise startTimeout';
      this.fall(new GruError('timeout', `createPool: a worker cannot be used: ${why}; ${advice}`));
      return;
    }
    for (const place of [...this.places].filter(({ ready }) => !ready)) {
      void place.worker.terminate();
      this.replace(place, why);
    }
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
