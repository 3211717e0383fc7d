import { GruError } from '../base/errors.ts';
import type { Part } from './call.ts';
import { toGruError } from './failure.ts';
import { type Failure, fits, type Start } from './messages.ts';
import { Place } from './place.ts';
import { checkWorker, type PoolWorker, WorkerHandle } from './worker.ts';

/** Workers in a row that a slot may lose before any has ended a job: when none has been ready yet, and later. */
const MAX_LOSSES = { first: 3, later: 8 };

/** Milliseconds before the second successor in a row; twice as many before each that follows: 6.3 s in all. */
const PAUSE = 100;

/** What workers are made of. */
export interface SlotOptions {
  createWorker: () => PoolWorker;
  /** Milliseconds for a worker to start (see the crew), and to start a job that it was given. */
  startTimeout: number;
  start: Omit<Start, 'lock'>;
}

/** What a slot tells the crew. */
export interface SlotEvents {
  /** A worker that starts has given a sign of life, or there is another one. */
  starting(): void;
  /** The worker has become ready, or has ended a job. */
  idle(): void;
  /** The results are valid in this turn alone where they are in shared memory. */
  answered(part: Part, results: Float32Array[]): void;
  failed(part: Part, error: GruError): void;
  /** The worker that had this part is gone. */
  lost(part: Part, why: string): void;
  /** There will be no worker here any more. */
  givenUp(error: GruError): void;
}

/**
 * Where one worker after the other lives:
 *
 *     starting -> ready <-> at a job: given -> started -> ended
 *         |         |               |            |
 *         +---------+---------------+------------+-> lost -> starting, after a pause; or given up
 *
 * A worker is lost when its thread ends, when it sends nonsense, when it does not start a job (or itself) within `startTimeout`,
 * and when it does not end a job that nobody waits for any more. One that has started a job has all the time it takes: nobody
 * can tell long work from none. The slot is given up when workers are lost over and over, and none of them has ended a job.
 */
export class Slot {
  /** The worker, unless the last one was lost. */
  place: Place | undefined;
  private readonly options: SlotOptions;
  private readonly events: SlotEvents;
  /** Since a worker has ended a job. */
  private losses = 0;
  private maxLosses = MAX_LOSSES.first;
  private closed = false;
  private pause: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SlotOptions, events: SlotEvents) {
    this.options = options;
    this.events = events;
  }

  /** Starts a worker. @throws GruError `worker_lost` when it cannot be made. */
  start(): void {
    const { createWorker, start, startTimeout } = this.options;
    try {
      const worker: WorkerHandle = new WorkerHandle(checkWorker(createWorker()), start, {
        online: () => {
          this.events.starting();
        },
        ready: () => {
          this.maxLosses = MAX_LOSSES.later;
          place.ready = true;
          worker.keepAlive(false);
          this.events.starting();
          this.events.idle();
        },
        started: (id) => place.started(id),
        answered: (answer) => {
          const held = place.take(answer.id, (job) => fits(answer, job));
          if (!held) return false;
          this.losses = 0;
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
          this.lose(why);
        },
      });
      const place: Place = new Place(worker, startTimeout, (why) => {
        this.lose(why);
      });
      this.place = place;
      this.events.starting();
    } catch (cause) {
      const { message } = toGruError(cause, 'a worker could not be started', 'worker_lost');
      throw new GruError('worker_lost', message, { cause });
    }
  }

  /** The worker is gone, or of no use. */
  lose(why: string): void {
    const { place } = this;
    if (!place) return;
    this.place = undefined;
    void place.worker.terminate();
    for (const part of place.vacate()) this.events.lost(part, why);
    this.replace(why);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.pause);
    this.place?.vacate();
    await this.place?.worker.terminate();
  }

  private failed(place: Place, { id, code, message }: Failure): boolean {
    const error = new GruError(code, message);
    if (id === undefined) {
      if (place.ready) return false;
      // Later it may be a successor that finds no memory just then: the others go on meanwhile.
      if (this.maxLosses === MAX_LOSSES.first) this.events.givenUp(error);
      else this.lose(message);
      return true;
    }
    const held = place.take(id, () => true);
    if (!held) return false;
    this.losses = 0;
    this.events.failed(held.part, error);
    this.events.idle();
    return true;
  }

  private replace(why: string): void {
    if (this.closed) return;
    this.losses++;
    if (this.losses >= this.maxLosses) {
      const text = `${this.losses} workers in a row were lost before they had done any work; the last: ${why}`;
      this.events.givenUp(new GruError('worker_lost', text));
    } else if (this.losses === 1) this.restart();
    else {
      this.pause = setTimeout(
        () => {
          this.restart();
        },
        PAUSE * 2 ** (this.losses - 2),
      );
    }
  }

  private restart(): void {
    try {
      this.start();
    } catch (error) {
      this.replace((error as GruError).message);
    }
  }
}
