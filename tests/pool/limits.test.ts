import { getEventListeners } from 'node:events';
import type { GruModel } from 'gru-wasm';
import { createPool, type PoolOptions } from 'gru-wasm/pool';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { numbers, plain, SIZE } from './models.ts';
import { sourceWorker } from './source.ts';

let model: GruModel;
beforeAll(async () => {
  model = await plain({}, 256);
});

afterEach(() => {
  vi.useRealTimers();
});

/** Work that is shared out. */
const big = () => ({ data: numbers(16 * 50 * SIZE), shape: [16, 50, SIZE] });
const one = () => numbers(50 * SIZE);

/**
 * A pool that counts what its workers are given, and what they have done. The first so many of them wait, at each job that they have taken, until the gate is
 * opened: how long a job takes depends on nothing else then.
 */
async function counting(options: PoolOptions, gated = 0) {
  const counts = { jobs: 0, workers: 0 };
  /** Ids of jobs: 1, 2, ... in the order in which workers were given them. */
  const answered: number[] = [];
  const gate = new Int32Array(new SharedArrayBuffer(4));
  /** The tickets of jobs, which a worker that starts one takes. */
  const tickets: Int32Array[] = [];
  const pool = await createPool(model, {
    ...options,
    createWorker: () => {
      counts.workers++;
      const worker = counts.workers > gated ? sourceWorker() : sourceWorker('./gated.mjs', { gate });
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: { job?: { ticket: Int32Array } }, transfer) => {
        if (message.job) tickets[counts.jobs++] = message.job.ticket;
        post(message, transfer);
      };
      worker.on('message', (message: { answer?: { id: number } }) => {
        if (message.answer) answered.push(message.answer.id);
      });
      return worker;
    },
  });
  /** A worker has started the job of this id. */
  const started = (id: number) =>
    vi.waitUntil(() => Atomics.load(tickets[id - 1]!, 0) !== id, { timeout: 200_000, interval: 1 });
  const open = () => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  return { pool, counts, answered, started, open };
}

/** The pool's clocks stand still but for what a test lets pass: it ends no worker for being slow, and no call. */
const stopClocks = () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
};

test('small work stays on this thread, large work is shared out, several calls are not split', async () => {
  const { pool, counts } = await counting({ workers: 2 });
  expect((await pool.run(numbers(SIZE))).output.shape).toEqual([1, 256]);
  expect(counts.jobs).toBe(0);
  await pool.run(big());
  expect(counts.jobs).toBe(2);
  await Promise.all([pool.run(big()), pool.run(big())]);
  expect(counts.jobs).toBe(4);
  await pool.run(one());
  expect(counts.jobs).toBe(5);
  await pool.close();
});

test('a full queue rejects, ready waits', async () => {
  const { pool } = await counting({ workers: 2, maxQueue: 3 });
  const calls = Array.from({ length: 7 }, () => pool.run(big()));
  const results = await Promise.allSettled(calls);
  expect(results.map(({ status }) => status)).toEqual([...Array<string>(5).fill('fulfilled'), 'rejected', 'rejected']);
  await expect(calls[6]).rejects.toMatchObject({ name: 'GruError', code: 'queue_full' });

  let most = 0;
  const produced: Promise<unknown>[] = [];
  for (let i = 0; i < 20; i++) {
    await pool.ready;
    produced.push(pool.run(big()));
    most = Math.max(most, pool.queued);
  }
  await Promise.all(produced);
  expect(most).toBe(3);
  await pool.close();
});

test('a call that waits for a busy worker is one of the queue', async () => {
  const { pool, counts, answered, started, open } = await counting({ workers: 1, maxQueue: 2 }, 1);
  const calls = [pool.run(big()), pool.run(big()), pool.run(big())];
  await new Promise(setImmediate);
  await started(1);
  expect({ jobs: counts.jobs, queued: pool.queued }).toEqual({ jobs: 2, queued: 2 });
  await expect(pool.run(big())).rejects.toMatchObject({ code: 'queue_full' });
  open();
  await pool.ready;
  calls.push(pool.run(big()));
  await Promise.all(calls);
  expect(answered).toEqual([1, 2, 3, 4]);
  await pool.close();
});

test('what waits for a busy worker goes to one that is idle', async () => {
  const { pool, counts, answered, open } = await counting({ workers: 2 }, 1);
  const done: string[] = [];
  const run = async (name: string) => {
    await pool.run(big());
    done.push(name);
  };
  // One worker has the first and the third of them, the other has the second and the fourth.
  const long = run('long');
  await Promise.all(['second', 'third', 'fourth'].map(run));
  open();
  await long;
  expect(done).toEqual(['second', 'fourth', 'third', 'long']);
  expect(counts.jobs).toBe(5);
  expect(answered).toEqual([2, 4, 5, 1]);
  await pool.close();
});

