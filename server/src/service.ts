import { GruError, type GruModel } from 'gru-wasm';
import { createPool, type GruPool } from 'gru-wasm/pool';
import { type StepEngine, StreamsEngine } from './core/engine.ts';
import { LiveSequences } from './core/live.ts';
import { serveModel, type ServedModel, type Tensors } from './core/model.ts';
import { RunBatcher } from './core/runs.ts';
import { keyOf, type Reply, type SequenceCall, type StepAnswer } from './core/sequence.ts';
import type { SequenceStore } from './core/store.ts';
import { ThreadEngine } from './core/thread-engine.ts';
import { ServeError } from './errors.ts';
import type { InferAnswer, InferRequest, InferTensor, Sequence } from './oip/messages.ts';

export interface ServiceOptions {
  /** Milliseconds that requests wait for others to run with. */
  window: number;
  maxBatch: number;
  /** Live sequences a model, and of one API key. */
  maxSequences: number;
  maxSequencesOfKey: number;
  /** Bytes that the states of a model's live sequences may take. */
  maxStateBytes: number;
  maxPending: number;
  /** Bytes of the numbers of an answer. */
  maxAnswer: number;
  /** Milliseconds after which a sequence without a request is dropped. */
  idleTimeout: number;
  /** Milliseconds that a request may take. */
  timeout: number;
  /** Threads for whole sequences, a model. */
  workers: number;
  /** Threads that hold live sequences, a model; 0: they are stepped in this one. */
  liveWorkers: number;
  /** Where the sequences of a model survive this instance. */
  store?: ((served: ServedModel) => Promise<SequenceStore>) | undefined;
  /** Steps between two writes of a sequence; 1: each batch is written before its answers go out. */
  storeEvery?: number | undefined;
  observe?: Observer | undefined;
}

/** Told of what happens, for metrics. */
export interface Observer {
  batch(model: string, kind: 'step' | 'run', size: number, milliseconds: number): void;
  /**
   * @param model Empty for one that there is not.
   * @param traceparent Of the caller, as it sent it.
   */
  request(model: string, outcome: string, milliseconds: number, traceparent?: string): void;
}

/** A step, or some, of a sequence. */
export interface StepRequest {
  call: SequenceCall;
  block: Tensors;
}

interface Host {
  served: ServedModel;
  pool: GruPool;
  runs: RunBatcher;
  /** Undefined for a model that does not stream, with why. */
  live: LiveSequences | undefined;
  why: string;
  store: SequenceStore | undefined;
}

/** Requests that one sequence may have waiting. */
const MAX_PENDING_OF_SEQUENCE = 64;

/** Models, and what clients ask of them: one for all transports. */
export class InferenceService {
  private readonly hosts: Map<string, Host>;
  private readonly options: ServiceOptions;
  private readonly sweeper: NodeJS.Timeout;
  private draining = false;

  private constructor(hosts: Map<string, Host>, options: ServiceOptions) {
    this.hosts = hosts;
    this.options = options;
    this.sweeper = setInterval(
      () => {
        for (const { live } of hosts.values()) void live?.sweep().catch(() => undefined);
      },
      Math.min(options.idleTimeout / 4, 10_000),
    );
    this.sweeper.unref();
  }

  /** @throws GruError of a model that cannot be run. */
  static async create(models: Record<string, GruModel>, options: ServiceOptions): Promise<InferenceService> {
    const hosts = new Map<string, Host>();
    for (const [name, model] of Object.entries(models)) hosts.set(name, await hostOf(serveModel(name, model), options));
    return new InferenceService(hosts, options);
  }

  get ready(): boolean {
    return !this.draining;
  }

  get models(): ServedModel[] {
    return [...this.hosts.values()].map(({ served }) => served);
  }

  /** Live sequences and waiting requests, by model. */
  *load(): Iterable<{ model: string; live: number; waiting: number }> {
    for (const [model, { live }] of this.hosts) yield { model, live: live?.live ?? 0, waiting: live?.waiting ?? 0 };
  }

  /** @throws ServeError `not_found`. */
  find(name: string, version?: string): ServedModel {
    return this.host(name, version).served;
  }

  /** @throws (as a rejection) ServeError. */
  async infer(owner: string, name: string, request: InferRequest, signal?: AbortSignal): Promise<InferAnswer> {
    const answer = async () => {
      const host = this.host(name);
      const { sequence } = request;
      const answer = sequence ? this.step(host, owner, request, sequence) : this.run(host, request);
      return within(this.options.timeout, answer, signal);
    };
    return this.answered(name, answer, request.traceparent);
  }

