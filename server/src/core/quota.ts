import { ServeError } from '../errors.ts';

export interface Limits {
  maxSequences: number;
  /** Of one owner. */
  maxSequencesOfOwner: number;
  /** Requests that wait, of all sequences together. */
  maxPending: number;
}

/** What the live sequences of a model may take, in whichever thread they live. */
export class Quota {
  private readonly limits: Limits;
  private readonly ofOwner = new Map<string, number>();
  private readonly rooms: (() => boolean)[] = [];
  private sequences = 0;
  private pending = 0;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** @param room makes some by dropping a sequence that nobody needs, where there is one */
  onFull(room: () => boolean): void {
    this.rooms.push(room);
  }

  /** @throws ServeError `too_many`, `unavailable`. */
  addSequence(owner: string): void {
    const { maxSequences, maxSequencesOfOwner } = this.limits;
    const owned = this.ofOwner.get(owner) ?? 0;
    if (owned >= maxSequencesOfOwner)
      throw new ServeError('too_many', `you have ${owned} live sequences, the most there may be: end some`);
    if (this.sequences >= maxSequences && !this.rooms.some((room) => room())) {
      throw new ServeError(
        'unavailable',
        `the server has ${maxSequences} live sequences, the most it takes: try again`,
      );
    }
    this.sequences++;
    // Room may have been made of the owner's own.
    this.ofOwner.set(owner, (this.ofOwner.get(owner) ?? 0) + 1);
  }

  removeSequence(owner: string): void {
    this.sequences--;
    const owned = this.ofOwner.get(owner)! - 1;
    if (owned > 0) this.ofOwner.set(owner, owned);
    else this.ofOwner.delete(owner);
  }

  /** @throws ServeError `unavailable`. */
  checkPending(): void {
    const { maxPending } = this.limits;
    if (this.pending >= maxPending)
      throw new ServeError('unavailable', `${maxPending} requests wait already: try again`);
  }

  addPending(count: 1 | -1): void {
    this.pending += count;
  }
}
