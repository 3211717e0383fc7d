import { parentPort, workerData } from 'node:worker_threads';
import { countAllocations } from './memory.mjs';
import { inputsOf, tryInput } from './trial.mjs';

// Runs inputs `from` to `to` of a format; position[0] is the number of the input at work, position[1] says to stop.
const { format, from, to, seed, entry, position } = workerData;
const memory = countAllocations();
const api = await import(entry);
const inputs = await inputsOf(format, api, seed);
process.on('unhandledRejection', (error) => {
  throw error;
});

/** @type {Record<string, number>} */
let codes = {};
let done = 0;
let slowest = { ms: 0, index: 0 };
let largest = { memory: 0, index: 0 };
const report = () => {
  parentPort.postMessage({ done, codes, slowest, largest });
  codes = {};
  done = 0;
};
for (let i = from; i < to && position[1] === 0; i++) {
  position[0] = i;
  const input = inputs.input(i);
  const outcome = await tryInput(api, input, memory.take);
  done++;
  if (outcome.failure === undefined) codes[outcome.code] = (codes[outcome.code] ?? 0) + 1;
  else parentPort.postMessage({ failure: outcome.failure, index: i });
  if (outcome.ms > slowest.ms) slowest = { ms: outcome.ms, index: i };
  if (outcome.memory > largest.memory) largest = { memory: outcome.memory, index: i };
  if (done >= 500) report();
}
report();
parentPort.postMessage({ finished: true });
