import { ServeError } from '../errors.ts';
import type { Sequence } from './sequence.ts';

export interface SequenceLimits {
  maxSequences: number;
  /** Of one owner. */
  maxSequencesOfOwner: number;
}

/** The sequences that this instance knows, within their limits, and which slot of the engine each has. */
export class SequenceTable {
  private readonly limits: SequenceLimits;
  /** A store has what is forgotten here. */
  private readonly hasStore: boolean;
  private readonly now: () => number;
  private readonly sequences = new Map<string, Sequence>();
  private readonly ofOwner = new Map<string, number>();
  /** Those of which only the last answer is left, the oldest first. */
  private readonly ended = new Set<Sequence>();
  private readonly free: number[] = [];
  private slots = 0;

  constructor(limits: SequenceLimits, hasStore: boolean, now: () => number) {
    this.limits = limits;
    this.hasStore = hasStore;
    this.now = now;
  }

  /** Sequences whose state is here. */
  get live(): number {
    return this.slots - this.free.length;
  }

  get(key: string): Sequence | undefined {
    return this.sequences.get(key);
  }

  /** Those of which nothing is on its way. */
  quiet(): Sequence[] {
    return [...this.sequences.values()].filter(({ busy }) => !busy);
  }

  /** A sequence that has ended begins anew. */
  restart(sequence: Sequence): void {
    this.ended.delete(sequence);
  }

  begin(key: string, owner: string): Sequence {
    const { maxSequences, maxSequencesOfOwner } = this.limits;
    const owned = this.ofOwner.get(owner) ?? 0;
    if (owned >= maxSequencesOfOwner) {
      throw new ServeError('too_many', `you have ${owned} live sequences, the most there may be: end some`);
    }
    if (this.sequences.size >= maxSequences && !this.dropEnded()) {
      throw new ServeError(
        'unavailable',
        `the server has ${maxSequences} live sequences, the most it takes: try again`,
      );
    }
    const [step, durableStep] = [0, 0];
    const sequence: Sequence = {
      key,
      owner,
      slot: undefined,
      step,
      durableStep,
      version: undefined,
      fromStore: false,
      last: undefined,
      ended: false,
      lastUsed: this.now(),
      waiting: [],
      busy: false,
    };
    this.sequences.set(key, sequence);
    this.ofOwner.set(owner, owned + 1);
    return sequence;
  }

  drop(sequence: Sequence): void {
    this.releaseSlot(sequence);
    this.sequences.delete(sequence.key);
    this.ended.delete(sequence);
    const owned = this.ofOwner.get(sequence.owner)! - 1;
    if (owned > 0) this.ofOwner.set(sequence.owner, owned);
    else this.ofOwner.delete(sequence.owner);
  }

  /** Keeps the last answer of a sequence that has ended, for the request may come again; a store has it already. */
  end(sequence: Sequence): void {
    if (this.hasStore) this.forget(sequence);
    this.releaseSlot(sequence);
    if (sequence.last) this.ended.add(sequence);
  }

  /** Makes room by forgetting the last answer of a sequence that has ended. */
  private dropEnded(): boolean {
    for (const one of this.ended) {
      if (one.busy) continue;
      this.drop(one);
      return true;
    }
    return false;
  }

  takeSlot(sequence: Sequence): number {
    sequence.slot ??= this.free.pop() ?? this.slots++;
    return sequence.slot;
  }

  releaseSlot(sequence: Sequence): void {
    if (sequence.slot !== undefined) this.free.push(sequence.slot);
    sequence.slot = undefined;
  }

  /** Leaves what is known of a sequence to the store. */
  forget(sequence: Sequence): void {
    this.releaseSlot(sequence);
    Object.assign(sequence, {
      version: undefined,
      last: undefined,
      ended: false,
    });
  }
}
