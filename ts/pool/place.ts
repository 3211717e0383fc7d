import { Arena } from './arena.ts';
import type { Part } from './call.ts';
import type { Job } from './messages.ts';
import { claim } from './ticket.ts';
import type { WorkerHandle } from './worker.ts';

/** Milliseconds that a worker may go on with a part of a call that was given up, before another takes its place. */
const GRACE = 1000;

interface Held {
  part: Part;
  job: Job;
  arena: Arena;
}

/** A worker and what it was given: the part that it is at, and with shared memory another, so that it never waits for one. */
export class Place {
  readonly worker: WorkerHandle;
  ready = false;
  private readonly held: Held[] = [];
  private readonly arenas = Arena.shared ? [new Arena(), new Arena()] : [new Arena()];
  private readonly overdue: () => void;
  private grace: ReturnType<typeof setTimeout> | undefined;

  /** @param overdue The worker has not ended what nobody waits for any more. */
  constructor(worker: WorkerHandle, overdue: () => void) {
    this.worker = worker;
    this.overdue = overdue;
  }

  get idle(): boolean {
    return this.ready && this.held.length === 0;
  }

  get hasRoom(): boolean {
    return this.ready && this.arenas.length > 0;
  }

  /** The job that it is at: the lower, the sooner it should end; 0 for none. */
  get job(): number {
    return this.held[0]?.job.id ?? 0;
  }

  /** The job that waits until that one ends, or 0. */
  get next(): number {
    return this.held[1]?.job.id ?? 0;
  }

  /** Nothing has changed where it throws. */
  give(part: Part, cut: (arena: Arena) => Job): void {
    const arena = this.arenas.at(-1)!;
    const job = cut(arena);
    this.worker.run(job);
    this.arenas.pop();
    this.held.push({ part, job, arena });
    this.worker.keepAlive(true);
  }

  /** The worker has ended a job. */
  take(id: number): Held | undefined {
    const first = this.held[0];
    if (first?.job.id !== id) return undefined;
    this.remove(first);
    this.giveUp();
    return first;
  }

  /** The part that waits, unless the worker has just started it. */
  takeBack(): Part | undefined {
    const next = this.held[1];
    if (!next || !revoke(next)) return undefined;
    this.remove(next);
    return next.part;
  }

  /** What nobody waits for any more does not start; the worker has a while to end it where it has. */
  giveUp(): void {
    for (const held of [...this.held]) if (held.part.call.settled && revoke(held)) this.remove(held);
    if (this.held[0]?.part.call.settled) this.grace ??= setTimeout(this.overdue, GRACE);
  }

  /** The worker is gone. @returns The parts that it had. It may have died of all but one that waited. */
  vacate(): Part[] {
    clearTimeout(this.grace);
    return this.held.splice(0).map((held, i) => {
      if (i === 0 || !revoke(held)) held.part.deaths++;
      return held.part;
    });
  }

  private remove(held: Held): void {
    const at = this.held.indexOf(held);
    if (at === 0) {
      clearTimeout(this.grace);
      this.grace = undefined;
    }
    this.held.splice(at, 1);
    this.arenas.push(held.arena);
    this.worker.keepAlive(this.held.length > 0);
  }
}

/** @returns Whether the worker has not started it; it never will then. */
function revoke({ job: { id, ticket } }: Held): boolean {
  return ticket !== undefined && claim(ticket, id);
}
