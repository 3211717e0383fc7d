import type { Answer, Failure, FromWorker, Job, Start, ToWorker } from './messages.ts';

/** A worker that runs `gru-wasm/pool-worker`: one of `node:worker_threads`, or a Web Worker made with `type: 'module'`. */
export interface PoolWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): unknown;
}

interface NodeWorker extends PoolWorker {
  on(event: 'message', listener: (message: FromWorker) => void): unknown;
  on(event: 'error' | 'messageerror', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  ref(): void;
  unref(): void;
}

/** What comes from a worker. After `died` nothing does. */
export interface WorkerEvents {
  ready(): void;
  answered(answer: Answer): void;
  failed(failure: Failure): void;
  died(why: string): void;
}

let locks = 0;

/** A worker of either kind, with one notion of its death. */
export class WorkerHandle {
  private readonly worker: PoolWorker;
  private readonly events: WorkerEvents;
  private readonly locking = new AbortController();
  private dead = false;
  private why = 'it ended';

  constructor(worker: PoolWorker, start: Omit<Start, 'lock'>, events: WorkerEvents) {
    this.worker = worker;
    this.events = events;
    let lock: string | undefined;
    if (isNode(worker)) this.listenInNode(worker);
    else lock = this.listenInBrowser(worker as Worker);
    this.post({ start: { ...start, lock } }, []);
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

  /** Ends the worker; no event comes of it. */
  async terminate(): Promise<void> {
    this.dead = true;
    this.locking.abort();
    await this.worker.terminate();
  }

  private post(message: ToWorker, transfer: ArrayBuffer[]): void {
    this.worker.postMessage(message, transfer);
  }

  private receive(message: FromWorker): void {
    if (this.dead) return;
    if ('answer' in message) this.events.answered(message.answer);
    else if ('failure' in message) this.events.failed(message.failure);
    else this.events.ready();
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
    const { locks: manager } = navigator as { locks?: LockManager };
    const lock = manager && `gru-wasm-pool-${performance.timeOrigin}-${Math.random()}-${locks++}`;
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      // The worker has its lock before it starts the backend.
      if (manager && lock !== undefined && 'ready' in data) this.watch(manager, lock);
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
    manager
      .request(lock, { signal: this.locking.signal }, () => {
        this.die(this.why);
      })
      .catch(() => undefined);
  }
}

function isNode(worker: PoolWorker): worker is NodeWorker {
  return 'on' in worker && 'unref' in worker;
}
