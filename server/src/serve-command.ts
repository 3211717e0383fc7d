import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CommandError, type ExitCode } from 'gru-wasm/command';
import { readServeOptions, SERVE_HELP } from './options.ts';
import type { Failure } from './serve-thread.ts';

/**
 * MiB for young objects: three parts, of which one is filled before they are collected. Requests on their way live through a collection, and are copied: of 16
 * MiB, as Node 20 and 22 have it, collecting took 8 % of the time at 100,000 steps a second, of 64 1 %. Only a thread can be given it here.
 */
const YOUNG = 3 * 64;

/** `gru serve`: until SIGTERM or SIGINT. */
export async function serve(args: string[]): Promise<number> {
  const options = readServeOptions(args);
  if (options === 'help') {
    console.log(SERVE_HELP);
    return 0;
  }
  const thread = new Worker(new URL('./serve-thread.js', import.meta.url), {
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG },
  });
  let failed: Failure | undefined;
  thread.on('message', (failure: Failure) => (failed = failure));
  const close = () => {
    thread.postMessage('close');
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, close);
  // Rejects with what the thread did not catch.
  const [code] = (await once(thread, 'exit')) as [number];
  for (const signal of ['SIGTERM', 'SIGINT']) process.off(signal, close);
  if (failed) throw new CommandError(failed.exit as ExitCode, failed.line);
  return code;
}
