import { GruError } from './errors.ts';

interface Builtins {
  'node:fs': typeof import('node:fs');
  'node:os': typeof import('node:os');
  'node:path': typeof import('node:path');
  'node:url': typeof import('node:url');
  'node:v8': typeof import('node:v8');
  'node:worker_threads': typeof import('node:worker_threads');
  'node:zlib': typeof import('node:zlib');
}

/**
 * A chunk of the package, loaded when it is needed.
 *
 * @throws GruError `backend_unavailable` where chunks cannot be loaded, naming the entry that has none.
 */
export async function onDemand<T>(load: () => Promise<T>): Promise<T> {
  try {
    const part = await load();
    // Rollup's bundle of one file has not run it yet where a top-level await waits for it.
    if (part === undefined) throw new Error('it comes after a top-level await');
    return part;
  } catch (cause) {
    const text = String(cause).slice(0, 200);
    throw new GruError(
      'backend_unavailable',
      `import() of a part of gru-wasm failed: ${text}. Service workers and scripts of one file take 'gru-wasm/static'`,
      { cause },
    );
  }
}

/**
 * The folder of the module whose `import.meta.url` this is. Files in it are named by this and not in the form
 * `new URL('name', import.meta.url)`, which makes bundlers ship them.
 */
export function folderOf(url: string): string {
  return url.slice(0, url.lastIndexOf('/') + 1);
}

/** A module of Node's (Deno and Bun have them too); undefined in browsers. Not by import, which webpack refuses for browsers. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: Name) => Builtins[Name] } };
  try {
    return process?.getBuiltinModule?.(name);
  } catch {
    return undefined; // Next's edge runtime has the function, which throws
  }
}

/**
 * Refuses a Node that has no `process.getBuiltinModule`, by which files are read: without this an old one would take paths for URLs.
 *
 * @throws GruError `unsupported`.
 */
export function checkHost(): void {
  const { process } = globalThis as { process?: { versions?: { node?: string }; getBuiltinModule?: unknown } };
  const version = process?.versions?.node;
  if (version === undefined || typeof process!.getBuiltinModule === 'function') return;
  throw new GruError('unsupported', `Node ${version} is too old: gru-wasm needs 20.19, 22.3 or later`);
}

/** `util.inspect.custom`, without importing `node:util`: by it an object says what Node, Deno and Bun print of it. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;
