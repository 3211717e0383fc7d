import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { vi } from 'vitest';

/** `npm test` of the repository installs it where it may. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

export interface TestRedis {
  url: string;
  child: ChildProcess;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** A Redis of this test's own; with `folder` its data survive a restart. */
export async function startRedis(port?: number, folder?: string, more: readonly string[] = []): Promise<TestRedis> {
  const at = port ?? (await freePort());
  const args = ['--port', String(at), '--bind', '127.0.0.1', '--save', '', '--appendonly', folder ? 'yes' : 'no'];
  const child = spawn('redis-server', [...args, '--dir', folder ?? tmpdir(), ...more], { stdio: 'ignore' });
  const redis = new Redis(at, '127.0.0.1', { retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  // An error of its own is an answer too.
  const answers = () => redis.ping().catch((error: unknown) => (error as Error).name === 'ReplyError');
  await vi.waitUntil(answers, { timeout: 60_000, interval: 20 });
  redis.disconnect();
  return {
    url: `redis://127.0.0.1:${at}`,
    child,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  };
}
