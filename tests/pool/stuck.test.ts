import type { GruModel } from 'gru-wasm';
import { createPool } from 'gru-wasm/pool';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { numbers, plain, SIZE } from './models.ts';
import { sourceWorker } from './source.ts';

let model: GruModel;
beforeAll(async () => {
  model = await plain({}, 128);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const batch = (seed: number) => ({ data: numbers(16 * 50 * SIZE, seed), shape: [16, 50, SIZE] });

/** Its first worker misbehaves, those after it do not. */
async function misbehaving(how: string, workers = 1) {
  const made: Worker[] = [];
  const pool = await createPool(model, {
    workers,
    createWorker: () => {
      const worker = sourceWorker('./misbehaving.mjs', { how: made.length === 0 ? how : '' });
      made.push(worker);
      return worker;
    },
  });
  return { pool, made };
}

describe.each([
  ['', SharedArrayBuffer],
  [', without shared memory', undefined],
])('a worker that does what it should not%s', (_, memory) => {
  test.each(['stuck before it looks at its job', 'stuck when it has taken its job'])('%s: replaced', async (how) => {
    vi.stubGlobal('SharedArrayBuffer', memory);
    const { pool, made } = await misbehaving(how);
    await pool.run(batch(1));
    const enough = new AbortController();
    const given = pool.run(batch(2), { signal: enough.signal });
    await new Promise(setImmediate);
    // These wait behind it, without a limit of their own.
    const behind = [3, 4, 5].map((seed) => pool.run(batch(seed)));
    enough.abort();
    await expect(given).rejects.toMatchObject({ name: 'AbortError' });
    expect(await Promise.all(behind)).toEqual([3, 4, 5].map((seed) => model.run(batch(seed))));
    expect(made).toHaveLength(2);
    await pool.close();
  });

  test.each([
    'answers null',
    'answers a number',
    'answers an answer without an id',
    'answers another job',
    'answers too few arrays',
    'answers arrays of a wrong size',
    'answers with strings',
    'answers without results',
    'fails without a code',
    'says that it failed to start',
    'skips what was not taken back',
    'starts another job',
    'starts a job twice',
    'ends with code 0',
  ])('%s: replaced, and its work is done again', async (how) => {
    vi.stubGlobal('SharedArrayBuffer', memory);
    const { pool, made } = await misbehaving(how);
    for (const seed of [1, 2, 3]) expect(await pool.run(batch(seed))).toEqual(model.run(batch(seed)));
    expect(made).toHaveLength(2);
    await pool.close();
  });
});

test('calls that are given up one after the other leave a healthy worker where it is', async () => {
  const { pool, made } = await misbehaving('');
  // However long a worker takes for what nobody waits for: here that is never the second after which it is replaced.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  for (let i = 0; i < 50; i++) {
    const enough = new AbortController();
    const given = pool.run(batch(i), { signal: enough.signal });
    if (i % 2) await new Promise(setImmediate);
    enough.abort();
    await expect(given).rejects.toMatchObject({ name: 'AbortError' });
  }
  expect(await pool.run(batch(1))).toEqual(model.run(batch(1)));
  expect(made).toHaveLength(1);
  await pool.close();
});

describe('workers that do not start', () => {
  const mute = 'setInterval(() => {}, 1000)';

  test.each<[string, () => Worker, string]>([
    ['are mute', () => new Worker(mute, { eval: true }), 'timeout'],
    ['are stuck', () => new Worker('for (;;);', { eval: true }), 'timeout'],
    ['have ended before', () => ended(), 'timeout'],
    ['end with code 0', () => new Worker('process.exit(0)', { eval: true }), 'worker_lost'],
    ['are none', () => Object.create(null) as Worker, 'worker_lost'],
    ['are a promise of one', () => Promise.resolve() as unknown as Worker, 'worker_lost'],
    [
      'send something else',
      () => new Worker('require("worker_threads").parentPort.postMessage(1)', { eval: true }),
      'worker_lost',
    ],
  ])('%s: createPool rejects and leaves none', async (_, make, code) => {
    const exits: Promise<unknown>[] = [];
    const createWorker = () => {
      const worker = make();
      if (worker instanceof Worker && worker.threadId > 0)
        exits.push(new Promise((resolve) => worker.on('exit', resolve)));
      return worker;
    };
    const pending = createPool(model, { workers: 2, startTimeout: code === 'timeout' ? 200 : 1e9, createWorker });
    await expect(pending).rejects.toMatchObject({ name: 'GruError', code });
    await Promise.all(exits);
  });

  const gone = new Worker('', { eval: true });
  const goneNow = new Promise((resolve) => gone.on('exit', resolve));
  const ended = () => gone;
  beforeAll(async () => {
    await goneNow;
  });

  test('the error says what to do', async () => {
    const createWorker = () => new Worker(mute, { eval: true });
    await expect(createPool(model, { workers: 1, startTimeout: 50, createWorker })).rejects.toThrow(
      /did not answer its start for 50 ms.*gru-wasm\/pool-worker.*startTimeout/,
    );
  });

  test('are ended while they start: others take their place', async () => {
    let made = 0;
    const pool = await createPool(model, {
      workers: 2,
      createWorker: () => {
        const worker = sourceWorker();
        if (made++ < 2) void worker.terminate();
        return worker;
      },
    });
    expect(made).toBe(4);
    expect(await pool.run(batch(1))).toEqual(model.run(batch(1)));
    await pool.close();
  });
});

test('a worker whose core has died fails that job, and goes on with a new core', async () => {
  const { pool, made } = await misbehaving('ruins the memory of its core');
  await pool.run(batch(1));
  await expect(pool.run(batch(2))).rejects.toMatchObject({ code: 'internal' });
  for (const seed of [3, 4]) expect(await pool.run(batch(seed))).toEqual(model.run(batch(seed)));
  expect(made).toHaveLength(1);
  await pool.close();
});

test('a successor that cannot start does not end the pool', async () => {
  const made: Worker[] = [];
  const hows = ['', 'ends with code 0', 'cannot start', 'cannot start'];
  const pool = await createPool(model, {
    workers: 2,
    createWorker: () => {
      const worker = sourceWorker('./misbehaving.mjs', { how: hows[made.length] ?? '' });
      made.push(worker);
      return worker;
    },
  });
  for (const seed of [1, 2, 3, 4]) expect(await pool.run(batch(seed))).toEqual(model.run(batch(seed)));
  await vi.waitFor(() => {
    expect(made).toHaveLength(5);
  }, 60_000);
  for (const seed of [5, 6]) expect(await pool.run(batch(seed))).toEqual(model.run(batch(seed)));
  await pool.close();
});
