import { builtin, folderOf, onDemand } from '../../base/host.ts';
import type { BuildName } from './core.ts';
import type { WasmBinaries } from './index.ts';

/** The two builds of the core that the package brings with it. */
export const ownBinaries: WasmBinaries = {
  baseline: () => load('baseline'),
  relaxed: () => load('relaxed'),
};

/**
 * In Node the binaries are files near this one, unless it has been bundled: reading one takes 0.1 ms, loading and unpacking the
 * inlined ones 3 ms. Compiled at once there, for compiling asynchronously takes Node 4 ms more; browsers are not held up.
 */
async function load(name: BuildName): Promise<WebAssembly.Module> {
  const fs = builtin('node:fs');
  if (!fs) return WebAssembly.compile(await inlined(name));
  return new WebAssembly.Module(readFile(fs, name) ?? (await inlined(name)));
}

function readFile(fs: typeof import('node:fs'), name: BuildName): Uint8Array<ArrayBuffer> | undefined {
  // Deno would ask its user for leave to read.
  if ('Deno' in globalThis) return undefined;
  try {
    return fs.readFileSync(new URL(`${folderOf(import.meta.url)}../${name}.wasm`));
  } catch {
    return undefined;
  }
}

async function inlined(name: BuildName): Promise<Uint8Array<ArrayBuffer>> {
  return (await onDemand(() => import('./packed.ts'))).unpack(name);
}
