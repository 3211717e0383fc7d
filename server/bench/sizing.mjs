import { parseArgs } from 'node:util';
import { table } from './record.mjs';

/**
 * How long steps take of how many live sequences, by simulation: steps arrive at random (Poisson), those of a window run as one batch on one thread, as core/batcher.ts does it. What a
 * batch and a step cost is measured by load.mjs (`processor a step`), and given here.
 */

const { values } = parseArgs({
  options: {
    'batch-us': { type: 'string', default: '100' },
    'step-us': { type: 'string', default: '10,20,40' },
    rates: { type: 'string', default: '1000,5000,10000,20000,40000,80000' },
    window: { type: 'string', default: '1' },
    'max-batch': { type: 'string', default: '1024' },
    seconds: { type: 'string', default: '60' },
  },
});
const numbers = (text) => text.split(',').map(Number);

/** The same arrivals each time. */
function generator() {
  let state = 1;
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) + 1) / (2 ** 32 + 1);
}

/** Milliseconds that 99 of 100 steps take at most, and the share of time that the thread works. */
function simulate(rate, batchMs, stepMs, window, maxBatch, milliseconds) {
  const random = generator();
  const arrivals = [];
  for (let at = 0; at < milliseconds;) arrivals.push((at += (-Math.log(random()) * 1000) / rate));
  const times = [];
  let [free, busy] = [0, 0];
  for (let next = 0; next < arrivals.length;) {
    const first = arrivals[next];
    const full = arrivals[next + maxBatch - 1] ?? Infinity;
    const start = Math.max(free, Math.min(first + window, full));
    let end = next;
    while (end < arrivals.length && end - next < maxBatch && arrivals[end] <= start) end++;
    const work = batchMs + (end - next) * stepMs;
    free = start + work;
    busy += work;
    for (; next < end; next++) times.push(free - arrivals[next]);
  }
  times.sort((a, b) => a - b);
  return { p99: times[Math.floor(times.length * 0.99)], load: busy / Math.max(free, milliseconds) };
}

const [batchMs, window, maxBatch] = [
  Number(values['batch-us']) / 1000,
  Number(values.window),
  Number(values['max-batch']),
];
const costs = numbers(values['step-us']);
const rows = numbers(values.rates).map((rate) => [
  rate.toLocaleString('en'),
  ...costs.map((cost) => {
    const { p99, load } = simulate(rate, batchMs, cost / 1000, window, maxBatch, Number(values.seconds) * 1000);
    // A queue that only grows has no quantile.
    return load > 0.995 ? 'too many' : `${p99.toFixed(1)} ms, ${(load * 100).toFixed(0)} %`;
  }),
]);
console.log(table(['steps a second', ...costs.map((cost) => `${cost} us a step`)], rows));
