import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { at, UserError } from '../lib.mjs';
import { inputsOf } from './trial.mjs';

/**
 * What became of a format's inputs.
 *
 * @typedef {object} Result
 * @property {string} format
 * @property {number} inputs
 * @property {Record<string, number>} codes how many were accepted, or refused with a code
 * @property {{ ms: number, index: number }} slowest
 * @property {{ memory: number, index: number }} largest
 * @property {{ index: number, failure: string, file: string }[]} failures
 * @property {number} seconds
 */

export const ENTRY = new URL('../../dist/index.js', import.meta.url).href;
/** Heap of the worker: what Node, the library and the seeds take, and 64 MB. */
const HEAP_MB = 128;
const HANG_MS = 120_000;
const MOST_FAILURES = 20;

/** Writes an input so that `--replay` can read it. */
async function save(/** @type {string} */ format, /** @type {number} */ seed, /** @type {number} */ index) {
  const { input } = await inputsOf(format, await import(ENTRY), seed);
  const json = JSON.stringify(input(index), (_, value) =>
    value instanceof Uint8Array || value instanceof Float32Array
      ? {
          type: value.constructor.name,
          base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
        }
      : value,
  );
  mkdirSync(join(tmpdir(), 'gru-wasm-fuzz'), { recursive: true });
  const file = join(mkdtempSync(join(tmpdir(), 'gru-wasm-fuzz', `${format}-`)), `${seed}-${index}.json`);
  writeFileSync(file, json);
  return file;
}

/** The input that `save` wrote. @returns {import('./seeds.mjs').Input} */
export function parseSaved(/** @type {string} */ json) {
  return JSON.parse(json, (_, value) => {
    if (typeof value?.base64 !== 'string') return value;
    const bytes = new Uint8Array(Buffer.from(value.base64, 'base64'));
    return value.type === 'Float32Array' ? new Float32Array(bytes.buffer) : bytes;
  });
}

/**
 * Runs a format's inputs in workers. One that crashes or hangs is a failure, and the next begins behind that input.
 *
 * @returns {Promise<Result>}
 */
export async function fuzz(
  /** @type {string} */ format,
  /** @type {{ count: number, seed: number, until: number, first?: number, progress?: (result: Result) => void }} */ options,
) {
  const { count, seed, until, first = 0, progress } = options;
  const start = performance.now();
  /** @type {Result} */
  const result = {
    format,
    inputs: 0,
    codes: {},
    slowest: { ms: 0, index: 0 },
    largest: { memory: 0, index: 0 },
    failures: [],
    seconds: 0,
  };
  const fail = async (/** @type {number} */ index, /** @type {string} */ failure) => {
    const file = await save(format, seed, index);
    result.failures.push({ index, failure, file });
    console.log(`\n${format}: input ${index} of seed ${seed}: ${failure}\n  replay: npm run fuzz -- --replay ${file}`);
  };
  for (let next = first; next < first + count && Date.now() < until && result.failures.length < MOST_FAILURES;) {
    const range = { format, seed, from: next, to: first + count };
    const { position, crash } = await work(range, until, async (message) => {
      if (message.failure !== undefined) return fail(message.index, message.failure);
      if (message.codes === undefined) return undefined;
      result.inputs += message.done;
      for (const [code, n] of Object.entries(message.codes)) result.codes[code] = (result.codes[code] ?? 0) + n;
      if (message.slowest.ms > result.slowest.ms) result.slowest = message.slowest;
      if (message.largest.memory > result.largest.memory) result.largest = message.largest;
      result.seconds = (performance.now() - start) / 1000;
      return progress?.(result);
    });
    if (crash === undefined) break;
    if (position < 0) throw new UserError(`${format}: the fuzzer itself failed: ${crash}`);
    result.inputs++;
    await fail(position, crash);
    next = position + 1;
  }
  result.seconds = (performance.now() - start) / 1000;
  return result;
}

/** One worker until its end. @returns {Promise<{ position: number, crash?: string }>} */
function work(
  /** @type {object} */ range,
  /** @type {number} */ until,
  /** @type {(message: any) => Promise<void> | void} */ onMessage,
) {
  const position = new Int32Array(new SharedArrayBuffer(8)).fill(-1, 0, 1);
  const worker = new Worker(at('scripts', 'fuzz', 'worker.mjs'), {
    workerData: { ...range, entry: ENTRY, position },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  return new Promise((resolve, reject) => {
    /** @type {Promise<void>} */
    let handled = Promise.resolve();
    let last = -1;
    let since = Date.now();
    const watch = setInterval(() => {
      if (Date.now() > until) position[1] = 1;
      if (position[0] !== last) [last, since] = [position[0], Date.now()];
      else if (last >= 0 && Date.now() - since > HANG_MS) end(`did not end within ${HANG_MS / 1000} s`);
    }, 250);
    const end = (/** @type {string | undefined} */ crash) => {
      clearInterval(watch);
      worker.removeAllListeners();
      const settle = () => ({ position: position[0], ...(crash !== undefined && { crash }) });
      void worker.terminate().then(() => handled.then(() => resolve(settle()), reject));
    };
    worker.on('message', (message) => {
      if (message.finished) end(undefined);
      else handled = handled.then(() => onMessage(message));
    });
    worker.on('error', (error) => end(`crashed: ${error.stack ?? error.message}`));
    worker.on('exit', (code) => end(`ended with code ${code}`));
  });
}
