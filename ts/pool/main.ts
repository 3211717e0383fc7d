import { builtin } from '../base/host.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { Runner, toFailure } from './runner.ts';
import { claim } from './ticket.ts';

interface Port {
  postMessage(message: FromWorker, transfer: ArrayBuffer[]): void;
}

const parent = builtin('node:worker_threads')?.parentPort;
const port: Port = parent ?? (globalThis as unknown as Port);
let runner: Runner | undefined;

async function receive(message: ToWorker): Promise<void> {
  if ('job' in message) {
    const { job } = message;
    if (!job.ticket) port.postMessage({ started: job.id }, []);
    else if (!claim(job.ticket, job.id)) {
      port.postMessage({ skipped: job.id }, []);
      return;
    }
    try {
      const answer = runner!.run(job);
      port.postMessage(
        { answer },
        (answer.results ?? []).map(({ buffer }) => buffer as ArrayBuffer),
      );
    } catch (error) {
      port.postMessage({ failure: toFailure(error, job.id) }, []);
    }
    return;
  }
  const { lock } = message.start;
  try {
    // Held for ever: that it can be had is how others know that this worker is gone. Browsers have no event for that.
    if (lock !== undefined) {
      await new Promise<void>((resolve) => {
        void navigator.locks.request(lock, () => {
          resolve();
          return new Promise(() => undefined);
        });
      });
    }
    runner = Runner.start(message.start);
    port.postMessage({ ready: true }, []);
  } catch (error) {
    port.postMessage({ failure: toFailure(error) }, []);
  }
}

/** The script of a pool's workers, in Node and in browsers: begins to listen for work. */
export function serve(): void {
  if (parent) parent.on('message', (message: ToWorker) => void receive(message));
  else addEventListener('message', ({ data }: MessageEvent<ToWorker>) => void receive(data));
}
