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

/** The pool's clocks stand still but for what a test lets pass; workers have none. */
const stopClocks = () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
};
const pass = (milliseconds: number) => {
  vi.advanceTimersByTime(milliseconds);
};
/** What is under way on this thread is done. */
const turn = () => new Promise(setImmediate);

const batch = (seed: number) => ({ data: numbers(16 * 50 * SIZE, seed), shape: [16, 50, SIZE] });

const LIMIT = 1e8;

interface Given {
  id: number;
  ticket: Int32Array | undefined;
}

/** A pool of workers that the function makes, by number from 1 on; what they were given, and whether they have started it. */
async function poolOf(make: (number: number) => Worker, workers = 1) {
  const made: Worker[] = [];
  const exits: Promise<unknown>[] = [];
  const jobs: Given[] = [];
  const started = new Set<number>();
  stopClocks();
  const pool = await createPool(model, {
    workers,
    startTimeout: LIMIT,
    createWorker: () => {
      const worker = make(made.length + 1);
      made.push(worker);
      exits.push(new Promise((resolve) => worker.on('exit', resolve)));
      worker.on('message', (message: { started?: number }) => {
        if (message.started !== undefined) started.add(message.started);
      });
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: { job?: Given }, transfer) => {
        if (message.job) jobs.push(message.job);
        post(message, transfer);
      };
      return worker;
    },
  });
  const hasStarted = ({ id, ticket }: Given) => (ticket ? Atomics.load(ticket, 0) !== id : started.has(id));
  return { pool, made, exits, jobs, hasStarted };
}

const odd = (how: string) => (number: number) => sourceWorker('./misbehaving.mjs', { how: number === 1 ? how : '' });
const evil = (code: string) => new Worker(`const { parentPort } = require('worker_threads'); ${code}`, { eval: true });
/** Says that it is ready, and does nothing then. */
const deaf = () => evil("parentPort.on('message', () => {}); parentPort.postMessage({ ready: true })");
/** Ends once it is ready: nothing keeps it. */
const fleeting = () => evil('parentPort.postMessage({ ready: true })');

describe.each([
  ['', SharedArrayBuffer],
  [', without shared memory', undefined],
])('a worker and its job%s', (_, memory) => {
  test('one that does not start it within the limit is replaced', async () => {
    vi.stubGlobal('SharedArrayBuffer', memory);
    const { pool, made } = await poolOf(odd('stuck before it looks at its job'));
    await pool.run(batch(1));
    const calls = [2, 3].map((seed) => pool.run(batch(seed)));
    await turn();
    pass(LIMIT - 1);
    expect(made).toHaveLength(1);
    pass(1);
    expect(await Promise.all(calls)).toEqual([2, 3].map((seed) => model.run(batch(seed))));
    expect(made).toHaveLength(2);
    await pool.close();
  });

  test('one that has started it may take as long as it likes, while somebody waits', async () => {
    vi.stubGlobal('SharedArrayBuffer', memory);
    const { pool, made, jobs, hasStarted } = await poolOf(odd('stuck when it has taken its job'));
    await pool.run(batch(1));
    const enough = new AbortController();
    const call = pool.run(batch(2), { signal: enough.signal });
    await vi.waitFor(
      () => {
        expect(jobs.length === 2 && hasStarted(jobs[1]!)).toBe(true);
      },
      { timeout: LIMIT / 100, interval: 10 },
    );
    pass(20 * LIMIT);
    await turn();
    expect(made).toHaveLength(1);
    enough.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    pass(999);
    expect(made).toHaveLength(1);
    pass(1);
    expect(made).toHaveLength(2);
    expect(await pool.run(batch(3))).toEqual(model.run(batch(3)));
    await pool.close();
  });

  test('where none starts it, the call is rejected', async () => {
    vi.stubGlobal('SharedArrayBuffer', memory);
    const { pool, made, jobs } = await poolOf(deaf);
    const call = pool.run(batch(1));
    const rejected = expect(call).rejects.toMatchObject({
      name: 'GruError',
      code: 'worker_lost',
      message: expect.stringMatching(/two workers were lost.*did not start a job/) as string,
    });
    for (const count of [1, 2]) {
      await vi.waitFor(() => {
        expect(jobs).toHaveLength(count);
      }, LIMIT / 100);
      pass(LIMIT);
    }
    await rejected;
    expect(made.length).toBeLessThanOrEqual(3);
    await pool.close();
  });

  test('a thread that comes to its clock late does not take the worker for stuck', async () => {
    vi.stubGlobal('SharedArrayBuffer', memory);
    const { pool, made } = await poolOf(odd(''));
    const call = pool.run(batch(1));
    await turn();
    // What it finds when it has been busy, or asleep: one tick is due, however late it is.
    vi.setSystemTime(Date.now() + 100 * LIMIT);
    vi.advanceTimersToNextTimer();
    expect(await call).toEqual(model.run(batch(1)));
    expect(made).toHaveLength(1);
    await pool.close();
  });
});

describe('workers that end without having done any work', () => {
  test('are replaced at once, then after longer and longer pauses, then not at all', async () => {
    const { pool, made, exits } = await poolOf(fleeting);
    for (const [i, pause] of [0, 100, 200, 400, 800, 1600, 3200].entries()) {
      await exits[i];
      await turn();
      if (pause > 0) {
        pass(pause - 1);
        expect(made).toHaveLength(i + 1);
        pass(1);
      }
      expect(made).toHaveLength(i + 2);
    }
    const pending = pool.run(batch(1));
    const lost = { name: 'GruError', code: 'worker_lost', message: expect.stringMatching(/exit code 0/) as string };
    await expect(pending).rejects.toMatchObject(lost);
    await exits[7];
    await turn();
    pass(1e6);
    await expect(pool.run(batch(1))).rejects.toMatchObject(lost);
    await expect(pool.run(batch(1))).rejects.toThrow(/8 workers in a row/);
    expect(made).toHaveLength(8);
    await pool.close();
  });

  test('take no slot but their own with them', async () => {
    // One that ended before the other is ready would be replaced after a pause, and the pause does not pass before the pool is there.
    const kinds = [sourceWorker, deaf];
    const { pool, made, exits } = await poolOf((number) => (kinds[number - 1] ?? fleeting)(), 2);
    void made[1]!.terminate();
    for (let i = 1; i <= 8; i++) {
      await exits[i];
      await turn();
      pass(3200);
    }
    expect(made).toHaveLength(9);
    for (const seed of [1, 2]) expect(await pool.run(batch(seed))).toEqual(model.run(batch(seed)));
    pass(1e6);
    expect(made).toHaveLength(9);
    await pool.close();
  });

  test('while the pool starts: createPool rejects, with another that is ready too', async () => {
    const made: Worker[] = [];
    const createWorker = () => {
      const worker = made.length === 0 ? sourceWorker() : evil('process.exit(3)');
      made.push(worker);
      return worker;
    };
    await expect(createPool(model, { workers: 2, startTimeout: LIMIT, createWorker })).rejects.toMatchObject({
      code: 'worker_lost',
      message: expect.stringMatching(/3 workers in a row.*exit code 3/) as string,
    });
    expect(made).toHaveLength(4);
  });

  test('are another matter than those that end after it: these are replaced as long as there is work', async () => {
    const dying = () => sourceWorker('./dies-before.mjs', { dieAt: 2, how: 'exit' });
    const { pool, made } = await poolOf(dying);
    for (let seed = 1; seed <= 12; seed++) expect(await pool.run(batch(seed))).toEqual(model.run(batch(seed)));
    expect(made).toHaveLength(12);
    await pool.close();
  });
});
