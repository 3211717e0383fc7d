import { createGru } from 'gru-wasm';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BatcherOptions, SequenceBatcher } from '../src/core/batcher.ts';
import type { SequenceCall } from '../src/core/sequence.ts';
import { stepsOf, StreamsEngine } from '../src/core/engine.ts';
import { serveModel } from '../src/core/model.ts';
import { RedisStore } from '../src/core/redis-store.ts';
import { checkRedis } from '../src/redis.ts';
import type { SequenceStore } from '../src/core/store.ts';
import { call } from './calls.ts';
import { ServeError } from '../src/errors.ts';
import { MemoryStore } from './memory-store.ts';
import { gruModel, HIDDEN, INPUT, steps } from './models.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

const KEEP_ENDED = 60_000;
const prefixOf = (store: number) => `test:${store}:`;

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
      live.submit(call('a', { start: t === 0, step: t, ...more }), { x: x.subarray(t * INPUT, (t + 1) * INPUT) }),
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
    expect(one.live.live).toBe(0);
    expect((await two.step(0)).step).toBe(1);
    expect((await one.step(1)).outputs['y']).toEqual(rowOf(1));
  });
}

test('whose state is here goes on beside one that the store is asked for in vain', async () => {
  const store = new MemoryStore();
  const one = instance(store, { storeEvery: 100 });
  await one.step(0);
  store.load = () => Promise.reject(new ServeError('unavailable', 'no answer'));
  const stranger = one.live.submit(call('stranger'), { x: x.subarray(0, INPUT) });
  const [own, other] = await Promise.allSettled([one.step(1), stranger]);
  expect(other).toMatchObject({ status: 'rejected', reason: { reason: 'unavailable' } });
  expect(own.status).toBe('fulfilled');
  expect((await one.step(2)).outputs['y']).toEqual(rowOf(2));
  expect(one.live.waiting).toBe(0);
});

