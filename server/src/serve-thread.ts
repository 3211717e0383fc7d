import { parentPort, workerData } from 'node:worker_threads';
import { failure } from 'gru-wasm/command';
import type { ServeOptions } from './options.ts';
import { startServer } from './serve.ts';

/** What ends a command: classes of errors do not come out of a thread. */
export interface Failure {
  exit: number;
  line: string;
}

const port = parentPort!;

try {
  const server = await startServer(workerData as ServeOptions);
  port.once('message', () => {
    server.close().catch((error: unknown) => {
      port.postMessage(failure(error) satisfies Failure);
    });
  });
} catch (error) {
  port.postMessage(failure(error) satisfies Failure);
}
