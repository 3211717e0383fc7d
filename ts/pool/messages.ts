import type { Backend } from '../backends/backend.ts';
import type { GruErrorCode } from '../base/errors.ts';
import type { RunLayout } from '../run/resources.ts';
import type { ModelSpec } from '../spec/spec.ts';
import type { Ticket } from './ticket.ts';

/** The first message to a worker: how to start the backend and make the model. */
export interface Start {
  backend: string;
  shared: Backend['shared'];
  spec: ModelSpec;
  /** Name of a Web Lock that the worker is to hold as long as it lives. */
  lock: string | undefined;
}

/** Sequences to run. All arrays are the worker's as long as it is at them. */
export interface Job {
  id: number;
  /** To be claimed by the worker before it starts, where there is shared memory; else the job is the worker's. */
  ticket: Ticket | undefined;
  batch: number;
  axes: RunLayout['axes'];
  timeMajor: boolean;
  /** By input: rows as {@link BackendState} takes them. */
  inputs: (Float32Array | Int32Array)[];
  /** By state slot: (batch, size), or undefined for zeros. */
  initial: readonly (Float32Array | undefined)[];
  /** How many numbers each array of {@link Answer} has. */
  sizes: number[];
  /** Shared memory where the results are to be, as in {@link Answer}; undefined: the worker answers with arrays of its own. */
  results: Float32Array[] | undefined;
}

export interface Answer {
  id: number;
  /** Each output: rows as {@link BackendState} gives them. Then each state slot: (batch, size). */
  results: Float32Array[] | undefined;
}

/** A GruError, which structured cloning would turn into a plain Error. */
export interface Failure {
  /** The job that failed; undefined when it was the start. */
  id: number | undefined;
  code: GruErrorCode;
  message: string;
}

export type ToWorker = { start: Start } | { job: Job };
/** `started`: the worker is at a job that has no ticket; `skipped`: it came to one that was taken back. */
export type FromWorker =
  { ready: true } | { started: number } | { answer: Answer } | { failure: Failure } | { skipped: number };

/** Reads what a worker sent, which may be anything where `createWorker` made it. */
export function readMessage(message: unknown): FromWorker | undefined {
  const { ready, started, answer, failure, skipped } = (message ?? {}) as Partial<Record<string, unknown>>;
  if (ready === true) return { ready };
  if (typeof started === 'number') return { started };
  if (typeof skipped === 'number') return { skipped };
  if (failure) {
    const { id, code, message: text } = failure as Partial<Failure>;
    const isFailure =
      (id === undefined || typeof id === 'number') && typeof code === 'string' && typeof text === 'string';
    return isFailure ? { failure: { id, code, message: text } } : undefined;
  }
  const { id, results } = (answer ?? {}) as Partial<Answer>;
  return typeof id === 'number' ? { answer: { id, results } } : undefined;
}

/** Whether an answer has the arrays that the job is to have. */
export function fits({ results }: Answer, job: Job): boolean {
  if (job.results) return results === undefined;
  return (
    Array.isArray(results) &&
    results.length === job.sizes.length &&
    job.sizes.every((size, i) => results[i] instanceof Float32Array && results[i].length === size)
  );
}
