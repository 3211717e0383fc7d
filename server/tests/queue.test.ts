import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { QUEUE } from '../src/score/queue.ts';
import { bin } from './bin.ts';
import { gruModel, steps } from './models.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

const spawned: ChildProcess[] = [];

let folder: string;
let redis: TestRedis;
const at = (name: string) => join(folder, name);
const rename = (from: string, to: string) => {
  renameSync(at(from), at(to));
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gru-queue-'));
  writeFileSync(at('model.safetensors'), (await gruModel()).save());
});
afterEach(async () => {
  for (const child of spawned.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

/** Rows of 1 to 9 steps; one in the middle is none where it is to be so. */
function input(name: string, count: number, bad?: number): string {
  const lines = Array.from({ length: count }, (_, id) => {
    const x = Array.from(steps(1 + ((id * 7) % 9), id), (value) => Math.round(value * 100) / 100);
    return JSON.stringify({ id, x: id === bad ? x.slice(1) : x });
  });
  writeFileSync(at(name), lines.join('\n'));
  return at(name);
}

const score = (from: string, output: string, ...more: string[]) => [
  ...['score', at('model.safetensors'), '--input', from, '--output', at(output), '--shard-bytes', '2000'],
  ...more,
];

/** The command, to its end. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = start(...args);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.on('data', (piece: Buffer) => (texts[name] += String(piece)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...texts };
}

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  spawned.push(child);
  return child;
}

/** Alone, in one process. */
function expected(from: string): Buffer {
  const { status } = spawnSync(process.execPath, [bin, ...score(from, 'alone.ndjson', '--threads', '1')]);
  expect(status).toBe(0);
  return readFileSync(at('alone.ndjson'));
}

const worker = () => start('worker', '--queue', redis.url, '--threads', '1', '--stalled', '2000');
const done = (output: string) =>
  existsSync(at(`${output}.parts`)) ? readdirSync(at(`${output}.parts`)).filter((name) => /^\d/.test(name)).length : 0;

describe.skipIf(!hasRedis)('scoring by a queue', () => {
  beforeEach(async () => {
    redis = await startRedis(undefined, folder);
  });
  afterEach(() => redis.stop());

  const isWaiting = async () => (await run('queue', 'status', '--queue', redis.url, '--json')).stdout.trim() !== '[]';

  test('two workers, one killed at a shard and one come later, give what one process gives', async () => {
    const from = input('in.ndjson', 2000);
    const scored = run(...score(from, 'out.ndjson', '--queue', redis.url));
    const [first] = [worker(), worker()];
    await vi.waitUntil(() => done('out.ndjson') > 5, { timeout: 100_000, interval: 2 });
    first.kill('SIGKILL');
    worker();
    expect(await scored).toMatchObject({ code: 0 });
    expect(readFileSync(at('out.ndjson')).equals(expected(from))).toBe(true);
    expect(existsSync(at('out.ndjson.parts'))).toBe(false);
    // The killed one may have written its shard and not said so: it is taken over, and found done.
    await vi.waitUntil(async () => !(await isWaiting()), { timeout: 100_000, interval: 100 });
  });

  test('a Redis that is killed and comes back with its file', async () => {
    const from = input('in.ndjson', 2000);
    const scored = run(...score(from, 'out.ndjson', '--queue', redis.url));
    worker();
    await vi.waitUntil(() => done('out.ndjson') > 2, { timeout: 100_000, interval: 2 });
    await redis.stop();
    redis = await startRedis(Number(new URL(redis.url).port), folder);
    expect(await scored).toMatchObject({ code: 0 });
    expect(readFileSync(at('out.ndjson')).equals(expected(from))).toBe(true);
  });

  test('a Redis that comes back empty: shards are put in again', async () => {
    const from = input('in.ndjson', 500);
    const scored = run(...score(from, 'out.ndjson', '--queue', redis.url));
    await vi.waitUntil(isWaiting, { timeout: 100_000 });
    await redis.stop();
    redis = await startRedis(Number(new URL(redis.url).port));
    worker();
    expect(await scored).toMatchObject({ code: 0 });
    expect(readFileSync(at('out.ndjson')).equals(expected(from))).toBe(true);
  });

  test('a queue that does not answer is said, once an outage', async () => {
    const from = input('in.ndjson', 300);
    const child = start(...score(from, 'out.ndjson', '--queue', redis.url));
    let said = '';
    child.stderr!.on('data', (piece: Buffer) => (said += String(piece)));
    const ended = once(child, 'close');
    await vi.waitUntil(isWaiting, { timeout: 100_000 });
    await redis.stop();
    const outages = () => said.split('the queue does not answer (').length - 1;
    await vi.waitUntil(() => outages() > 0, { timeout: 100_000, interval: 100 });
    // It tries on, in vain.
    let tries = 0;
    const port = Number(new URL(redis.url).port);
    const door = createServer((socket) => (tries++, socket.destroy())).listen(port, '127.0.0.1');
    await vi.waitUntil(() => tries > 3, { timeout: 100_000 });
    door.close();
    await once(door, 'close');
    redis = await startRedis(port, folder);
    worker();
    expect(await ended).toEqual([0, null]);
    expect(outages()).toBe(1);
  });

  test('a disk that fails ends it, with the file named', async () => {
    const from = input('in.ndjson', 300);
    const scored = run(...score(from, 'out.ndjson', '--queue', redis.url));
    await vi.waitUntil(isWaiting, { timeout: 100_000 });
    await rm(at('out.ndjson.parts'), { recursive: true });
    const { code, stderr } = await scored;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/out\.ndjson\.parts: no such file or folder \(ENOENT\)/);
  });

  test('a row that cannot be scored ends in the failed list, all others are done; corrected, it is gone on with', async () => {
    const from = input('in.ndjson', 500, 300);
    worker();
    const { code, stderr } = await run(...score(from, 'out.ndjson', '--queue', redis.url));
    expect(code).toBe(5);
    expect(stderr).toMatch(
      /1 of \d+ shards could not be scored; shard \d+: .*in\.ndjson, byte \d+: input 'x' has \d+ numbers/,
    );
    const total = Number(/1 of (\d+)/.exec(stderr)![1]);
    expect(done('out.ndjson')).toBe(total - 1);
    expect(existsSync(at('out.ndjson'))).toBe(false);

    const { stdout } = await run('queue', 'status', '--queue', redis.url);
    expect(stdout).toMatch(new RegExp(`out\\.ndjson +${total - 1}/${total} +0 +0 +1\n`));
    expect(stdout).toMatch(/shard \d+: .*byte \d+/);
    const again = await run(...score(from, 'out.ndjson', '--queue', redis.url));
    expect(again.code).toBe(5);
    expect(again.stderr).toMatch(/1 of/);
  });

  const failedIn = async () => {
    const runs = JSON.parse((await run('queue', 'status', '--queue', redis.url, '--json')).stdout) as {
      failed: object[];
    }[];
    return runs.flatMap(({ failed }) => failed).length;
  };
  const failedJobs = async () => {
    const queue = new Queue(QUEUE, { connection: { url: redis.url } });
    const { failed } = await queue.getJobCounts('failed');
    await queue.close();
    return failed;
  };

  test('a shard that failed and was scored later is in the failed list no more', async () => {
    const from = input('in.ndjson', 200);
    const { stderr } = await run(...score(from, 'out.ndjson', '--queue', redis.url, '--detach'));
    const total = Number(/^(\d+) shards queued/m.exec(stderr)![1]);
    // A machine that has not got the model fails all of them; on this one they are scored, without the queue.
    rename('model.safetensors', 'away');
    worker();
    await vi.waitUntil(async () => (await failedJobs()) === total, { timeout: 100_000, interval: 200 });
    expect(await failedIn()).toBe(total);
    rename('away', 'model.safetensors');
    expect(await run(...score(from, 'out.ndjson'))).toMatchObject({ code: 0 });
    expect(await failedIn()).toBe(0);
  });

  test('of a run that is begun anew nothing stays, and nothing of it gets into the next', async () => {
    const from = input('in.ndjson', 200, 100);
    const first = worker();
    expect((await run(...score(from, 'out.ndjson', '--queue', redis.url))).code).toBe(5);
    expect(await failedIn()).toBe(1);
    first.kill('SIGTERM');
    await once(first, 'exit');
    await rm(at('out.ndjson.parts'), { recursive: true });
    // Corrected: another file. Its shards wait, and beside them some of the run before.
    input('in.ndjson', 200);
    const scored = run(...score(from, 'out.ndjson', '--queue', redis.url));
    await vi.waitUntil(isWaiting, { timeout: 100_000 });
    const queue = new Queue(QUEUE, { connection: { url: redis.url } });
    for (const shard of [0, 5, 100]) {
      const data = { folder: at('out.ndjson.parts'), id: 'before', shard };
      await queue.add('shard', data, { removeOnComplete: true, lifo: true });
    }
    await queue.close();
    worker();
    expect(await scored).toMatchObject({ code: 0 });
    expect(readFileSync(at('out.ndjson')).equals(expected(from))).toBe(true);
    await vi.waitUntil(async () => !(await isWaiting()), { timeout: 100_000, interval: 100 });
    expect(await failedJobs()).toBe(0);
  });

  test('--detach leaves it to workers; the same command writes the output', async () => {
    const from = input('in.ndjson', 300);
    const detached = await run(...score(from, 'out.ndjson', '--queue', redis.url, '--detach'));
    expect(detached).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/\d+ shards queued: gru worker/) as string,
    });
    const first = worker();
    await vi.waitUntil(() => done('out.ndjson') > 0, { timeout: 100_000, interval: 2 });
    first.kill('SIGTERM');
    expect(await once(first, 'exit')).toEqual([0, null]);
    worker();
    expect(await run(...score(from, 'out.ndjson', '--queue', redis.url))).toMatchObject({ code: 0 });
    expect(readFileSync(at('out.ndjson')).toString().trim().split('\n')).toHaveLength(300);
    // A shard of a dead worker, taken over only now: it is done.
    const queue = new Queue(QUEUE, { connection: { url: redis.url } });
    await queue.add('shard', { folder: at('out.ndjson.parts'), id: 'any', shard: 0 }, { removeOnComplete: true });
    await queue.close();
    await vi.waitUntil(async () => !(await isWaiting()), { timeout: 100_000, interval: 100 });
  });
});

test('words, and a Redis that is not there', async () => {
  const wrong: [number, RegExp, string[]][] = [
    [2, /say which queue/, ['worker']],
    [2, /a worker takes no model/, ['worker', 'model', '--queue', 'redis://h']],
    [2, /say gru queue status/, ['queue', 'status']],
    [2, /must be an address like redis:/, ['queue', 'status', '--queue', 'http://h']],
    [2, /must be an address like redis:/, ['worker', '--queue', 'here']],
    [6, /no Redis answers at 127\.0\.0\.1:1/, ['queue', 'status', '--queue', 'redis://127.0.0.1:1']],
  ];
  const found = await Promise.all(wrong.map(([, , args]) => run(...args)));
  found.forEach((result, i) => {
    const [code, stderr, args] = wrong[i]!;
    expect(result, args.join(' ')).toMatchObject({ code, stderr: expect.stringMatching(stderr) as string });
  });
  for (const name of ['worker', 'queue']) {
    expect((await run(name, '--help')).stdout).toMatch(/--queue/);
  }
});
