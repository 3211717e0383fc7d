import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isLoopback } from '../src/listening.ts';
import { readServeOptions, type ServeOptions } from '../src/options.ts';
import { type RunningServer, startServer } from '../src/serve.ts';
import { gruModel } from './models.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gru-hosts-'));
  await writeFile(join(folder, 'gru.safetensors'), (await gruModel()).save());
});
afterAll(() => rm(folder, { recursive: true }));

const serve = (words: string[] = [], env = {}) =>
  startServer(
    readServeOptions(
      [join(folder, 'gru.safetensors'), '--port', '0', '--no-grpc', '--log-level', 'silent', ...words],
      env,
    ) as ServeOptions,
  );

async function statusAt(server: RunningServer, path: string, host: string): Promise<number> {
  const asked = request(new URL(path, server.http), { headers: { host } });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  const body = await text(answer);
  if (answer.statusCode === 421) expect(body).toMatch(/is no name of this server: --allow-hosts/);
  return answer.statusCode!;
}

async function upgradeAt(server: RunningServer, host: string): Promise<number> {
  const socket = new WebSocket(new URL('/v2/models/gru/stream', server.http.replace('http', 'ws')), {
    headers: { host },
    origin: `http://${host}`,
  });
  const refused = once(socket, 'unexpected-response') as Promise<[unknown, { statusCode: number }]>;
  const status = await Promise.race([refused.then(([, { statusCode }]) => statusCode), once(socket, 'open').then(() => 101)]);
  socket.on('error', () => undefined);
  socket.terminate();
  return status;
} // prettier-ignore

describe('on this machine, without keys: a page whose name gets the address of the server', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await serve(['--allow-hosts', 'gru.example']);
  });
  afterAll(() => server.close());

  test.each(['evil.example', 'evil.example:8000', 'localhost.evil.example', 'evil-localhost', '127.0.0.1.evil.example', 'x[::1]'])('%j is not let in', async (host) => {
    for (const path of ['/v2', '/metrics', '/openapi.json', '/v2/models/gru', '/none']) expect(await statusAt(server, path, host), path).toBe(421);
    expect(await upgradeAt(server, host)).toBe(421);
  }); // prettier-ignore

  test.each(['localhost', 'LOCALHOST:1', 'a.localhost', 'localhost.', '127.0.0.1:8000', '[::1]:8000', '192.0.2.1', 'gru.example', 'GRU.example:80'])('%j is', async (host) => {
    expect(await statusAt(server, '/v2', host)).toBe(200);
    expect(await upgradeAt(server, host)).toBe(101);
  }); // prettier-ignore
});

test.each([
  ['without keys', [], {}, 421],
  ['under the name that --host says', ['--host', 'localhost'], {}, 421],
  ['with keys', [], { GRU_API_KEYS: 'one' }, 200],
  ['for all addresses', ['--host', '0.0.0.0'], {}, 200],
  ['for all addresses, with --allow-hosts', ['--host', '0.0.0.0', '--allow-hosts', 'gru.example'], {}, 421],
])('%s, another name: %j', async (_, words, env, status) => {
  const server = await serve(words, env);
  try {
    const local = Object.assign(server, { http: server.http.replace('0.0.0.0', '127.0.0.1') });
    expect(await statusAt(local, '/v2', 'evil.example')).toBe(status);
    expect(await statusAt(local, '/v2', 'localhost')).toBe(200);
  } finally {
    await server.close();
  }
});

test.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.0.2.1', false],
])('%s: this machine alone reaches it: %s', async (host, is) => {
  expect(await isLoopback(host)).toBe(is);
});
