// The pool's worker, which dies before it has looked at a job.
import { parentPort, workerData } from 'node:worker_threads';
import { die } from './dying.mjs';

// Listeners are called in this order; one that came before the worker's own would take its first message alone.
const on = parentPort.on.bind(parentPort);
parentPort.on = (event, listener) => {
  on(event, die);
  return on(event, listener);
};
await import(workerData.script);
