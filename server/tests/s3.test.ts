import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { reopened } from '../src/score/files/index.ts';
import { S3 } from '../src/score/files/s3.ts';
import { bin } from './bin.ts';
import { gruModel, steps } from './models.ts';
import { hasRedis, startRedis } from './redis.ts';
import { environmentOf, etagOf, type Fault, KEY, type S3Server, startS3 } from './s3-server.ts';

const spawned: ChildProcess[] = [];

let folder: string;
let server: S3Server;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gru-s3-'));
  server = await startS3();
  for (const [name, value] of Object.entries(environmentOf(server))) vi.stubEnv(name, value);
  // None of whoever runs the tests.
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', at('none'));
  vi.stubEnv('AWS_CONFIG_FILE', at('none'));
  const model = (await gruModel()).save();
  writeFileSync(at('model.safetensors'), model);
  server.objects.set('data/model.safetensors', Buffer.from(model));
});
afterEach(async () => {
  for (const child of spawned.splice(0)) child.kill('SIGKILL');
  vi.unstubAllEnvs();
  vi.doUnmock('@aws-sdk/client-s3');
  await server.close();
  await rm(folder, { recursive: true });
});

function start(args: string[], env: Record<string, string> = {}, cwd = folder): ChildProcess {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  spawned.push(child);
  return child;
}

/** The command, to its end. */
async function run(args: string[], env?: Record<string, string>): Promise<{ code: number | null; stderr: string }> {
  const child = start(args, env);
  let stderr = '';
  child.stderr!.on('data', (piece: Buffer) => (stderr += String(piece)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}

const score = (input: string, output: string, ...more: string[]) => [
  ...[
    'score',
    at('model.safetensors'),
    '--input',
    input,
    '--output',
    output,
    '--shard-bytes',
    '2000',
    '--threads',
    '1',
  ],
  ...more,
];

/** Rows of 1 to 9 steps, under that key too. */
function rowsOf(count: number, key = 'in/rows é+1.ndjson'): string {
  const lines = Array.from({ length: count }, (_, id) => {
    const x = Array.from(steps(1 + ((id * 7) % 9), id), (value) => Math.round(value * 100) / 100);
    return JSON.stringify({ id, x });
  });
  writeFileSync(at('in.ndjson'), lines.join('\n'));
  server.objects.set(`data/${key}`, Buffer.from(lines.join('\n')));
  return `s3://data/${key}`;
}

async function expected(format = 'ndjson'): Promise<Buffer> {
  const { code, stderr } = await run(score(at('in.ndjson'), at(`alone.${format}`)));
  expect(code, stderr).toBe(0);
  return readFileSync(at(`alone.${format}`));
}

const partsIn = (output: string) =>
  [...server.objects.keys()].filter((name) => name.startsWith(`data/${output}.parts/`));

test.each(['ndjson', 'parquet'])('from objects to an object and back, %s: the bytes of files', async (format) => {
  const input = rowsOf(300);
  const alone = await expected(format);
  const written = await run(score(input, `s3://data/out.${format}`));
  expect(written).toMatchObject({ code: 0, stderr: expect.stringMatching(/^s3:\/\/data\/out.*shards/m) as string });
  expect(server.objects.get(`data/out.${format}`)!.equals(alone)).toBe(true);
  expect(partsIn(`out.${format}`)).toEqual([]);
  // The input is read in parts of the size of a shard, none twice.
  const reads = server.requests.filter((request) => request.startsWith('GET /data/in/'));
  expect(reads.length).toBeGreaterThan(5);
  expect((await run(score(`s3://data/out.${format}`, at('again.ndjson'), '--id', 'id'))).code).toBe(5);
  if (format === 'ndjson') return;
  // Rows of five numbers are none of three: but they were read.
  const { stderr } = await run(score('s3://data/out.parquet', at('more.ndjson')));
  expect(stderr).toMatch(/s3:\/\/data\/out\.parquet, row 0: nothing for input 'x', the row has id/);
});

test('killed in between, it goes on: parts that are there are not scored again', async () => {
  const input = rowsOf(300);
  const alone = await expected();
  const output = 's3://data/killed.ndjson';
  const child = start(score(input, output));
  await vi.waitUntil(() => partsIn('killed.ndjson').length > 4, { timeout: 100_000, interval: 1 });
  child.kill('SIGKILL');
  await once(child, 'close');
  const done = partsIn('killed.ndjson').length;
  expect(server.objects.has('data/killed.ndjson')).toBe(false);
  server.requests.length = 0;
  const other = await run(score(input, output, '--last'));
  expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/delete it to start anew/) as string });
  expect(await run(score(input, output))).toMatchObject({ code: 0 });
  expect(server.objects.get('data/killed.ndjson')!.equals(alone)).toBe(true);
  const puts = server.requests.filter((request) => /^PUT \/data\/killed\.ndjson\.parts\/\d/.test(request));
  const total = Math.ceil(readFileSync(at('in.ndjson')).length / 2000);
  expect(puts.length).toBe(total - done + 1);
});

