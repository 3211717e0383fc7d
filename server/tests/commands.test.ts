import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { main, run } from '../dist/commands.js';
import { load } from '../src/models.ts';
import { readServeOptions } from '../src/options.ts';
import { readWords, UsageError } from '../src/words.ts';
import { bin } from './bin.ts';
import { gruModel, steps } from './models.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gru-server-'));
  await writeFile(join(folder, 'gru.safetensors'), (await gruModel()).save());
});
afterAll(() => rm(folder, { recursive: true }));

test('a file that needs options of its format: which command writes one that needs none', async () => {
  const path = new URL('../../tests/fixtures/cases/pt_lstm_tagger_bi_last/model.pt', import.meta.url).pathname;
  await expect(load(path)).rejects.toMatchObject({
    name: 'GruError',
    message: expect.stringMatching(/pytorch: \{ layers.*gru convert MODEL -o model.safetensors/) as string,
  });
  await expect(load(join(folder, 'none.onnx'))).rejects.toThrow(/^(?!.*gru convert)/s);
});

test('short options are those of gru run', () => {
  const words = { numbers: {}, texts: { input: [undefined, ''], output: [undefined, ''] }, flags: {} } as const;
  const given = readWords(['model', '-i', 'a.csv', '-o', 'b.csv'], words)!;
  expect([given.positionals, given.text('input'), given.text('output')]).toEqual([['model'], 'a.csv', 'b.csv']);
});

test('options: numbers, keys of a file and of the environment', async () => {
  const path = join(folder, 'keys');
  await writeFile(path, 'one\ntwo\n');
  const options = readServeOptions(['a.onnx', '--port', '0', '--api-keys', path], {});
  expect(options).toMatchObject({
    models: ['a.onnx'],
    port: 0,
    window: 1,
    apiKeys: ['one', 'two'],
    host: '127.0.0.1',
  });
  expect(readServeOptions(['a'], { GRU_API_KEYS: 'three' })).toMatchObject({
    apiKeys: ['three'],
    allowOrigins: [],
  });
  expect(readServeOptions(['a', '--allow-origins', 'https://app.example,http://localhost:5173'], {})).toMatchObject({
    allowOrigins: ['https://app.example', 'http://localhost:5173'],
  });
  await writeFile(path, '\n');
  const wrong = [
    [],
    ['a', '--port', 'x'],
    ['a', '--port', '-1'],
    ['a', '--prot', '1'],
    ['a', '--live-workers', '100000'],
    ['a', '--workers', '100000'],
    ['a', '--port', '65536'],
    ['a', '--timeout', String(2 ** 31)],
    ['a', '--log-level', 'loud'],
    ['a', '--max-body', '0'],
    ['a', '--max-bodies', '1000'],
    ['a', '--state-keep', '0'],
    ['a', '--host', ''],
    ['a', '--allow-hosts', 'https://gru.example'],
    ['a', '--allow-hosts', 'gru.example:80'],
    ['a', '--allow-hosts', ''],
    ['a', '--allow-origins', '*'],
    ['a', '--allow-origins', 'https://app.example/'],
    ['a', '--allow-origins', 'https://app.example,app.example'],
    ['a', '--tls-key', 'k'],
    ['a', '--api-keys', path],
  ];
  for (const args of wrong) expect(() => readServeOptions(args, {}), args.join(' ')).toThrow(UsageError);
});

test('a Redis by a variable, which the list of processes does not show; the option goes before it', async () => {
  const env = { GRU_STATE_URL: 'redis://:secret@one' };
  expect(readServeOptions(['a'], env)).toMatchObject({ state: 'redis://:secret@one' });
  expect(readServeOptions(['a', '--state', 'redis://two'], env)).toMatchObject({ state: 'redis://two' });
  expect(() => readServeOptions(['a'], { GRU_STATE_URL: '' })).toThrow(/^GRU_STATE_URL is empty/);
  vi.stubEnv('GRU_QUEUE_URL', 'http://:secret@x');
  const error = vi.spyOn(console, 'error').mockReturnValue();
  const commands = [
    ['worker'],
    ['queue', 'status'],
    ['score', join(folder, 'gru.safetensors'), '--input', join(folder, 'a.csv'), '--output', join(folder, 'b.csv')],
  ];
  await writeFile(join(folder, 'a.csv'), '1,2,3\n');
  for (const [name, ...words] of commands) {
    expect(await run(name!, words), name).toBe(2);
    expect(error.mock.lastCall![0]).toMatch(/redis:\/\/host:6379, got "http:\/\/x"/);
  }
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('exit codes: help, wrong words, a model that is not there', async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue();
  const error = vi.spyOn(console, 'error').mockReturnValue();
  expect(await run('serve', ['--help'])).toBe(0);
  expect(log.mock.lastCall![0]).toMatch(/--window/);
  expect(await run('sever', [])).toBe(2);
  expect(error.mock.lastCall![0]).toMatch(/no such command/);
  expect(await run('serve', [])).toBe(2);
  expect(error.mock.lastCall![0]).toMatch(/which MODEL/);
  expect(await run('serve', [join(folder, 'none.onnx')])).toBe(3);
  expect(error.mock.lastCall![0]).toMatch(/none\.onnx/);
  expect(await run('serve', ['a b=x'])).toBe(2);
  expect(await run('score', ['m', '--input', 'a.csv', '--output', 'b.csv', '--threads', '100000'])).toBe(2);
  expect(error.mock.lastCall![0]).toMatch(/--threads must be a whole number up to \d+, got "100000"/);
  expect(await run('worker', ['--queue', 'redis://x', '--stalled', '9999999999'])).toBe(2);
  vi.restoreAllMocks();
});

test('gru-wasm-server by its own name: help, version, commands', async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue();
  const error = vi.spyOn(console, 'error').mockReturnValue();
  for (const words of [[], ['--help'], ['-h'], ['help'], ['help', 'help']]) {
    log.mockClear();
    expect(await main(words)).toBe(0);
    for (const name of ['serve', 'score', 'worker', 'queue', '--version'])
      expect(log.mock.lastCall![0]).toContain(name);
  }
  expect(await main(['--version'])).toBe(0);
  expect(log.mock.lastCall).toEqual([
    (createRequire(import.meta.url)('../package.json') as { version: string }).version,
  ]);
  expect(await main(['help', 'score'])).toBe(0);
  expect(log.mock.lastCall![0]).toMatch(/--shard-bytes/);
  expect(await main(['worker', '--help'])).toBe(0);
  expect(log.mock.lastCall![0]).toMatch(/--stalled/);
  expect(error).not.toHaveBeenCalled();
  for (const words of [['sever'], ['--prot'], ['help', 'sever'], ['constructor']]) expect(await main(words)).toBe(2);
  expect(error.mock.calls[0]).toEqual([expect.stringMatching(/^gru.* sever: .*only serve, score, worker, queue/)]);
  expect(await main(['serve'])).toBe(2);
  vi.restoreAllMocks();
});

/** FILE stands for the path of one that is none of these. */
test.each([
  [2, '--host "nowhere.invalid": there is no such host', ['--host', 'nowhere.invalid']],
  [6, '--port: 192.0.2.1:0 cannot be listened at: this machine does not have that address', ['--host', '192.0.2.1']],
  [6, 'no Redis answers at 127.0.0.1:1: connect ECONNREFUSED', ['--state', 'redis://127.0.0.1:1']],
  [2, '--state must be an address like redis://host:6379, got "localhost:6379"', ['--state', 'localhost:6379']],
  [2, 'got "http://host:6379"', ['--state', 'http://user:hidden@host:6379']],
  [2, 'got "host:6379"', ['--state', 'user:hidden@host:6379']],
  [3, '--api-keys: none.txt: no such file or folder (ENOENT)', ['--api-keys', 'none.txt']],
  [3, '--tls-key: .: is a folder (EISDIR)', ['--tls-key', '.', '--tls-cert', 'none.pem']],
  [3, '--tls-cert: none.pem: no such file', ['--tls-key', 'FILE', '--tls-cert', 'none.pem']],
  [3, 'not a key and its certificates (PEM)', ['--tls-key', 'FILE', '--tls-cert', 'FILE']],
])('exit code %i: %s', async (code, said, words) => {
  const path = join(folder, 'text.pem');
  await writeFile(path, 'text\n');
  const error = vi.spyOn(console, 'error').mockReturnValue();
  const args = words.map((word) => word.replace('FILE', path));
  const options = ['--port', '0', '--no-grpc', '--log-level', 'silent'];
  expect(await run('serve', [join(folder, 'gru.safetensors'), ...options, ...args])).toBe(code);
  expect(error.mock.calls).toEqual([[expect.stringContaining(said)]]);
  expect(error.mock.lastCall![0]).not.toMatch(/\n|hidden/);
  vi.restoreAllMocks();
});

test('a process that serves, and drains on SIGTERM', async () => {
  const args = [bin, 'serve', `speech=${join(folder, 'gru.safetensors')}`, '--port', '0'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const url = await vi.waitUntil(() => /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0], { timeout: 60_000, interval: 20 });
  const body = {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1, 3], data: [...steps(1)] }],
  };
  const response = await fetch(`${url}/v2/models/speech/infer`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test.each([
  ['--port', []],
  ['--port', ['--live-workers', '1']],
  ['--grpc-port', ['--live-workers', '1']],
])('%s that is taken, %j: the process ends', async (option, more) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = String((other.address() as AddressInfo).port);
  const ports = { '--port': '0', '--grpc-port': '0', [option]: taken };
  const args = ['serve', join(folder, 'gru.safetensors'), ...Object.entries(ports).flat(), ...more];
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(6);
  const what = new RegExp(`^gru serve: ${option}: 127.0.0.1:${taken} cannot be listened at: another program .*\n$`);
  expect(said).toMatch(what);
  other.close();
});
