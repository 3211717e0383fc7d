import type { GruModel } from 'gru-wasm';
import { createPool, type PoolOptions } from 'gru-wasm/pool';
import { beforeAll, expect, test } from 'vitest';
import { numbers, plain, SIZE } from './models.ts';
import { sourceWorker } from './source.ts';

let model: GruModel;
beforeAll(async () => {
  model = await plain({}, 256);
});

/** About 10 ms of work. */
const big = () => ({ data: numbers(16 * 50 * SIZE), shape: [16, 50, SIZE] });
const one = () => numbers(50 * SIZE);

/** A pool that counts what its workers are given, and what they have done. */
async function counting(options: PoolOptions) {
  const counts = { jobs: 0, workers: 0 };
  /** Ids of jobs: 1, 2, ... in the order in which workers were given them. */
  const answered: number[] = [];
  const pool = await createPool(model, {
    ...options,
    createWorker: () => {
      counts.workers++;
      const worker = sourceWorker();
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: object, transfer) => {
        if ('job' in message) counts.jobs++;
        post(message, transfer);
      };
      worker.on('message', (message: { answer?: { id: number } }) => {
        if (message.answer) answered.push(message.answer.id);
      });
      return worker;
    },
  });
  return { pool, counts, answered };
}

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
  const { pool, counts, answered } = await counting({ workers: 1, maxQueue: 2 });
  const calls = [pool.run(big()), pool.run(big()), pool.run(big())];
  await new Promise(setImmediate);
  expect({ jobs: counts.jobs, queued: pool.queued }).toEqual({ jobs: 2, queued: 2 });
  await expect(pool.run(big())).rejects.toMatchObject({ code: 'queue_full' });
  await pool.ready;
  calls.push(pool.run(big()));
  await Promise.all(calls);
  expect(answered).toEqual([1, 2, 3, 4]);
  await pool.close();
});

test('what waits for a busy worker goes to one that is idle', async () => {
  const { pool, counts, answered } = await counting({ workers: 2 });
  const done: string[] = [];
  const run = async (name: string, sequences: number) => {
    await pool.run({ data: numbers(sequences * 50 * SIZE), shape: [sequences, 50, SIZE] });
    done.push(name);
  };
  // One worker has the first and the third of them, the other has the second and the fourth.
  await Promise.all([run('long', 400), run('second', 8), run('third', 8), run('fourth', 8)]);
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

test('abort: before, in the queue, and at work; the pool goes on', async () => {
  const { pool, counts, answered } = await counting({ workers: 1 });
  const reason = new Error('enough');
  await expect(pool.run(big(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(counts.jobs).toBe(0);

  const [atWork, queued] = [new AbortController(), new AbortController()];
  const first = pool.run(big(), { signal: atWork.signal });
  const second = pool.run(big(), { signal: queued.signal });
  const third = pool.run(big());
  await new Promise(setImmediate);
  queued.abort(reason);
  await expect(second).rejects.toBe(reason);
  atWork.abort(reason);
  await expect(first).rejects.toBe(reason);
  expect(await third).toEqual(model.run(big()));
  // All were given to the worker; it did not start the second, nor the first where it had not yet.
  expect(counts).toEqual({ jobs: 3, workers: 1 });
  expect(answered).not.toContain(2);
  await pool.close();
});

test('a timeout rejects; the pool goes on', async () => {
  const { pool, counts } = await counting({ workers: 1 });
  await expect(pool.run(big(), { timeout: 1 })).rejects.toMatchObject({ name: 'GruError', code: 'timeout' });
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
