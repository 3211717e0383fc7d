import type { Quota } from './quota.ts';
import type { Sequence } from './sequence.ts';

/** The sequences of an engine that this instance knows, and which slot each has. */
export class SequenceTable {
  private readonly quota: Quota;
  /** A store has what is forgotten here. */
  private readonly hasStore: boolean;
  private readonly now: () => number;
  private readonly sequences = new Map<string, Sequence>();
  /** Those of which only the last answer is left, the oldest first. */
  private readonly ended = new Set<Sequence>();
  private readonly free: number[] = [];
  private slots = 0;

  constructor(quota: Quota, hasStore: boolean, now: () => number) {
    this.quota = quota;
    quota.onFull(() => this.dropEnded());
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
    this.quota.addSequence(owner);
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
    return sequence;
  }

  drop(sequence: Sequence): void {
    this.releaseSlot(sequence);
    this.sequences.delete(sequence.key);
    this.ended.delete(sequence);
    this.quota.removeSequence(sequence.owner);
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

  /** All states are gone: what the store does not have is forgotten. */
  lose(): void {
    for (const one of this.sequences.values()) {
      if (one.slot === undefined) continue;
      this.forget(one);
      if (!one.busy && !this.hasStore) this.drop(one);
    }
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
