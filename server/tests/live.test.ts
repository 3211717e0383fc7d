import type { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { GruModel } from 'gru-wasm';
// Threads run what has been built.
import { LiveSequences } from '../dist/core/live.js';
import { serveModel } from '../dist/core/model.js';
import { ThreadEngine } from '../dist/core/thread-engine.js';
import { call, LIMITS, refusal } from './calls.ts';
import { MemoryStore } from './memory-store.ts';
import { gruModel, HIDDEN, INPUT, steps, taggerModel } from './models.ts';

let model: GruModel;
beforeAll(async () => {
  model = await gruModel();
});

let close = () => Promise.resolve();
afterEach(() => close());

function live(of: GruModel, threads: number, more: { maxSequences?: number; store?: MemoryStore } = {}) {
  const served = serveModel('m', of);
  const engines = Array.from({ length: threads }, () => new ThreadEngine(served, 1000));
  const sequences = new LiveSequences(served, engines, {
    ...LIMITS,
    ...more,
  });
  close = () => sequences.close();
  /** Ends a thread as a fault in it would. */
  const kill = (engine: ThreadEngine) => (engine as unknown as { thread: Worker }).thread.terminate();
  return { sequences, killAll: () => Promise.all(engines.map(kill)) };
}

const rowOf = (x: Float32Array, t: number) => ({ x: x.slice(t * INPUT, (t + 1) * INPUT) });

test('sequences stay with the thread that holds their state, and give the bits that they have alone', async () => {
  const { sequences } = live(model, 3);
  const inputs = Array.from({ length: 150 }, (_, i) => steps(4, i));
  const outputs = inputs.map(() => [] as number[]);
  for (let t = 0; t < 4; t++) {
    const asked = inputs.map((x, i) => sequences.submit(call(String(i), { start: t === 0 }), rowOf(x, t)));
    (await Promise.all(asked)).forEach(({ outputs: { y } }, i) => outputs[i]!.push(...y!));
  }
  inputs.forEach((x, i) => {
    expect(Float32Array.from(outputs[i]!)).toEqual(model.run(x).output.data);
  });
  expect(sequences.live).toBe(150);
  const ends = inputs.map((x, i) => sequences.submit(call(String(i), { end: true }), rowOf(x, 0)));
  await Promise.all(ends);
  expect(sequences.live).toBe(0);
});

test('blocks of ids, several outputs, and an error of one request alone', async () => {
  const tagger = await taggerModel();
  const { sequences } = live(tagger, 1);
  const ids = [Int32Array.of(1, 2, 6), Int32Array.of(4, 7), Int32Array.of(5)];
  const asked = ids.map((block, i) => sequences.submit(call(String(i), { start: true }), { ids: block }));
  const [one, bad, two] = await Promise.allSettled(asked);
  expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'id_out_of_range' } });
  for (const [answer, block] of [
    [one, ids[0]!],
    [two, ids[2]!],
  ] as const) {
    const { outputs } = tagger.run(block);
    expect(answer).toMatchObject({
      value: { outputs: { rnn: outputs['rnn']!.data, words: outputs['words']!.data } },
    });
  }
});

test('limits are of all threads together', async () => {
  const { sequences } = live(model, 3, { maxSequences: 5 });
  const x = steps(1);
  const asked = Array.from({ length: 6 }, (_, i) => sequences.submit(call(String(i), { start: true }), { x }));
  const answers = await Promise.allSettled(asked);
  expect(answers.map(({ status }) => status)).toEqual([...Array<string>(5).fill('fulfilled'), 'rejected']);
});

test('a thread that dies takes its sequences along; new ones begin in its successor', async () => {
  const { sequences, killAll } = live(model, 2);
  const x = steps(3);
  const start = () =>
    Promise.all([0, 1, 2].map((id) => sequences.submit(call(String(id), { start: true, step: 0 }), rowOf(x, 0))));
  await start();
  const killed = killAll();
  // On their way while it dies.
  const asked = [0, 1, 2].map((id) => sequences.submit(call(String(id), { step: 1 }), rowOf(x, 1)));
  for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected');
  await killed;
  await expect(sequences.submit(call('0', { step: 1 }), rowOf(x, 1))).rejects.toEqual(refusal('not_found'));
  expect(sequences.live).toBe(0);
  await start();
  const { outputs } = await sequences.submit(call('0', { step: 1 }), rowOf(x, 1));
  expect(outputs['y']).toEqual(model.run(x).output.data.subarray(HIDDEN, 2 * HIDDEN));
});

test('with a store they go on where they were', async () => {
  const store = new MemoryStore();
  const { sequences, killAll } = live(model, 2, { store });
  const x = steps(6);
  const expected = model.run(x).output.data;
  for (let t = 0; t < 6; t++) {
    if (t % 2 === 1) await killAll();
    const asked = [0, 1, 2].map((id) => sequences.submit(call(String(id), { start: t === 0, step: t }), rowOf(x, t)));
    for (const { outputs, step } of await Promise.all(asked)) {
      expect(outputs['y']).toEqual(expected.subarray(t * HIDDEN, (t + 1) * HIDDEN));
      expect(step).toBe(t + 1);
    }
  }
});
