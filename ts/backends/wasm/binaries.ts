import { builtin, folderOf, onDemand } from '../../base/host.ts';
import type { BuildName } from './core.ts';
import type { WasmBinaries } from './index.ts';
import { type LoadPacked, unpack } from './unpack.ts';

type Packed = () => Promise<{ packed: LoadPacked }>;

/** The builds of a flavour: where they are inlined, and what the names of their files start with. */
function binariesOf(inlined: Packed, prefix = ''): WasmBinaries {
  const build = (name: BuildName) => () => load(name, prefix + name, inlined);
  return { baseline: build('baseline'), relaxed: build('relaxed') };
}

// Each flavour by itself, with its `import()`: a bundle has those alone that its program reaches.

/** The two builds that the package brings with it, with all kinds of layers. */
export const ownBinaries = /* @__PURE__ */ binariesOf(() => import('./packed.ts'));

/** Those of the core flavour. */
export const coreBinaries = /* @__PURE__ */ binariesOf(() => import('./packed-core.ts'), 'core-');

/**
 * In Node the binaries are files near this one, unless it has been bundled: reading one takes 0.1 ms, loading and unpacking the
 * inlined ones 3 ms. Compiled at once there, for compiling asynchronously takes Node 4 ms more; browsers are not held up.
 */
async function load(name: BuildName, file: string, inlined: Packed): Promise<WebAssembly.Module> {
  const unpacked = async () => unpack((await onDemand(inlined)).packed, name);
  const fs = builtin('node:fs');
  // No call with an await in it: Next's development server moves what such a call says into a function that is not async.
  if (!fs) return unpacked().then(WebAssembly.compile);
  return new WebAssembly.Module(readFile(fs, file) ?? (await unpacked()));
}

function readFile(fs: typeof import('node:fs'), name: string): Uint8Array<ArrayBuffer> | undefined {
  // Deno would ask its user for leave to read.
  if ('Deno' in globalThis) return undefined;
  try {
    return fs.readFileSync(new URL(`${folderOf(import.meta.url)}../${name}.wasm`));
  } catch {
    return undefined;
  }
}
