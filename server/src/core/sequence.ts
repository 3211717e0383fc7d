import { createHash } from 'node:crypto';
import { ServeError } from '../errors.ts';
import type { Tensors } from './model.ts';
import type { LastAnswer, Version } from './store.ts';

/** Which sequence a request goes on with, and how. */
export interface SequenceCall {
  /** Whose it is: sequences of another owner are others, whatever their id. */
  owner: string;
  id: string;
  /** Of both: {@link keyOf}. */
  key: string;
  start: boolean;
  end: boolean;
  /** Steps that the client has had answers for. With it a request that comes twice is applied once. */
  step: number | undefined;
  /** Its state is to be in the store before the answer goes out. */
  snapshot?: boolean | undefined;
}

export interface StepAnswer {
  outputs: Tensors;
  /** Steps that the sequence has taken. */
  step: number;
  /** Of these, those that survive this instance; undefined without a store. */
  durableStep: number | undefined;
}

/** Told of the answer to the request at `place` of those that were made together, or of what it was refused for. */
export type Reply = (place: number, answer: StepAnswer | undefined, error?: unknown) => void;

export interface Waiting {
  call: SequenceCall;
  block: Tensors;
  digest: string | undefined;
  tries: number;
  reply: Reply;
  place: number;
}

export interface Sequence {
  key: string;
  owner: string;
  /** Undefined: its state is not here, but in the store or nowhere. */
  slot: number | undefined;
  step: number;
  durableStep: number;
  version: Version | undefined;
  /** Came from the store and has not been asked for by its step number yet. */
  fromStore: boolean;
  last: LastAnswer | undefined;
  ended: boolean;
  lastUsed: number;
  waiting: Waiting[];
  /** In the batch that runs, or in line for the next. */
  busy: boolean;
}

export interface Turn {
  sequence: Sequence;
  waiting: Waiting;
  outputs: Tensors;
  before: number;
}

/** Whether the store may know more of a sequence than its next request finds here. */
export function mayBeElsewhere({ slot, step, last, ended, waiting }: Sequence): boolean {
  const { call } = waiting[0]!;
  if (call.start || ended) return false;
  return slot === undefined || (call.step !== undefined && call.step !== step && call.step !== last?.step);
}

export const keyOf = (owner: string, id: string) => `${owner}\0${id}`;

/**
 * What a client calls a sequence. Ids begin with their kind, for '7' and 7 are two: `s:` a text, `n:` a number, `c:` and a random text one that lives and dies
 * with a connection, which has no name of its own, or after a slash a number there.
 */
export function calledBy(id: string): string {
  return isOfConnection(id) ? 'of this connection' : id.replace(/^(?:[sn]:|c:[^/]*\/)/, '');
}

/** The one of a connection that has no other. */
const isOfConnection = (id: string) => /^c:[^/]*$/.test(id);

export function unknown(id: string): ServeError {
  const how = isOfConnection(id)
    ? 'connect again (it was refused when it began, or has been idle for too long)'
    : 'begin it with sequence_start (it may have ended, or been idle for too long)';
  return new ServeError('not_found', `there is no sequence ${calledBy(id)}: ${how}`);
}

/** Of a request: one that begins or ends its sequence is no other one that comes again. */
export function digestOf({ start, end }: SequenceCall, block: Tensors): string {
  const hash = createHash('sha256').update(`${start} ${end}\0`);
  for (const [name, { buffer, byteOffset, byteLength }] of Object.entries(block)) {
    hash.update(`${name}\0${byteLength}\0`).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('base64');
}
