// The pool's worker, which waits at a gate when it has taken a job: the job is started, and does not end before the gate is open.
import { workerData } from 'node:worker_threads';

const { compareExchange } = Atomics;
Atomics.compareExchange = (ticket, index, expected, replacement) => {
  const found = compareExchange(ticket, index, expected, replacement);
  if (found === expected) Atomics.wait(workerData.gate, 0, 0);
  return found;
};
await import(workerData.script);
