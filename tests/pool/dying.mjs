import { workerData } from 'node:worker_threads';

const { dieAt, how } = workerData;
let jobs = 0;

/** Ends the worker at the job of this number. */
export function die(message) {
  if (!('job' in message) || ++jobs !== dieAt) return;
  if (how === 'exit') process.exit(7);
  if (how === 'throw') throw new Error('on purpose');
  const hog = [];
  for (;;) hog.push(new Array(1e5).fill(hog.length));
}
