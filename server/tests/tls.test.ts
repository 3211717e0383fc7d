import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { readServeOptions, type ServeOptions } from '../src/options.ts';
import { type RunningServer, startServer } from '../src/serve.ts';
import { gruModel, HIDDEN, steps } from './models.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

describe.skipIf(!hasOpenssl)('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gru-tls-'));
  const at = (name: string) => join(folder, name);
  const pem = (name: string) => readFileSync(at(name));
  let server: RunningServer;

  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });

  /** A key, and a certificate of it that the authority has signed. */
  function certify(name: string, authority: string) {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const signed = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-extfile', 'names'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, '-days', '2', ...signed);
  }

  beforeAll(async () => {
    for (const name of ['authority', 'stranger']) {
      const subject = ['-subj', `/CN=${name}`, '-days', '2'];
      openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.crt`,
        ...subject,
      );
    }
    certify('server', 'authority');
    certify('client', 'authority');
    certify('other', 'stranger');
    writeFileSync(at('gru.safetensors'), (await gruModel()).save());
  });
  afterEach(() => server.close());
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  async function start(...more: string[]) {
    const tls = ['--tls-key', at('server.key'), '--tls-cert', at('server.crt'), ...more];
    const words = [at('gru.safetensors'), '--port', '0', '--grpc-port', '0', '--log-level', 'silent', ...tls];
    server = await startServer(readServeOptions(words, {}) as ServeOptions);
    expect(server.http).toMatch(/^https:/);
  }

  const identity = (name: string | undefined) => (name ? { key: pem(`${name}.key`), cert: pem(`${name}.crt`) } : {});

  /** The status of a request over HTTP; undefined: no connection. */
  async function http(client?: string): Promise<number | undefined> {
    const options = { ca: pem('authority.crt'), ...identity(client), agent: false as const };
    try {
      const sent = request(`${server.http}/v2/health/ready`, options).end();
      const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
      response.resume();
      return response.statusCode;
    } catch {
      return undefined;
    }
  }

  /** What a stream of one step gives over a WebSocket; undefined: no connection. */
  async function socket(client?: string): Promise<Float32Array | undefined> {
    const url = `${server.http.replace('https', 'wss')}/v2/models/gru/stream`;
    const opened = new WebSocket(url, { ca: pem('authority.crt'), ...identity(client) });
    try {
      await once(opened, 'open');
      opened.send(steps(1));
      const [bytes] = (await once(opened, 'message')) as [Buffer];
      return new Float32Array(Uint8Array.from(bytes).buffer);
    } catch {
      return undefined;
    } finally {
      opened.terminate();
    }
  }

  /** Whether gRPC answers. */
  async function grpc(client?: string): Promise<boolean> {
    const [key, cert] = client ? [pem(`${client}.key`), pem(`${client}.crt`)] : [null, null];
    const channel = new Client(`localhost:${server.grpcPort!}`, credentials.createSsl(pem('authority.crt'), key, cert));
    const bytes = (value: Buffer) => value;
    const error = await new Promise<ServiceError | null>((resolve) => {
      const deadline = { deadline: Date.now() + 20_000 };
      channel.makeUnaryRequest(
        '/inference.GRPCInferenceService/ServerLive',
        bytes,
        bytes,
        Buffer.alloc(0),
        deadline,
        resolve,
      );
    });
    channel.close();
    return error === null;
  }

  test('HTTP, WebSockets and gRPC, to clients that know the authority', async () => {
    await start();
    expect(await http()).toBe(200);
    expect(await socket()).toEqual((await gruModel()).run(steps(1)).output.data.subarray(0, HIDDEN));
    expect(await grpc()).toBe(true);
    const plain = await fetch(`${server.http.replace('https', 'http')}/v2/health/ready`).catch(() => undefined);
    expect(plain).toBeUndefined();
  });

  test('with --tls-ca a client needs a certificate of that authority', async () => {
    await start('--tls-ca', at('authority.crt'));
    expect(await http('client')).toBe(200);
    expect(await socket('client')).toHaveLength(HIDDEN);
    expect(await grpc('client')).toBe(true);
    for (const name of [undefined, 'other']) {
      expect(await http(name), name).toBeUndefined();
      expect(await socket(name), name).toBeUndefined();
    }
    expect(await grpc()).toBe(false);
  });
});
