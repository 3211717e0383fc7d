import type { GruModel } from 'gru-wasm';
import { createPool } from 'gru-wasm/pool';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { numbers, plain, SIZE } from './models.ts';
import { sourceWorker } from './source.ts';
import { printedByNode } from '../run-node.ts';

const dies = { before: './dies-before.mjs', after: './dies-after.mjs' };

let model: GruModel;
beforeAll(async () => {
  model = await plain({}, 128);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const batch = (seed: number) => ({ data: numbers(16 * 50 * SIZE, seed), shape: [16, 50, SIZE] });

/** Makes calls, few at a time, and counts how often each is answered. */
async function load(
  pool: Awaited<ReturnType<typeof createPool>>,
  enough: (calls: number) => boolean,
  answered?: (index: number) => void,
) {
  const answers: number[] = [];
  const wrong: number[] = [];
  const lost: number[] = [];
  const calls: Promise<void>[] = [];
  for (let i = 0; !enough(i); i++) {
    await pool.ready;
    answers.push(0);
    const input = batch(i);
    const call = pool.run(input).then(
      ({ output }) => {
        answers[i]!++;
        answered?.(i);
        if (Buffer.compare(bytes(output.data), bytes(model.run(input).output.data)) !== 0) wrong.push(i);
      },
      (error: unknown) => {
        expect(error).toMatchObject({ name: 'GruError', code: 'worker_lost' });
        answers[i]!++;
        lost.push(i);
      },
    );
    calls.push(call);
  }
  await pool.drain();
  await Promise.all(calls);
  return { answers, wrong, lost };
}

const bytes = ({ buffer }: Float32Array) => new Uint8Array(buffer);

test.each([
  ['', SharedArrayBuffer],
  [', without shared memory', undefined],
])('workers killed under load%s: every call is answered once, with the right bits', async (_, memory) => {
  vi.stubGlobal('SharedArrayBuffer', memory);
  const alive: Worker[] = [];
  const pool = await createPool(model, {
    workers: 3,
    maxQueue: 4,
    createWorker: () => {
      const worker = sourceWorker();
      alive.push(worker);
      worker.on('exit', () => alive.splice(alive.indexOf(worker), 1));
      return worker;
    },
  });
  let kills = 0;
  const kill = (call: number) => {
    if (call % 20 === 0) void alive[kills++ % alive.length]?.terminate();
  };
  const { answers, wrong, lost } = await load(pool, (calls) => calls >= 200 && kills > 8, kill);
  expect(kills).toBeGreaterThan(8);
  expect(answers).toEqual(answers.map(() => 1));
  expect(wrong).toEqual([]);
  // A call is lost only when both workers that had it were killed.
  expect(lost.length).toBeLessThan(kills / 2);
  await pool.run(batch(1));
  await pool.close();
});

describe.each(['before', 'after'] as const)('workers that die %s they answer', (when) => {
  test.each([
    ['exit', {}],
    ['throw', {}],
    ['out of memory', { resourceLimits: { maxOldGenerationSizeMb: 24 } }],
  ])('by %s', async (how, limits) => {
    let workers = 0;
    const pool = await createPool(model, {
      workers: 2,
      maxQueue: 4,
      // The first and the third die at their second job: by then the part that the first one had is in other hands.
      createWorker: () => {
        const dieAt = [1, 3].includes(++workers) ? 2 : -1;
        return sourceWorker(dies[when], { dieAt, how }, { ...limits, stderr: true });
      },
    });
    const { answers, wrong, lost } = await load(pool, (calls) => calls >= 12 && workers >= 4);
    expect(answers).toEqual(answers.map(() => 1));
    expect({ wrong, lost }).toEqual({ wrong: [], lost: [] });
    expect(workers).toBe(4);
    await pool.close();
  });
});

test('a call that two workers die of is rejected; the next one runs', async () => {
  let workers = 0;
  const pool = await createPool(model, {
    workers: 1,
    createWorker: () => sourceWorker(dies.before, { dieAt: ++workers <= 2 ? 1 : -1, how: 'exit' }),
  });
  await expect(pool.run(batch(1))).rejects.toMatchObject({
    name: 'GruError',
    code: 'worker_lost',
    message: expect.stringMatching(/exit code 7/) as string,
  });
  expect(await pool.run(batch(2))).toEqual(model.run(batch(2)));
  expect(workers).toBe(3);
  await pool.close();
});

test('what waits for a worker that dies is not what it died of', async () => {
  let workers = 0;
  const pool = await createPool(model, {
    workers: 1,
    createWorker: () => sourceWorker(dies.before, { dieAt: ++workers <= 2 ? 1 : -1, how: 'exit' }),
  });
  const calls = [1, 2, 3].map((seed) => pool.run(batch(seed)));
  await expect(calls[0]).rejects.toMatchObject({ code: 'worker_lost' });
  expect(await Promise.all(calls.slice(1))).toEqual([2, 3].map((seed) => model.run(batch(seed))));
  expect(workers).toBe(3);
  await pool.close();
});

test('workers that cannot start: createPool rejects; later, the calls do', async () => {
  const nowhere = new URL('./nowhere.mjs', import.meta.url);
  await expect(createPool(model, { workers: 2, createWorker: () => new Worker(nowhere) })).rejects.toMatchObject({
    code: 'worker_lost',
    message: expect.stringMatching(/nowhere/) as string,
  });
  const fails = () => {
    throw new Error('no more');
  };
  await expect(createPool(model, { workers: 2, createWorker: fails })).rejects.toThrow(/no more/);

  let workers = 0;
  const pool = await createPool(model, {
    workers: 1,
    createWorker: () => (++workers === 1 ? sourceWorker(dies.before, { dieAt: 1, how: 'exit' }) : new Worker(nowhere)),
  });
  await expect(pool.run(batch(1))).rejects.toMatchObject({ code: 'worker_lost' });
  await expect(pool.run(batch(1))).rejects.toMatchObject({ code: 'worker_lost' });
  await pool.close();
});

test.each([
  ['a Promise', async () => Promise.resolve(sourceWorker()), 'got a Promise (await it first)'],
  ['nothing', () => undefined, 'got undefined'],
  ['null', () => null, 'got null'],
  ['an address', () => '/pool-worker.js', "got the string '/pool-worker.js'"],
  ['a port', () => ({ postMessage: () => undefined }), 'got an object with postMessage'],
  ['the class', () => Worker, 'got a function'],
])('createWorker that gives %s: the error says what came', async (_, createWorker, words) => {
  const made: unknown[] = [];
  const recording = () => {
    made.push(createWorker());
    return made.at(-1) as Worker;
  };
  await expect(createPool(model, { workers: 1, createWorker: recording })).rejects.toMatchObject({
    code: 'worker_lost',
    message: `createPool: createWorker must return a worker, ${words}`,
  });
  for (const worker of await Promise.all(made)) if (worker instanceof Worker) await worker.terminate();
});

test('a page whose bundle lacks the script of the workers: the error has the line to add', async () => {
  vi.stubGlobal('process', undefined);
  vi.stubGlobal('Worker', function () {
    throw new Error('not found');
  });
  await expect(createPool(model, { workers: 1 })).rejects.toMatchObject({
    code: 'worker_lost',
    message: expect.stringMatching(
      /not found; in a bundle, copy .* createWorker: \(\) => new Worker\('\/pool-worker\.js', \{ type: 'module' \}\); Vite/,
    ) as string,
  });
});

test('what a dead worker had goes to one that has nothing to do, not to its successor', async () => {
  let workers = 0;
  const pool = await createPool(model, {
    workers: 2,
    startTimeout: 1e9,
    createWorker: () => {
      workers++;
      if (workers === 1) return sourceWorker(dies.before, { dieAt: 1, how: 'exit' });
      if (workers === 2) return sourceWorker();
      // Never ready.
      return new Worker('setInterval(() => {}, 1000)', { eval: true });
    },
  });
  const calls = [1, 2].map((seed) => pool.run(batch(seed)));
  await expect(Promise.all(calls)).resolves.toHaveLength(2);
  expect(workers).toBe(3);
  await pool.close();
});

test('a pool that nobody closes does not keep the process alive', () => {
  const code = `
    import { createGru } from 'gru-wasm';
    import { createPool } from 'gru-wasm/pool';
    const kernel = new Float32Array(192 * 64).fill(0.1);
    const model = await createGru({ inputSize: 64, hiddenSize: 64, resetAfter: true }, { kernel, recurrentKernel: kernel });
    const pool = await createPool(model, { workers: 2 });
    const { output } = await pool.run({ data: new Float32Array(8 * 100 * 64), shape: [8, 100, 64] });
    console.log(output.shape.join());`;
  const args = ['--input-type=module', '--eval', code];
  const cwd = new URL('../../', import.meta.url);
  expect(printedByNode(args, { cwd, timeout: 200_000 }).trim()).toBe('8,100,64');
});
