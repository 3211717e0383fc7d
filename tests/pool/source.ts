import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { afterAll } from 'vitest';

const root = new URL('../../', import.meta.url);
const file = fileURLToPath(new URL(`target/pool-worker-${process.pid}-${Date.now()}.mjs`, root));

/** `ts/pool-worker.ts` as a script that Node runs. */
export const script = pathToFileURL(file);

await build({
  entryPoints: [fileURLToPath(new URL('ts/pool-worker.ts', root))],
  outfile: file,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  sourcemap: 'inline',
  logLevel: 'error',
});
afterAll(() => {
  rmSync(file, { force: true });
});

/** A worker that runs the source; or another script of this folder, which finds it in `workerData.script`. */
export function sourceWorker(name?: string, data: object = {}, options: WorkerOptions = {}): Worker {
  const url = name === undefined ? script : new URL(name, import.meta.url);
  return new Worker(url, { ...options, workerData: { ...data, script: script.href } });
}
