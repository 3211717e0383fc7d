import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BatcherOptions, SequenceBatcher } from '../src/core/batcher.ts';
import type { SequenceCall } from '../src/core/sequence.ts';
import { stepsOf, StreamsEngine } from '../src/core/engine.ts';
import { serveModel } from '../src/core/model.ts';
import { RedisStore } from '../src/core/redis-store.ts';
import type { SequenceStore, StoredSequence, Write } from '../src/core/store.ts';
import { ServeError } from '../src/errors.ts';
import { gruModel, HIDDEN, INPUT, steps } from './models.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

/** A store that several instances share, without a network. */
class MemoryStore implements SequenceStore {
  readonly entries = new Map<string, { sequence: StoredSequence; version: string }>();
  /** Answers that are lost on their way: what was written is there. */
  lose = 0;
  private writes = 0;

  load(ids: readonly string[]) {
    return Promise.resolve(ids.map((id) => this.entries.get(id)));
  }

  save(writes: readonly Write[]) {
    const versions = writes.map(({ id, sequence, replaces }) => {
      if (replaces !== undefined && this.entries.get(id)?.version !== replaces) return undefined;
      const version = String(++this.writes);
      this.entries.set(id, { sequence, version });
      return version;
    });
    return this.lose-- > 0 ? Promise.reject(new ServeError('unavailable', 'no answer')) : Promise.resolve(versions);
  }

  close() {
    return Promise.resolve();
  }
}

const model = await gruModel();
const x = steps(12);
const expected = model.run(x).output.data;

function instance(store: SequenceStore, options: Partial<BatcherOptions> = {}, of = model) {
  const served = serveModel('m', of);
  const live = new SequenceBatcher(new StreamsEngine(served, 100), {
    steps: (block) => stepsOf(served, block),
    window: 1,
    maxBatch: 64,
    maxSequences: 100,
    maxSequencesOfOwner: 100,
    maxPending: 1000,
    maxPendingOfSequence: 64,
    idleTimeout: 1000,
    store,
    ...options,
  });
  return {
    live,
    step: (t: number, more: Partial<SequenceCall> = {}) =>
      live.submit(
        { owner: 'me', id: 'a', start: t === 0, end: false, step: t, ...more },
        { x: x.subarray(t * INPUT, (t + 1) * INPUT) },
      ),
  };
}

const rowOf = (t: number) => expected.subarray(t * HIDDEN, (t + 1) * HIDDEN);
const conflict = (step?: number) =>
  expect.objectContaining({ reason: 'conflict', ...(step === undefined ? {} : { step }) }) as Error;

function suite(newStore: () => Promise<SequenceStore>) {
  test('two instances are one server: any of them answers, with the same bits', async () => {
    const store = await newStore();
    const instances = [instance(store), instance(store), instance(store)];
    for (let t = 0; t < 12; t++) {
      const { outputs, step, durableStep } = await instances[(t * t) % 3]!.step(t);
      expect(outputs['y']).toEqual(rowOf(t));
      expect([step, durableStep]).toEqual([t + 1, t + 1]);
    }
  });

  test('a request that comes again, there or elsewhere, has the same answer and is applied once', async () => {
    const store = await newStore();
    const [one, two] = [instance(store), instance(store)];
    await one.step(0);
    const first = await one.step(1);
    expect(await two.step(1)).toEqual(first);
    expect(await one.step(1)).toEqual(first);
    // At the same time at both: one applies it, and the other gives its answer.
    const [here, there] = await Promise.all([one.step(2), two.step(2)]);
    expect(here).toEqual(there);
    expect(here.outputs['y']).toEqual(rowOf(2));
    const last = await two.step(3, { end: true });
    expect(await one.step(3, { end: true })).toEqual(last);
    await expect(one.step(4)).rejects.toEqual(expect.objectContaining({ reason: 'not_found' }) as Error);
    expect((await two.step(0)).step).toBe(1);
    expect((await one.step(1)).outputs['y']).toEqual(rowOf(1));
  });
}

describe('in memory', () => {
  suite(() => Promise.resolve(new MemoryStore()));

  test('an answer of the store that is lost: the request fails, and its retry is applied once', async () => {
    const store = new MemoryStore();
    const one = instance(store);
    await one.step(0);
    store.lose = 1;
    await expect(one.step(1)).rejects.toEqual(expect.objectContaining({ reason: 'unavailable' }) as Error);
    expect(await one.step(1)).toMatchObject({ step: 2, outputs: { y: rowOf(1) } });
    expect((await one.step(2)).outputs['y']).toEqual(rowOf(2));
  });

  test('interval: what came after the last write is sent again', async () => {
    const store = new MemoryStore();
    const [one, two] = [instance(store, { storeEvery: 4 }), instance(store, { storeEvery: 4 })];
    const durable: (number | undefined)[] = [];
    for (let t = 0; t < 7; t++) durable.push((await one.step(t)).durableStep);
    expect(durable).toEqual([1, 1, 1, 1, 5, 5, 5]);
    await expect(two.step(7)).rejects.toEqual(conflict(5));
    for (let t = 5; t < 9; t++) expect((await two.step(t)).outputs['y']).toEqual(rowOf(t));
    // The other is left behind, and learns of it when it writes.
    await one.step(7);
    await expect(one.step(8)).rejects.toEqual(conflict());
    await expect(one.step(8, { step: undefined })).rejects.toEqual(conflict(9));
  });

  test('a request may have its state written, whatever the interval; without a store it is refused', async () => {
    const store = new MemoryStore();
    const [one, two] = [instance(store, { storeEvery: 100 }), instance(store, { storeEvery: 100 })];
    for (let t = 0; t < 4; t++) await one.step(t);
    expect((await one.step(4, { snapshot: true })).durableStep).toBe(5);
    expect((await one.step(5)).durableStep).toBe(5);
    expect((await two.step(5)).outputs['y']).toEqual(rowOf(5));
    const alone = instance(store, { store: undefined });
    await expect(alone.step(0, { snapshot: true })).rejects.toThrow(/sequence_snapshot: this server has no store/);
    expect((await alone.step(0)).step).toBe(1);
  });

  test('save writes what is not there yet; sweep too, before it drops', async () => {
    const store = new MemoryStore();
    let now = 0;
    const one = instance(store, { storeEvery: 100, now: () => now });
    for (let t = 0; t < 3; t++) await one.step(t);
    await one.live.save();
    for (let t = 3; t < 5; t++) await one.step(t);
    now = 2000;
    await one.live.sweep();
    expect(one.live.live).toBe(0);
    expect((await instance(store).step(5)).outputs['y']).toEqual(rowOf(5));
  });

  test("another model's state is none", async () => {
    const store = new MemoryStore();
    await instance(store).step(0);
    const { createGru } = await import('gru-wasm');
    const weights = {
      kernel: new Float32Array(3 * 3 * HIDDEN),
      recurrentKernel: new Float32Array(HIDDEN * 3 * HIDDEN),
    };
    const other = await createGru({ inputSize: 3, hiddenSize: HIDDEN, resetAfter: true }, weights);
    await expect(instance(store, {}, other).step(1)).rejects.toEqual(
      expect.objectContaining({ reason: 'not_found' }) as Error,
    );
  });
});

