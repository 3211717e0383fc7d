import { spawnSync, type SpawnSyncOptions } from 'node:child_process';

/** Ten times what the slowest of these scripts takes, and more. */
const TIMEOUT = 100_000;

/**
 * Runs a script under this Node; one that does not end is ended and run again, once. For Node may not end: when it has nothing more to do, it waits for V8's
 * compile jobs, and one of those may wait for the main thread to collect garbage (nodejs/node#54918, open; seen here on Node 20.20 with gdb, in 2 of some 40 runs of
 * all tests). With what V8 compiles on the main thread there is no such job to wait for; the second run is for what else there may be.
 */
export function runNode(args: readonly string[], options: SpawnSyncOptions = {}) {
  const run = () =>
    spawnSync(process.execPath, ['--no-concurrent-recompilation', ...args], {
      encoding: 'utf8',
      timeout: TIMEOUT,
      ...options,
    });
  const first = run();
  const { code } = (first.error ?? {}) as NodeJS.ErrnoException;
  const { status, stdout, stderr } = code === 'ETIMEDOUT' ? run() : first;
  return { status, stdout: String(stdout), stderr: String(stderr) };
}

/** What a script prints. @throws Error with its `stderr` where it fails. */
export function printedByNode(args: readonly string[], options: SpawnSyncOptions = {}): string {
  const { status, stdout, stderr } = runNode(args, options);
  if (status === 0) return stdout;
  throw Object.assign(new Error(`${args.join(' ')} ended with ${String(status)}: ${stderr}`), { stderr });
}
