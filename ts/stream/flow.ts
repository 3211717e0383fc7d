import { GruError } from '../base/errors.ts';
import { checkCount } from '../base/foreign.ts';
import { freeNow, freeWhenForgotten, type Resource } from '../base/lifetime.ts';
import { checkSignal } from '../base/signal.ts';
import type { StepInput } from './step.ts';
import type { GruStream, StreamOptions } from './stream.ts';
import { checkOptions, describe, isRevoked } from '../base/tensor.ts';

/** Options of {@link GruModel.stream} and {@link GruModel.transform}. */
export interface FlowOptions extends StreamOptions {
  /** Ends the flow: whoever waits for a result gets the signal's reason, and the hidden states are freed. */
  signal?: AbortSignal | undefined;
}

/** What each step takes, one after the other: an array, a generator, a `ReadableStream`, ... */
export type StepSource = Iterable<StepInput> | AsyncIterable<StepInput>;

type StepIterator = Iterator<StepInput, unknown> | AsyncIterator<StepInput, unknown>;

/** Steps over a source as fast as its results are taken. The stream is made when the first one is asked for. */
export function stepAll(
  open: (options: StreamOptions) => GruStream,
  source: StepSource,
  options: FlowOptions,
): AsyncGenerator<Float32Array, void, undefined> {
  const { signal, batch } = checkFlow('stream', options);
  const iterate = iteratorOf(source);
  return generate(() => open({ batch }), iterate, signal);
}

async function* generate(
  open: () => GruStream,
  iterate: () => StepIterator,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array, void, undefined> {
  signal?.throwIfAborted();
  const stream = open();
  const unlisten = whenAborted(signal, stream, disposeOf);
  let toClose: StepIterator | undefined;
  let failed = true;
  try {
    const iterator = iterate();
    for (;;) {
      // A source that threw, came to its end or was left waiting is not to be closed.
      toClose = undefined;
      signal?.throwIfAborted();
      const result = await orAborted(() => iterator.next(), signal, iterator);
      if (Object(result) !== result) throw notIterable(`next() gives ${describe(result)}`);
      const { done, value } = result;
      if (done) return;
      toClose = iterator;
      signal?.throwIfAborted();
      const stepped = stream.step(value);
      failed = false;
      yield stepped;
      failed = true;
      signal?.throwIfAborted();
    }
  } finally {
    unlisten();
    stream.dispose();
    const source = toClose;
    if (source) {
      await orAborted(() => close(source), signal).catch((error: unknown) => {
        // As in `for await`: what failed first is what is told.
        if (!failed && !signal?.aborted) throw error;
      });
    }
  }
}

/**
 * A result, or the signal's reason when that comes first: the source that is asked is closed then, without waiting for what it is
 * doing. Listens anew each time: promises that race one long-lived promise would pile up on it.
 */
async function orAborted<R>(
  ask: () => R | Promise<R>,
  signal: AbortSignal | undefined,
  source?: StepIterator,
): Promise<R> {
  if (!signal) return ask();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      if (source) close(source).catch(() => undefined);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as fetch does: whatever the caller gave
      reject(signal.reason);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  // The source may abort the signal and throw: then nobody waits for it.
  aborted.catch(() => undefined);
  try {
    // Listening by now: the source may abort the signal while it is asked.
    return await Promise.race([ask(), aborted]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}

/** A transform of steps into results. Its stream is freed when either side ends, is cancelled or aborted, or fails. */
export function transformSteps(
  open: (options: StreamOptions) => GruStream,
  options: FlowOptions,
): TransformStream<StepInput, Float32Array> {
  const { signal, batch } = checkFlow('transform', options);
  signal?.throwIfAborted();
  const stream = open({ batch });
  let unlisten: (() => void)[] = [];
  const close = () => {
    for (const stop of unlisten.splice(0)) stop();
    stream.dispose();
  };
  // TypeScript's DOM types do not know `cancel` yet.
  const transformer: Transformer<StepInput, Float32Array> & { cancel: () => void } = {
    start(controller) {
      unlisten = [whenAborted(signal, controller, fail), whenAborted(signal, stream, disposeOf)];
    },
    transform(x, controller) {
      try {
        controller.enqueue(stream.step(x));
      } catch (error) {
        close();
        throw error;
      }
    },
    flush: close,
    cancel: close,
  };
  return new TransformStream(transformer);
}

/**
 * Calls back with `target` when the signal aborts, unless it has been collected: a signal may live for long, and holds what
 * listens to it. The listener goes with its target;
 * `act` must be no closure of a scope that knows it.
 *
 * @returns Stops listening.
 */
function whenAborted<T extends object>(
  signal: AbortSignal | undefined,
  target: T,
  act: (target: T, signal: AbortSignal) => void,
): () => void {
  if (!signal) return () => undefined;
  const weak = new WeakRef(target);
  const listener = () => {
    const alive = weak.deref();
    if (alive) act(alive, signal);
  };
  signal.addEventListener('abort', listener, { once: true });
  const listening: Resource = {
    free() {
      signal.removeEventListener('abort', listener);
    },
  };
  freeWhenForgotten(target, listening);
  return () => {
    freeNow(listening);
  };
}

function disposeOf(stream: GruStream): void {
  stream.dispose();
}

function fail(controller: TransformStreamDefaultController, signal: AbortSignal): void {
  controller.error(signal.reason);
}

function checkFlow(where: string, options: FlowOptions): FlowOptions {
  const { batch, signal } = checkOptions(where, options, ['batch', 'signal']);
  if (batch !== undefined) checkCount(`${where}: batch`, batch);
  checkSignal(`${where}: signal`, signal);
  return { batch, signal };
}

function iteratorOf(source: StepSource): () => StepIterator {
  const candidate = source as Partial<Iterable<StepInput> & AsyncIterable<StepInput>> | null | undefined;
  if (typeof source === 'object' || typeof source === 'function') {
    for (const key of [Symbol.asyncIterator, Symbol.iterator] as const) {
      if (isRevoked(source)) break;
      const make: unknown = candidate?.[key];
      if (typeof make === 'function') return () => checkIterator(make.call(source));
    }
  }
  throw notIterable(`got ${describe(source)}`);
}

function checkIterator(iterator: unknown): StepIterator {
  if (typeof (iterator as Partial<StepIterator> | undefined)?.next === 'function') return iterator as StepIterator;
  throw notIterable(`its iterator is ${describe(iterator)}, without next()`);
}

/** Async, so that what `return` throws is a rejection too. */
async function close(iterator: StepIterator): Promise<void> {
  if (typeof iterator.return === 'function') await iterator.return();
}

function notIterable(why: string): GruError {
  return new GruError('invalid_argument', `stream: the source must be iterable; ${why}`);
}