  /**
   * A step each of many sequences, answered when all of them have been: at the place of each its answer, or what it was refused for.
   *
   * @throws (as a rejection) ServeError for all of them.
   */
  async steps(name: string, asked: readonly StepRequest[]): Promise<(StepAnswer | ServeError)[]> {
    return this.answered(name, async () => within(this.options.timeout, stepAll(liveOf(this.host(name)), asked)));
  }

  /** Forgets a sequence that nobody will go on with. */
  release(owner: string, name: string, id: string): void {
    this.hosts.get(name)?.live?.release(owner, id);
  }

  /** Those whose ids begin so. */
  releaseAll(owner: string, name: string, prefix: string): void {
    this.hosts.get(name)?.live?.releaseAll(owner, prefix);
  }

  /** Takes no more requests, answers those there are, writes the states to the store, and ends. @throws (as a rejection) ServeError where the store does not take them: all has ended then too. */
  async close(): Promise<void> {
    this.draining = true;
    clearInterval(this.sweeper);
    const lost: unknown[] = [];
    for (const { live, pool, store } of this.hosts.values()) {
      await live?.close().catch((error: unknown) => lost.push(error));
      await pool.drain();
      await pool.close();
      await store?.close();
    }
    if (lost.length > 0) throw lost[0] as Error;
  }

  /** From now on not ready: load balancers send no more. */
  drain(): void {
    this.draining = true;
  }

  /** Answers a request and tells the observer of it. @throws (as a rejection) ServeError. */
  private async answered<T>(name: string, answer: () => Promise<T>, traceparent?: string): Promise<T> {
    const start = performance.now();
    let outcome = 'ok';
    try {
      if (this.draining) throw new ServeError('unavailable', 'the server is shutting down: ask another');
      return await answer();
    } catch (error) {
      const refusal = asServeError(error);
      outcome = refusal.reason;
      throw refusal;
    } finally {
      // A name that no model has would be a series of its own each time.
      const model = this.hosts.has(name) ? name : '';
      this.options.observe?.request(model, outcome, performance.now() - start, traceparent);
    }
  }

  private host(name: string, version?: string): Host {
    const host = this.hosts.get(name);
    if (!host) throw new ServeError('not_found', `there is no model ${name.slice(0, 100)}`);
    if (version === undefined || version === '' || version === host.served.version) return host;
    throw new ServeError(
      'not_found',
      `model ${name} has no version ${version.slice(0, 100)}, only ${host.served.version}`,
    );
  }

  private async step(host: Host, owner: string, request: InferRequest, sequence: Sequence): Promise<InferAnswer> {
    const { served } = host;
    const live = liveOf(host);
    checkAnswer(served, 1, request.inputs, this.options.maxAnswer);
    const block = Object.fromEntries(served.inputs.map(({ name }) => [name, request.inputs[name]!.data]));
    const { outputs, step, durableStep } = await live.submit(
      { ...sequence, owner, key: keyOf(owner, sequence.id) },
      block,
    );
    const tensors = served.outputs.map(({ name, hasSteps, shape, size }): [string, InferTensor] => {
      const data = outputs[name]!;
      return [
        name,
        {
          data,
          shape: [1, ...(hasSteps ? [data.length / size] : []), ...shape.slice(hasSteps ? 2 : 1)],
        },
      ];
    });
    const parameters = {
      sequence_step: step,
      ...(durableStep === undefined ? {} : { sequence_durable_step: durableStep }),
    };
    return {
      id: request.id,
      model: served,
      outputs: Object.fromEntries(tensors),
      parameters,
    };
  }

  private async run({ served, runs }: Host, { id, inputs }: InferRequest): Promise<InferAnswer> {
    const batch = Object.values(inputs)[0]!.shape[0]!;
    checkAnswer(served, batch, inputs, this.options.maxAnswer);
    const { outputs } = await runs.submit({ batch, inputs });
    return { id, model: served, outputs, parameters: {} };
  }
}

/**
 * Sequences without a step cost no byte of a request, and ids two: what is answered is bounded by itself.
 *
 * @throws ServeError
 */
