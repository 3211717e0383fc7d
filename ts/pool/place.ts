import { Arena } from './arena.ts';
import type { Part } from './call.ts';
import type { Job } from './messages.ts';
import { claim } from './ticket.ts';
import type { WorkerHandle } from './worker.ts';

/** Milliseconds that a worker may go on with a part of a call that was given up, before another takes its place. */
const GRACE = 1000;

/**
 * Times that the pool looks before such a time is over. A thread that was busy meanwhile, or a machine that slept, has looked once
 * then: no worker is lost because the pool has not come to its messages.
 */
const LOOKS = 10;

interface Held {
  part: Part;
  job: Job;
  arena: Arena;
  /** The worker has said so; it does where there is no ticket that tells. */
  started: boolean;
  /** Taken back: the worker will find that it is not to do it, and say so. */
  revoked: boolean;
}

/**
 * A worker and what it was given: the part that it is at, and with shared memory another, so that it never waits for one. It
 * answers in order, parts that were taken back too: a worker that is stuck before it looks at one is known by that.
 */
export class Place {
  readonly worker: WorkerHandle;
  ready = false;
  /** What the worker has not answered. */
  private readonly given: Held[] = [];
  private readonly arenas = Arena.shared ? [new Arena(), new Arena()] : [new Arena()];
  private readonly startTimeout: number;
  private readonly overdue: (why: string) => void;
  private clock: ReturnType<typeof setInterval> | undefined;
  /** What the clock is for. */
  private timed: { held: Held | undefined; idling: boolean } | undefined;

  /** @param overdue The worker has not started its job within `startTimeout`, or not ended what nobody waits for any more. */
  constructor(worker: WorkerHandle, startTimeout: number, overdue: (why: string) => void) {
    this.worker = worker;
    this.startTimeout = startTimeout;
    this.overdue = overdue;
  }

  get idle(): boolean {
    return this.ready && this.given.length === 0;
  }

  /** Nothing is given to a worker that may be stuck. */
  get hasRoom(): boolean {
    return this.ready && this.arenas.length > 0 && !this.isIdling;
  }

  /** The job that it is at: the lower, the sooner it should end; 0 for none. */
  get job(): number {
    return this.given[0]?.job.id ?? 0;
  }

  /** The job that waits until that one ends, or 0. */
  get next(): number {
    return this.waiting?.job.id ?? 0;
  }

  /** Nothing has changed where it throws. */
  give(part: Part, cut: (arena: Arena) => Job): void {
    const arena = this.arenas.at(-1)!;
    const job = cut(arena);
    this.worker.run(job);
    this.arenas.pop();
    this.given.push({ part, job, arena, started: false, revoked: false });
    this.worker.keepAlive(true);
    this.watch();
  }

  /** @returns Whether the worker was to say so. */
  started(id: number): boolean {
    const first = this.given[0];
    if (first?.job.id !== id || first.started || first.job.ticket) return false;
    return (first.started = true);
  }

  /** The job that the worker has ended, which must be the one that it was at. */
  take(id: number, fits: (job: Job) => boolean): { part: Part; job: Job } | undefined {
    const first = this.given[0];
    if (first?.job.id !== id || first.revoked || !fits(first.job)) return undefined;
    this.given.shift();
    this.release(first);
    this.giveUp();
    return first;
  }

  /** @returns Whether the worker has come to a job that was taken back. */
  skip(id: number): boolean {
    const first = this.given[0];
    if (first?.job.id !== id || !first.revoked) return false;
    this.given.shift();
    this.giveUp();
    return true;
  }

  /** The part that waits, unless the worker has just started it. */
  takeBack(): Part | undefined {
    const next = this.waiting;
    return next && this.revoke(next) ? next.part : undefined;
  }

  /** What nobody waits for any more does not start; the worker has a while to end it where it has. */
  giveUp(): void {
    for (const held of this.given) if (held.part.call.settled) this.revoke(held);
    this.watch();
  }

  /** The worker is gone. @returns The parts that it had. It may have died of all but those that waited. */
  vacate(): Part[] {
    clearInterval(this.clock);
    const given = this.given.splice(0);
    const parts = given.filter(({ revoked }) => !revoked);
    for (const held of parts) if (held === given[0] || !claimed(held)) held.part.deaths++;
    return parts.map(({ part }) => part);
  }

  /** The worker is at what nobody waits for. */
  private get isIdling(): boolean {
    const first = this.given[0];
    return first !== undefined && (first.revoked || first.part.call.settled);
  }

  private get waiting(): Held | undefined {
    return this.given.find((held, i) => i > 0 && !held.revoked);
  }

  /** What the worker is at, or whether anybody waits for it, may have changed: that has a time of its own. */
  private watch(): void {
    const [held] = this.given;
    const idling = this.isIdling;
    if (this.timed?.held === held && this.timed?.idling === idling) return;
    clearInterval(this.clock);
    this.timed = { held, idling };
    if (!held) return;
    let looks = 0;
    const limit = idling ? GRACE : this.startTimeout;
    this.clock = setInterval(() => {
      if (!idling && hasStarted(held)) clearInterval(this.clock);
      else if (++looks === LOOKS) {
        this.overdue(idling ? 'it did not end in time' : `it did not start a job that it was given for ${limit} ms`);
      }
    }, limit / LOOKS);
  }

  /** @returns Whether the worker has not started it; it never will then. */
  private revoke(held: Held): boolean {
    if (held.revoked || !claimed(held)) return false;
    held.revoked = true;
    this.release(held);
    return true;
  }

  private release({ arena }: Held): void {
    this.arenas.push(arena);
    this.worker.keepAlive(this.given.some(({ revoked }) => !revoked));
  }
}

/** @returns Whether it is ours now, and not the worker's. */
function claimed({ job: { id, ticket } }: Held): boolean {
  return ticket !== undefined && claim(ticket, id);
}

function hasStarted({ started, job: { id, ticket } }: Held): boolean {
  return ticket ? Atomics.load(ticket, 0) !== id : started;
}
