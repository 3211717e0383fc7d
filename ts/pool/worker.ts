import { GruError } from '../base/errors.ts';
import { describe } from '../base/tensor.ts';
import {
  type Answer,
  type Failure,
  type FromWorker,
  type Job,
  readMessage,
  type Start,
  type ToWorker,
} from './messages.ts';

/** A worker that runs `gru-wasm/pool-worker`: one of `node:worker_threads`, or a Web Worker made with `type: 'module'`. */
export interface PoolWorker {
  /** Sends to the worker. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Ends it. */
  terminate(): unknown;
}

interface NodeWorker extends PoolWorker {
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'online', listener: () => void): unknown;
  on(event: 'error' | 'messageerror', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  ref(): void;
  unref(): void;
}

/** What comes from a worker. After `died` nothing does. */
export interface WorkerEvents {
  /** Its thread runs; only Node tells. */
  online(): void;
  ready(): void;
  /** It starts a job. @returns Whether it was to say so. */
  started(id: number): boolean;
  /** @returns Whether there is such a job, and the answer fits it. */
  answered(answer: Answer): boolean;
  failed(failure: Failure): boolean;
  /** It has come to a job that was taken back. */
  skipped(id: number): boolean;
  died(why: string): void;
}

let locks = 0;

/** A worker of either kind, with one notion of its death. */
export class WorkerHandle {
  private readonly worker: PoolWorker;
  private readonly events: WorkerEvents;
  private readonly locking = new AbortController();
  private dead = false;
  private watching = false;
  private why = 'it ended';

  constructor(worker: PoolWorker, start: Omit<Start, 'lock'>, events: WorkerEvents) {
    this.worker = worker;
    this.events = events;
    let lock: string | undefined;
    try {
      if (isNode(worker)) this.listenInNode(worker);
      else lock = this.listenInBrowser(worker as Worker);
      this.post({ start: { ...start, lock } }, []);
    } catch (error) {
      void this.terminate();
      throw error;
    }
  }

  run(job: Job): void {
    const buffers = [...job.inputs, ...job.initial].map((data) => data?.buffer);
    const transfer = buffers.filter((buffer) => buffer instanceof ArrayBuffer);
    this.post({ job }, transfer);
  }

  /** Whether the worker keeps a Node process alive. */
  keepAlive(yes: boolean): void {
    if (!isNode(this.worker)) return;
    if (yes) this.worker.ref();
    else this.worker.unref();
  }

  /** Ends the worker; no event comes of it. What `createWorker` made may not know how: there is nothing else to do then. */
  async terminate(): Promise<void> {
    this.dead = true;
    this.locking.abort();
    try {
      await this.worker.terminate();
    } catch {
      return;
    }
  }

  private post(message: ToWorker, transfer: ArrayBuffer[]): void {
    this.worker.postMessage(message, transfer);
  }

  private receive(given: unknown): void {
    if (this.dead) return;
    const message = readMessage(given);
    if (!message || !this.handle(message)) this.die('it sent what gru-wasm/pool-worker of this version does not send');
  }

  private handle(message: FromWorker): boolean {
    if ('answer' in message) return this.events.answered(message.answer);
    if ('failure' in message) return this.events.failed(message.failure);
    if ('started' in message) return this.events.started(message.started);
    if ('skipped' in message) return this.events.skipped(message.skipped);
    this.events.ready();
    return true;
  }

  private die(why: string): void {
    if (this.dead) return;
    void this.terminate();
    this.events.died(why);
  }

  private listenInNode(worker: NodeWorker): void {
    worker.on('message', (message) => {
      this.receive(message);
    });
    worker.on('online', () => {
      if (!this.dead) this.events.online();
    });
    // 'exit' follows.
    worker.on('error', (error) => {
      this.why = String(error);
    });
    worker.on('messageerror', (error) => {
      this.die(String(error));
    });
    worker.on('exit', (code) => {
      this.die(`${this.why} (exit code ${code})`);
    });
  }

  /** No event tells of a worker that is gone, but its lock becomes free (in secure contexts, which alone have locks). */
  private listenInBrowser(worker: Worker): string | undefined {
    const manager = (globalThis.navigator as { locks?: LockManager } | undefined)?.locks;
    const lock = manager && `gru-wasm-pool-${performance.timeOrigin}-${Math.random()}-${locks++}`;
    worker.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      // The worker has its lock before it starts the backend, and so before its first message.
      if (manager && lock !== undefined && !this.watching) this.watch(manager, lock);
      this.receive(data);
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.die(event.message || 'its script could not be loaded');
    });
    worker.addEventListener('messageerror', () => {
      this.die('a message could not be read');
    });
    return lock;
  }

  private watch(manager: LockManager, lock: string): void {
    this.watching = true;
    manager
      .request(lock, { signal: this.locking.signal }, () => {
        this.die(this.why);
      })
      .catch(() => undefined);
  }
}

/** @throws GruError `worker_lost` for what `createWorker` returned and is no worker. */
export function checkWorker(made: unknown): PoolWorker {
  const has = (method: string) => typeof (made as Record<string, unknown> | undefined)?.[method] === 'function';
  if (made !== null && has('postMessage') && has('terminate') && (has('on') || has('addEventListener'))) {
    return made as PoolWorker;
  }
  throw new GruError('worker_lost', `createPool: createWorker must return a worker, got ${describe(made)}`);
}

function isNode(worker: PoolWorker): worker is NodeWorker {
  return 'on' in worker && 'unref' in worker;
}