describe.skipIf(!hasRedis)('by a queue', () => {
  test('workers that share no disk, one killed, give what one process gives', async () => {
    const input = rowsOf(600);
    const alone = await expected();
    const redis = await startRedis(undefined, folder);
    try {
      const [model, , ...words] = score(input, 's3://data/out.ndjson', '--queue', redis.url);
      const scored = run([model!, 's3://data/model.safetensors', ...words]);
      const worker = () => {
        mkdirSync(at('elsewhere'), { recursive: true });
        const words = ['worker', '--queue', redis.url, '--threads', '1', '--stalled', '2000'];
        return start(words, {}, at('elsewhere'));
      };
      const [first] = [worker(), worker()];
      await vi.waitUntil(() => partsIn('out.ndjson').length > 4, { timeout: 100_000, interval: 1 });
      first.kill('SIGKILL');
      expect(await scored).toMatchObject({ code: 0 });
      expect(server.objects.get('data/out.ndjson')!.equals(alone)).toBe(true);
      expect(partsIn('out.ndjson')).toEqual([]);
    } finally {
      await redis.stop();
    }
  });
});

/** Answers as a store does that says this of an object. */
const refusing =
  (which: RegExp, status: number, code: string): Fault =>
  ({ method, url }, response) => {
    if (!which.test(`${method!} ${url!}`)) return false;
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(
      method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>${code} says the store</Message></Error>`,
    );
    return true;
  };

function contentLength(range = ''): number {
  const [, first, last] = /(\d+)-(\d+)/.exec(range)!;
  return Number(last) - Number(first) + 1;
}

/** A part of the body, and no more. */
const truncating =
  (times: number): Fault =>
  ({ method, url, headers }, response) => {
    if (method !== 'GET' || !url!.startsWith('/data/in/') || times-- <= 0) return false;
    const bytes = server.objects.get('data/in/rows é+1.ndjson')!;
    response.writeHead(206, { etag: etagOf(bytes), 'content-length': contentLength(headers.range) });
    response.write(bytes.subarray(0, 100), () => response.destroy());
    return true;
  };

describe('what goes wrong is said in a line, with its exit code', () => {
  const out = 's3://data/out.ndjson';
  test.each<[number, RegExp, () => { input?: string; output?: string; env?: Record<string, string>; fault?: Fault }]>([
    [3, /s3:\/\/data\/none\.ndjson: no such object or bucket/, () => ({ input: 's3://data/none.ndjson' })],
    [3, /s3:\/\/none\/in\.ndjson: no such object or bucket/, () => ({ input: 's3://none/in.ndjson' })],
    [3, /s3:\/\/none\/.*: there is no such bucket/, () => ({ output: 's3://none/out.ndjson' })],
    [3, /s3:\/\/closed\/.*: access denied/, () => ({ output: 's3://closed/out.ndjson' })],
    [3, /s3:\/\/data\/in.*: access denied/, () => ({ fault: refusing(/^HEAD/, 403, '') })],
    [
      6,
      /AWS_SECRET_ACCESS_KEY is not that of the key/,
      () => ({ input: 'in.ndjson', env: { AWS_SECRET_ACCESS_KEY: 'x' } }),
    ],
    [6, /does not know AWS_ACCESS_KEY_ID/, () => ({ input: 'in.ndjson', env: { AWS_ACCESS_KEY_ID: 'x' } })],
    [6, /no credentials: set AWS_ACCESS_KEY_ID/, () => ({ env: { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' } })],
    [6, /: set AWS_REGION/, () => ({ env: { AWS_REGION: '', AWS_ENDPOINT_URL: '' } })],
    [6, /no answer of the store: .*ECONNREFUSED/, () => ({ env: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } })],
    [2, /AWS_ENDPOINT_URL must be an address/, () => ({ env: { AWS_ENDPOINT_URL: 'here' } })],
    [2, /s3:\/\/data: say s3:\/\/BUCKET\/KEY/, () => ({ output: 's3://data', input: 'in.ndjson' })],
    [2, /s3:\/\/B\/KEY|say s3:\/\/BUCKET\/KEY/, () => ({ output: 's3://data/a/', input: 'in.ndjson' })],
    [6, /s3:\/\/data\/out.*: SlowDown: SlowDown says/, () => ({ fault: refusing(/^PUT/, 503, 'SlowDown') })],
    [3, /s3:\/\/data\/in.* has changed since it was split/, () => ({ fault: changing() })],
    [6, /s3:\/\/data\/in.*: no answer of the store: .*(aborted|ends after)/, () => ({ fault: truncating(100) })],
    [6, /asked for \d+ bytes, the store sends \d+: it does not know Range/, () => ({ fault: ignoringRange })],
  ])('%i %s', async (code, message, given) => {
    const input = rowsOf(60);
    const { input: other = input, output = out, env, fault } = given();
    server.fault = fault;
    const words = score(other, output, ...['--input-format', 'ndjson', '--output-format', 'ndjson']);
    const found = await run(words, env);
    expect(found.stderr.trim().split('\n').at(-1)).toMatch(message);
    expect(found.code).toBe(code);
    expect(found.stderr).not.toContain(KEY.secret);
    expect(server.objects.has('data/out.ndjson')).toBe(false);
  });

  /** Other bytes after the first read. */
  function changing(): Fault {
    let reads = 0;
    return ({ method, url }) => {
      const isRead = method === 'GET' && url!.startsWith('/data/in/');
      if (isRead && ++reads === 3) server.objects.set('data/in/rows é+1.ndjson', Buffer.from('{"id":1,"x":[1,2,3]}'));
      return false;
    };
  }

  const ignoringRange: Fault = () => {
    server.blindTo = 'range';
    return false;
  };
});

test('an object without a row', async () => {
  server.objects.set('data/empty.ndjson', Buffer.alloc(0));
  expect(await run(score('s3://data/empty.ndjson', 's3://data/none.ndjson'))).toMatchObject({ code: 0 });
  expect(server.objects.get('data/none.ndjson')).toHaveLength(0);
});

test('a body that breaks off is asked for again', async () => {
  const input = rowsOf(60);
  const alone = await expected();
  server.fault = truncating(2);
  expect(await run(score(input, at('out.ndjson')))).toMatchObject({ code: 0 });
  expect(readFileSync(at('out.ndjson')).equals(alone)).toBe(true);
});

test('a store that does not look at If-Match: an object that has changed is seen by its ETag', async () => {
  rowsOf(10, 'a.ndjson');
  const s3 = new S3();
  const file = await s3.stat('s3://data/a.ndjson');
  server.objects.set('data/a.ndjson', Buffer.from('other'));
  server.blindTo = 'if-match';
  await expect(s3.read(file, 0, 4)).rejects.toThrow('s3://data/a.ndjson has changed since it was split');
});

describe('large objects', () => {
  const piece = Buffer.alloc(2 ** 20, 7);

  test('go in parts', async () => {
    const s3 = new S3();
    await s3.fill('s3://data/large', 0, async (sink) => {
      for (let i = 0; i < 20; i++) await sink.write(piece);
    });
    expect(server.objects.get('data/large')!.length).toBe(20 * 2 ** 20);
    expect(server.requests.filter((request) => request.includes('partNumber='))).toHaveLength(3);
    expect(server.uploads.size).toBe(0);
  });

  test('an error of what fills them, and one of the store, leave nothing there', async () => {
    const s3 = new S3();
    const failing = s3.fill('s3://data/large', 0, async (sink) => {
      for (let i = 0; i < 20; i++) await sink.write(piece);
      throw new Error('its own');
    });
    await expect(failing).rejects.toThrow('its own');
    expect(server.uploads.size).toBe(0);
    server.fault = refusing(/partNumber=2/, 403, 'AccessDenied');
    const refused = s3.fill('s3://data/large', 0, async (sink) => {
      for (let i = 0; i < 200; i++) await sink.write(piece);
    });
    await expect(refused).rejects.toThrow('s3://data/large: access denied');
    expect(server.requests.filter((request) => request.includes('partNumber=')).length).toBeLessThan(12);
    expect(server.objects.has('data/large')).toBe(false);
    expect(server.uploads.size).toBe(0);
  });
});

test('folders are listed and removed in pages', async () => {
  const s3 = new S3();
  for (let i = 0; i < 7; i++) server.objects.set(`data/f.parts/${i}`, Buffer.from('x'));
  for (const other of ['data/f.partsother/1', 'data/f']) server.objects.set(other, Buffer.from('x'));
  expect((await s3.names('s3://data/f.parts')).size).toBe(7);
  await s3.removeFolder('s3://data/f.parts');
  expect([...server.objects.keys()].sort()).toEqual(['data/f', 'data/f.partsother/1', 'data/model.safetensors']);
});

test('without the package, the line that installs them', async () => {
  vi.doMock('@aws-sdk/client-s3', () => {
    throw new Error('no such package');
  });
  const read = reopened({ path: 's3://data/a', bytes: 1, version: '' });
  vi.resetModules();
  const { S3: Fresh } = await import('../src/score/files/s3.ts');
  await expect(new Fresh().stat(read.path)).rejects.toThrow(
    's3:// needs a package that is not installed: npm install @aws-sdk/client-s3',
  );
});
