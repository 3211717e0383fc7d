import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** A redis-server; with an append-only file it can be killed and started again. */
export async function startRedis(folder, { port, appendOnly = false } = {}) {
  const own = port ?? (await freePort());
  const child = spawn(
    'redis-server',
    [
      '--port',
      String(own),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      appendOnly ? 'yes' : 'no',
      '--dir',
      folder,
    ],
    { stdio: 'ignore' },
  );
  const redis = new Redis(own, '127.0.0.1', { retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  while ((await redis.ping().catch(() => undefined)) !== 'PONG') await setTimeout(20);
  redis.disconnect();
  return {
    url: `redis://127.0.0.1:${own}`,
    port: own,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
