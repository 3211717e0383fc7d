import { GruError } from './errors.ts';
import type { StreamOptions } from './model.ts';
import type { StepInput } from './step.ts';
import type { GruStream } from './stream.ts';
import { checkOptions, describe } from './tensor.ts';

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
  const { signal, ...rest } = checkFlow('stream', options);
  const iterate = iteratorOf(source);
  return generate(() => open(rest), iterate, signal);
}

async function* generate(
  open: () => GruStream,
  iterate: () => StepIterator,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array, void, undefined> {
  signal?.throwIfAborted();
  const stream = open();
  const dispose = () => {
    stream.dispose();
  };
  signal?.addEventListener('abort', dispose, { once: true });
  let toClose: StepIterator | undefined;
  try {
    const iterator = iterate();
    for (;;) {
      // A source that threw, came to its end or was left waiting is not to be closed.
      toClose = undefined;
      const { done, value } = await orAborted(iterator.next(), signal, iterator);
      if (done) return;
      toClose = iterator;
      signal?.throwIfAborted();
      yield stream.step(value);
      signal?.throwIfAborted();
    }
  } finally {
    signal?.removeEventListener('abort', dispose);
    dispose();
    await toClose?.return?.();
  }
}

/**
 * A result, or the signal's reason when that comes first: the source is closed then, without waiting for what it is doing.
 * Listens anew each time: promises that race one long-lived promise would pile up on it.
 */
async function orAborted<R>(result: R | Promise<R>, signal: AbortSignal | undefined, source: StepIterator): Promise<R> {
  if (!signal) return result;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      Promise.resolve(source.return?.()).catch(() => undefined);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as fetch does: whatever the caller gave
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}

/** A transform of steps into results. Its stream is freed when either side ends, is cancelled or aborted, or fails. */
export function transformSteps(
  open: (options: StreamOptions) => GruStream,
  options: FlowOptions,
): TransformStream<StepInput, Float32Array> {
  const { signal, ...rest } = checkFlow('transform', options);
  signal?.throwIfAborted();
  const stream = open(rest);
  let abort: () => void;
  const close = () => {
    signal?.removeEventListener('abort', abort);
    stream.dispose();
  };
  // TypeScript's DOM types do not know `cancel` yet.
  const transformer: Transformer<StepInput, Float32Array> & { cancel: () => void } = {
    start(controller) {
      abort = () => {
        close();
        controller.error(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
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

function checkFlow(where: string, options: FlowOptions): FlowOptions {
  checkOptions(where, options, ['batch', 'signal']);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new GruError('invalid_argument', `${where}: signal must be an AbortSignal, got ${describe(signal)}`);
  }
  return options;
}

function iteratorOf(source: StepSource): () => StepIterator {
  const candidate = Object(source) as Partial<Iterable<StepInput> & AsyncIterable<StepInput>>;
  if (typeof source !== 'string' && typeof candidate[Symbol.asyncIterator] === 'function') {
    return () => candidate[Symbol.asyncIterator]!();
  }
  if (typeof source !== 'string' && typeof candidate[Symbol.iterator] === 'function') {
    return () => candidate[Symbol.iterator]!();
  }
  throw new GruError('invalid_argument', `stream: the source must be iterable, got ${describe(source)}`);
}
