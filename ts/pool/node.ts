type Threads = typeof import('node:worker_threads');

/** Node's worker threads (Deno's and Bun's too); undefined in browsers. Without an import, which bundlers would stumble over. */
export function nodeThreads(): Threads | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return process?.getBuiltinModule?.('node:worker_threads') as Threads | undefined;
}