describe.skipIf(!hasRedis)('in Redis', () => {
  let redis: TestRedis;
  let stores: RedisStore[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const store of stores) await store.close();
    await redis.stop();
  });
  const newStore = async () => {
    const options = {
      url: redis.url,
      prefix: `test:${stores.length}:`,
      keep: 60_000,
      keepEnded: 60_000,
      timeout: 60_000,
    };
    const store = await RedisStore.connect(options);
    stores = [...stores, store];
    return store;
  };
  suite(newStore);

  test('thousands of states in one go', async () => {
    const store = await newStore();
    const state = Uint8Array.from({ length: 300 }, (_, i) => i);
    const last = { step: 1, digest: 'd', outputs: Uint8Array.of(1, 2, 3) };
    const writes = Array.from({ length: 3000 }, (_, i) => ({
      id: String(i),
      sequence: { step: i, state, last: i % 2 ? last : undefined },
      replaces: undefined,
    }));
    const versions = await store.save(writes);
    expect(new Set(versions).size).toBe(3000);
    const found = await store.load(writes.map(({ id }) => id));
    expect(found[7]).toEqual({
      version: versions[7],
      sequence: { step: 7, state: Buffer.from(state), last: { ...last, outputs: Buffer.from(last.outputs) } },
    });
    expect(found[8]!.sequence.last).toBeUndefined();
    expect(await store.load(['none'])).toEqual([undefined]);
  });

  test('a batch of all kinds of writes is few commands, and each has its own answer', async () => {
    const store = await newStore();
    const writesOf = (step: number, versions: (string | undefined)[]) =>
      Array.from({ length: 500 }, (_, i) => ({
        id: String(i),
        sequence: {
          step,
          state: new Uint8Array(step > 0 && i % 3 === 0 ? 0 : 4 * (i % 7) + 4).fill(i + step),
          last: i % 2 ? { step, digest: 'd', outputs: new Uint8Array(i % 5).fill(i) } : undefined,
        },
        replaces: i % 10 === 4 && step > 0 ? versions[i + 1] : versions[i],
      }));
    const first = await store.save(writesOf(0, []));
    const admin = new Redis(redis.url);
    await admin.config('RESETSTAT');
    await admin.script('FLUSH');
    const writes = writesOf(1, first);
    const second = await store.save(writes);
    const commands = await admin.info('commandstats');
    const calls = [...commands.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
      (sum, found) => sum + Number(found[1]),
      0,
    );
    admin.disconnect();
    expect(calls).toBeLessThan(20);
    const found = await store.load(writes.map(({ id }) => id));
    second.forEach((version, i) => {
      expect(version === undefined, `write ${i}`).toBe(i % 10 === 4);
      const { sequence } = i % 10 === 4 ? writesOf(0, [])[i]! : writes[i]!;
      expect(found[i]!.version).toBe(version ?? first[i]);
      expect(found[i]!.sequence.step).toBe(sequence.step);
      expect([...found[i]!.sequence.state]).toEqual([...sequence.state]);
      expect([...(found[i]!.sequence.last?.outputs ?? [])]).toEqual([...(sequence.last?.outputs ?? [])]);
    });
  });

  test('a Redis that is gone, and comes back', async () => {
    const own = await startRedis();
    const store = await RedisStore.connect({
      url: own.url,
      prefix: 'a:',
      keep: 60_000,
      keepEnded: 60_000,
      timeout: 60_000,
    });
    const one = instance(store);
    await one.step(0);
    await own.stop();
    await expect(one.step(1)).rejects.toEqual(expect.objectContaining({ reason: 'unavailable' }) as Error);
    const again = await startRedis(Number(new URL(own.url).port));
    await expect
      .poll(
        () =>
          one.step(0).then(
            () => 'ok',
            () => 'no',
          ),
        { timeout: 60_000 },
      )
      .toBe('ok');
    expect((await one.step(1)).outputs['y']).toEqual(rowOf(1));
    await store.close();
    await again.stop();
    await expect(
      RedisStore.connect({ url: own.url, prefix: '', keep: 1, keepEnded: 1, timeout: 1000 }),
    ).rejects.toThrow();
  });
});
