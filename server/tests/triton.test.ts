import { spawnSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readServeOptions, type ServeOptions } from '../src/options.ts';
import { startServer } from '../src/serve.ts';
import { gruModel } from './models.ts';

/** A Python with tritonclient[http,grpc]: `GRU_PYTHON`, or the machine's own. */
const python = process.env['GRU_PYTHON'] ?? 'python3';
const hasClient = spawnSync(python, ['-c', 'import tritonclient.http, tritonclient.grpc']).status === 0;

test.skipIf(!hasClient)("Triton's Python client, over HTTP and gRPC", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gru-triton-'));
  const path = join(folder, 'gru.safetensors');
  await writeFile(path, (await gruModel()).save());
  const options = readServeOptions(
    [path, '--port', '0', '--grpc-port', '0', '--log-level', 'silent'],
    {},
  ) as ServeOptions;
  const server = await startServer(options);
  const script = new URL('./clients/tritonclient_test.py', import.meta.url).pathname;
  const child = spawn(python, [script, new URL(server.http).port, String(server.grpcPort)], { stdio: 'pipe' });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (text += String(piece)));
  await new Promise((resolve) => child.on('close', resolve));
  await server.close();
  await rm(folder, { recursive: true });
  expect(text).toBe('ok\n');
});