test('a sequence that has ended elsewhere does not go on from the state that is here', async () => {
  for (const storeEvery of [1, 10]) {
    const store = new MemoryStore();
    const [one, two] = [instance(store, { storeEvery }), instance(store, { storeEvery })];
    await one.step(0);
    await one.live.save();
    await two.step(1, { end: true });
    await expect(one.step(2)).rejects.toEqual(expect.objectContaining({ reason: 'not_found' }) as Error);
    expect(one.live.live).toBe(0);
  }
});

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

  test('a state of another size is none', async () => {
    const store = new MemoryStore();
    await instance(store).step(0);
    const weights = { kernel: new Float32Array(3 * 3 * 4), recurrentKernel: new Float32Array(4 * 3 * 4) };
    const other = await createGru({ inputSize: 3, hiddenSize: 4, resetAfter: true }, weights);
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
      prefix: prefixOf(stores.length),
      keep: 600_000,
      keepEnded: KEEP_ENDED,
      timeout: 60_000,
      warn: () => undefined,
    };
    const store = await RedisStore.connect(options);
    stores = [...stores, store];
    return store;
  };
  suite(newStore);

  const digest = 'd'.repeat(44);

  test('thousands of states in one go', async () => {
    const store = await newStore();
    const last = { step: 2 ** 40, digest, outputs: Uint8Array.of(1, 2, 3) };
    const writes = Array.from({ length: 3000 }, (_, i) => ({
      key: `anyone\0s:\u20ac${i}`,
      version: undefined,
      step: i,
      ended: false,
      last: i % 2 ? last : undefined,
    }));
    const states = Float32Array.from({ length: 3000 * 5 }, (_, i) => i);
    const { version, refused } = await store.save(writes, states);
    expect(refused).toEqual([]);
    const found = await store.load(writes.map(({ key }) => key));
    found.forEach((one, i) => {
      const state = states.slice(i * 5, (i + 1) * 5);
      expect(one).toEqual({
        version,
        step: i,
        ended: false,
        state,
        last: i % 2 ? { ...last, outputs: Buffer.from(last.outputs) } : undefined,
      });
    });
    expect(await store.load(['none'])).toEqual([undefined]);
  });

  test('states have all their bits; a model may have none', async () => {
    const store = await newStore();
    const states = new Float32Array(Uint32Array.of(0x7fc12345, 0xffc00001, 0x80000000, 1, 0x7f800000).buffer);
    const write = (key: string) => ({ key, version: undefined, step: 1, ended: false, last: undefined });
    await store.save([write('odd')], states);
    await store.save([write('a'), write('b')], new Float32Array(0));
    const [odd, a] = await store.load(['odd', 'a']);
    expect(new Uint32Array(odd!.state.buffer)).toEqual(new Uint32Array(states.buffer));
    expect(a).toMatchObject({ ended: false, state: new Float32Array(0), last: undefined });
  });

  test('one that is a cluster, or does not let us in, is refused', async () => {
    const check = async (word: string, value: string, said: RegExp) => {
      const own = await startRedis(undefined, undefined, [word, value]);
      await expect(checkRedis('state', own.url)).rejects.toThrow(said);
      await own.stop();
    };
    await check('--cluster-enabled', 'yes', /is a cluster/);
    await check('--requirepass', 'x', /no Redis answers at 127\.0\.0\.1:\d+: NOAUTH/);
    await checkRedis('state', redis.url);
  });

  test('what another program has put there is none', async () => {
    const store = await newStore();
    const last = { step: 0, digest, outputs: new Uint8Array(0) };
    const write = { key: 'a', version: undefined, step: 1, ended: false, last };
    await store.save([write, { ...write, key: 'ended', ended: true }], new Float32Array(6));
    const admin = new Redis(redis.url);
    const at = (key: string) => prefixOf(stores.length - 1) + key;
    const known: number[] = [];
    for (const key of ['a', 'ended']) {
      const whole = (await admin.getBuffer(at(key)))!;
      for (let length = 0; length <= whole.length; length++) {
        await admin.set(at('b'), whole.subarray(0, length));
        if ((await store.load(['b']))[0]) known.push(length - whole.length);
      }
    }
    // Whole, or without the last answer.
    expect(known).toEqual([-52, 0, -52, 0]);
    await admin.set(at('b'), 'x'.repeat(100));
    await admin.lpush(at('c'), 'a list');
    expect(await store.load(['b', 'c'])).toEqual([undefined, undefined]);
    admin.disconnect();
  });

  test('a batch of all kinds of writes is few commands, and each has its own answer', async () => {
    const store = await newStore();
    const isStale = (i: number) => i % 10 === 4;
    const writesOf = (step: number, version: number | undefined) =>
      Array.from({ length: 500 }, (_, i) => ({
        key: String(i),
        version: isStale(i) && version !== undefined ? version - 1 : version,
        step,
        ended: step > 0 && i % 3 === 0,
        last: i % 2 ? { step, digest, outputs: new Uint8Array(i % 5).fill(i) } : undefined,
      }));
    const statesOf = (step: number) => Float32Array.from({ length: 500 * 6 }, (_, i) => step * 1e4 + i);
    const first = await store.save(writesOf(0, undefined), statesOf(0));
    const admin = new Redis(redis.url);
    await admin.config('RESETSTAT');
    await admin.script('FLUSH');
    const second = await store.save(writesOf(1, first.version), statesOf(1));
    const commands = await admin.info('commandstats');
    const calls = [...commands.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
      (sum, found) => sum + Number(found[1]),
      0,
    );
    expect(calls).toBeLessThan(20);
    const places = [...writesOf(1, 1).keys()];
    expect(second.refused).toEqual(places.filter(isStale));
    const found = await store.load(places.map(String));
    for (const i of places) {
      const step = isStale(i) ? 0 : 1;
      const { ended, last } = writesOf(step, undefined)[i]!;
      expect(found[i], `write ${i}`).toEqual({
        version: step === 0 ? first.version : second.version,
        step,
        ended,
        state: ended ? new Float32Array(0) : statesOf(step).slice(i * 6, (i + 1) * 6),
        last: last && { ...last, outputs: Buffer.from(last.outputs) },
      });
    }
    // What has ended is kept for its own time.
    const ttl = async (i: number) => await admin.pttl(`${prefixOf(stores.length - 1)}${i}`);
    expect(await ttl(3)).toBeLessThanOrEqual(KEEP_ENDED);
    expect(await ttl(1)).toBeGreaterThan(KEEP_ENDED);
    admin.disconnect();
  });

  test('a Redis that is gone, and comes back', async () => {
    const own = await startRedis();
    const said: string[] = [];
    const warn = (text: string) => said.push(text);
    const store = await RedisStore.connect({
      url: own.url,
      prefix: 'a:',
      keep: 60_000,
      keepEnded: 60_000,
      timeout: 60_000,
      warn,
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
    expect(said).toEqual([expect.stringMatching(/store of sequences is away/), 'the store of sequences is back']);
    await again.stop();
    await expect(
      RedisStore.connect({ url: own.url, prefix: '', keep: 1, keepEnded: 1, timeout: 1000, warn }),
    ).rejects.toThrow('Connection is closed.');
  });
});
