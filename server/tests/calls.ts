import { expect } from 'vitest';
import type { BatcherOptions } from '../src/core/batcher.ts';
import { keyOf, type SequenceCall } from '../src/core/sequence.ts';

/** Limits that no test meets by chance. */
export const LIMITS: Omit<BatcherOptions, 'steps'> = {
  window: 1,
  maxBatch: 256,
  maxSequences: 1000,
  maxSequencesOfOwner: 1000,
  maxPending: 10_000,
  maxPendingOfSequence: 64,
  idleTimeout: 1000,
};

export const call = (id: string, { owner = 'me', ...more }: Partial<SequenceCall> = {}): SequenceCall => ({
  owner,
  id,
  key: keyOf(owner, id),
  start: false,
  end: false,
  step: undefined,
  ...more,
});

export const refusal = (reason: string) => expect.objectContaining({ reason }) as Error;
