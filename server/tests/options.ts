import type { ServiceOptions } from '../src/service.ts';

/** Of services in tests: small limits, and no time that anything takes. */
export const OPTIONS: ServiceOptions = {
  window: 1,
  maxBatch: 64,
  maxSequences: 100,
  maxSequencesOfKey: 100,
  maxStateBytes: 2 ** 20,
  maxPending: 1000,
  maxAnswer: 2 ** 24,
  idleTimeout: 60_000,
  timeout: 60_000,
  workers: 1,
  liveWorkers: 0,
};
