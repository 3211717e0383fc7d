import type { Arena } from './arena.ts';
import { GruError } from '../base/errors.ts';
import type { Part } from './call.ts';
import type { Job } from './messages.ts';
import type { Place } from './place.ts';
import { Slot, type SlotEvents, type SlotOptions } from './slot.ts';

/** Ids of jobs start again after this one: they must fit a ticket. */
const LAST_ID = 2 ** 31 - 1;

/** What the crew tells the pool. */
export interface CrewEvents extends Omit<SlotEvents, 'starting' | 'givenUp'> {
  /** There is no worker any more, and no other can be started. */
  broken(error: GruError): void;
}

/** The workers of a pool: gives them parts of calls. */
export class Crew {
  private readonly options: SlotOptions;
  private readonly events: CrewEvents;
  private readonly slots = new Set<Slot>();
  private jobs = 0;
  /** All workers have been ready at a time. */
  private running = false;
  private startTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SlotOptions, events: CrewEvents) {
    this.options = options;
    this.events = events;
  }

  get idleCount(): number {
    return this.places.filter(({ idle }) => idle).length;
  }

  get readyCount(): number {
    return this.places.filter(({ ready }) => ready).length;
  }

  /** Parts that wait for a worker which is at another. */
  get waitingCount(): number {
    return this.places.filter(({ next }) => next).length;
  }

  /** There is a worker that a part can be given to. */
  get hasRoom(): boolean {
    return this.places.some(({ hasRoom }) => hasRoom);
  }

  /** Adds a worker. @throws GruError `worker_lost` when there cannot be one. */
  hire(): void {
    const slot = new Slot(this.options, {
      ...this.events,
      starting: () => {
        this.watchStarts();
      },
      givenUp: (error) => {
        this.giveUp(slot, error);
      },
    });
    this.slots.add(slot);
    slot.start();
  }

  /** Gives a part to an idle worker, or to the one that should be idle first. */
  give(part: Part, cut: (id: number, arena: Arena) => Job): void {
    const place = this.places.filter(({ hasRoom }) => hasRoom).reduce((a, b) => (b.job < a.job ? b : a));
    this.jobs = (this.jobs % LAST_ID) + 1;
    place.give(part, (arena) => cut(this.jobs, arena));
  }

  /** The part that has waited longest for a worker which is at another. */
  takeBack(): Part | undefined {
    for (const place of this.places.filter(({ next }) => next).sort((a, b) => a.next - b.next)) {
      const part = place.takeBack();
      if (part) return part;
    }
    return undefined;
  }

  async close(): Promise<void> {
    clearTimeout(this.startTimer);
    const slots = [...this.slots];
    this.slots.clear();
    await Promise.all(slots.map((slot) => slot.close()));
  }

  /** A call has settled. */
  settled(): void {
    for (const place of this.places) place.giveUp();
  }

  private get places(): Place[] {
    return [...this.slots].flatMap(({ place }) => place ?? []);
  }

  /** The time begins again at each sign of life from any of them: many workers on few cores start one after the other. */
  private watchStarts(): void {
    clearTimeout(this.startTimer);
    this.startTimer = undefined;
    const { places, readyCount } = this;
    if (readyCount === this.slots.size) this.running = true;
    if (readyCount === places.length) return;
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
    for (const slot of this.slots) if (slot.place?.ready === false) slot.lose(why);
  }

  /** The others go on, but a pool does not start with fewer workers than it was to have. */
  private giveUp(slot: Slot, error: GruError): void {
    this.slots.delete(slot);
    void slot.close();
    if (!this.running || this.slots.size === 0) this.fall(error);
  }

  private fall(error: GruError): void {
    void this.close();
    this.events.broken(error);
  }
}
