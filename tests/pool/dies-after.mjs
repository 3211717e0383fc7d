// The pool's worker, which dies when it has answered a job.
import { parentPort, workerData } from 'node:worker_threads';
import { die } from './dying.mjs';

await import(workerData.script);
parentPort.on('message', die);
