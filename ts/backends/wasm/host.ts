interface Builtins {
  'node:fs': typeof import('node:fs');
  'node:zlib': typeof import('node:zlib');
}

/** A module of Node's (Deno and Bun have them too); undefined in browsers. Without an import, which bundlers would stumble over. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: Name) => Builtins[Name] } };
  return process?.getBuiltinModule?.(name);
}