function checkAnswer(served: ServedModel, batch: number, inputs: InferRequest['inputs'], maxAnswer: number): void {
  // One without a step is something to do, and has a row of its own in memory.
  const steps = Math.max(...served.inputs.map(({ name, hasSteps }) => (hasSteps ? inputs[name]!.shape[1]! : 1)), 1);
  const numbers = served.outputs.reduce((sum, { hasSteps, size }) => sum + batch * (hasSteps ? steps : 1) * size, 0);
  if (numbers * Float32Array.BYTES_PER_ELEMENT <= maxAnswer) return;
  throw new ServeError(
    'too_large',
    `the answer would be ${numbers} numbers, and --max-body is ${maxAnswer} bytes: ask for it in parts`,
  );
}

/** @throws ServeError for a model that does not stream. */
function liveOf({ served, live, why }: Host): LiveSequences {
  if (live) return live;
  throw new ServeError('bad_request', `model ${served.name} runs whole sequences only: ${why}`);
}

function stepAll(live: LiveSequences, asked: readonly StepRequest[]): Promise<(StepAnswer | ServeError)[]> {
  return new Promise((resolve) => {
    const answers: (StepAnswer | ServeError)[] = [];
    let left = asked.length;
    const reply: Reply = (place, answer, error) => {
      answers[place] = answer ?? asServeError(error);
      if (--left === 0) resolve(answers);
    };
    asked.forEach(({ call, block }, place) => {
      try {
        live.ask(call, block, reply, place);
      } catch (error) {
        reply(place, undefined, error);
      }
    });
  });
}

async function hostOf(served: ServedModel, options: ServiceOptions): Promise<Host> {
  const { window, maxBatch, maxPending, timeout, workers, observe } = options;
  const { name, model, stateBytes } = served;
  const pool = await createPool(model, { workers });
  const runs = new RunBatcher(served, pool, {
    window,
    maxBatch,
    maxPending,
    timeout,
    onBatch: (size, ms) => observe?.batch(name, 'run', size, ms),
  });
  const maxSequences = Math.max(
    1,
    Math.min(options.maxSequences, Math.floor(options.maxStateBytes / (stateBytes || 1))),
  );
  const store = model.streamable ? await options.store?.(served) : undefined;
  let live: LiveSequences | undefined;
  let why = '';
  try {
    live = new LiveSequences(served, enginesOf(served, options.liveWorkers, maxSequences), {
      window,
      maxBatch,
      maxSequences,
      maxSequencesOfOwner: options.maxSequencesOfKey,
      maxPending,
      maxPendingOfSequence: MAX_PENDING_OF_SEQUENCE,
      idleTimeout: options.idleTimeout,
      store,
      storeEvery: options.storeEvery,
      onBatch: (size, ms) => observe?.batch(name, 'step', size, ms),
    });
  } catch (error) {
    if (!(error instanceof GruError && error.code === 'not_streamable')) throw error;
    why = error.message;
  }
  return { served, pool, runs, live, why, store };
}

/** @throws GruError `not_streamable`. */
function enginesOf(served: ServedModel, threads: number, maxSequences: number): StepEngine[] {
  if (threads === 0) return [new StreamsEngine(served, maxSequences)];
  served.model.createStreams(1).dispose();
  return Array.from({ length: threads }, () => new ThreadEngine(served, maxSequences));
}

/** @throws (as a rejection) ServeError `timeout`; the signal's reason. What was asked for goes on: its turn may have come. */
async function within<T>(milliseconds: number, work: Promise<T>, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new ServeError('timeout', `no answer within ${milliseconds} ms`));
    }, milliseconds);
    onAbort = () => {
      reject(new ServeError('timeout', 'the client has gone'));
    };
    signal?.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}

const GRU_REASONS = {
  invalid_argument: 'bad_request',
  shape_mismatch: 'bad_request',
  dtype_mismatch: 'bad_request',
  id_out_of_range: 'bad_request',
  not_streamable: 'bad_request',
  unsupported: 'bad_request',
  out_of_memory: 'unavailable',
  queue_full: 'unavailable',
  worker_lost: 'unavailable',
  disposed: 'unavailable',
  timeout: 'timeout',
} as const;

/** What a client is told of an error: of one of our own its message, of another nothing. */
export function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  if (error instanceof GruError && error.code in GRU_REASONS) {
    return new ServeError(GRU_REASONS[error.code as keyof typeof GRU_REASONS], error.message, { cause: error });
  }
  return new ServeError('internal', 'the server failed', { cause: error });
}