test('a thread that is busy with the answers still comes to its timers', async () => {
  const { pool } = await counting({ workers: 2 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const produce = async () => {
    for (let round = 0; round < 16; round++) {
      await pool.run(one());
      // Longer than a worker takes for the next one.
      for (const done = performance.now() + 20; performance.now() < done;);
    }
  };
  await Promise.all(Array.from({ length: 6 }, produce));
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(10);
  await pool.close();
});

test('calls that share a signal share a listener, and leave none behind', async () => {
  const pool = await createPool(model, { workers: 1, createWorker: () => sourceWorker() });
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from({ length: 20 }, () => pool.run(big(), { signal }));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await Promise.all(calls);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  const [reason, more] = [new Error('enough'), Array.from({ length: 20 }, () => pool.run(big(), { signal }))];
  controller.abort(reason);
  for (const { status, ...rest } of await Promise.allSettled(more))
    expect([status, rest]).toEqual(['rejected', { reason }]);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await pool.close();
});

test('abort: before, in the queue, and at work; the pool goes on', async () => {
  const { pool, counts, answered, started, open } = await counting({ workers: 1 }, 1);
  const reason = new Error('enough');
  await expect(pool.run(big(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(counts.jobs).toBe(0);

  const [atWork, queued] = [new AbortController(), new AbortController()];
  const first = pool.run(big(), { signal: atWork.signal });
  const second = pool.run(big(), { signal: queued.signal });
  const third = pool.run(big());
  await new Promise(setImmediate);
  await started(1);
  stopClocks();
  queued.abort(reason);
  await expect(second).rejects.toBe(reason);
  atWork.abort(reason);
  await expect(first).rejects.toBe(reason);
  open();
  expect(await third).toEqual(model.run(big()));
  // All were given to the worker; it did not start the second.
  expect(counts).toEqual({ jobs: 3, workers: 1 });
  expect(answered).toEqual([1, 3]);
  await pool.close();
});

test('a timeout rejects; the pool goes on', async () => {
  const { pool, counts, open } = await counting({ workers: 1 }, 1);
  stopClocks();
  const late = pool.run(big(), { timeout: 5 });
  const settled = vi.fn();
  late.then(settled, settled);
  await new Promise(setImmediate);
  vi.advanceTimersByTime(4);
  await new Promise(setImmediate);
  expect(settled).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  await expect(late).rejects.toMatchObject({ name: 'GruError', code: 'timeout' });
  open();
  expect(await pool.run(big(), { timeout: 1e9 })).toEqual(model.run(big()));
  expect(counts.workers).toBe(1);
  await pool.close();
});

test('drain waits for all; close rejects what is left, and is idempotent', async () => {
  const { pool } = await counting({ workers: 2 });
  await pool.drain();
  let done = 0;
  for (let i = 0; i < 6; i++) void pool.run(big()).then(() => done++);
  await pool.drain();
  expect(done).toBe(6);

  const left = Array.from({ length: 4 }, () => pool.run(big()));
  const settled = Promise.allSettled(left);
  await pool.close();
  await pool.close();
  for (const result of await settled) expect(result).toMatchObject({ reason: { name: 'GruError', code: 'disposed' } });
  await expect(pool.run(big())).rejects.toMatchObject({ code: 'disposed' });
  await pool.drain();
  await pool.ready;
});

test('bad options and models are refused', async () => {
  for (const options of [{ workers: 0 }, { workers: 1.5 }, { maxQueue: -1 }, { threads: 2 }, { createWorker: 3 }]) {
    await expect(createPool(model, options as PoolOptions)).rejects.toMatchObject({ code: 'invalid_argument' });
  }
  await expect(createPool({} as unknown as GruModel)).rejects.toMatchObject({ code: 'invalid_argument' });
  const { pool } = await counting({ workers: 1 });
  await expect(pool.run(big(), { timeout: 0 })).rejects.toThrow(/timeout must be/);
  await expect(pool.run(big(), { signal: 3 as unknown as AbortSignal })).rejects.toThrow(/signal must be/);
  await expect(pool.run(big(), { steps: 3 } as object)).rejects.toThrow(/unknown option 'steps'/);
  await expect(pool.run(big(), { out: {} } as object)).rejects.toThrow(/unknown option 'out'/);
  await pool.close();

  const gone = await plain();
  gone.dispose();
  await expect(createPool(gone)).rejects.toMatchObject({ code: 'disposed' });
});
