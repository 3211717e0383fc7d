import type { Backend } from '../backend.ts';
import { GruError } from '../../base/errors.ts';
import { builtin } from '../../base/host.ts';
import { backendOver, type BuildName, cannotStart } from './core.ts';
import { hasRelaxedSimd, hasSimd } from './detect.ts';
import { KernelChoice } from './kernels.ts';

export { hasRelaxedSimd, hasSimd };

/** Where the two builds of the core come from. */
export interface WasmBinaries {
  baseline(): Promise<WebAssembly.Module>;
  relaxed(): Promise<WebAssembly.Module>;
  /** The host's clock stands still while code runs, so that nothing can be timed: the first kernels are taken. */
  stillClock?: boolean;
}

/** What {@link wasmBackend} is asked for. */
export interface WasmOptions {
  binaries: WasmBinaries;
  /** The baseline build. */
  deterministic?: boolean;
  /** Node only: turn on V8's experimental revectorizer, which makes 256-bit code of the kernels for batches. */
  revectorize?: boolean;
}

interface Started {
  backend: Promise<Backend>;
  revectorize: boolean;
}

const started = new WeakMap<WasmBinaries, Map<BuildName, Started>>();

/**
 * The wasm backend: the relaxed SIMD build where the host has it, else (or with `deterministic`) the baseline build. All
 * models of a thread share one instance, and so one memory, of each build of these binaries.
 *
 * @throws GruError `backend_unavailable` where there is no WebAssembly SIMD, or the module is not this version's.
 */
export async function wasmBackend(options: WasmOptions): Promise<Backend> {
  if (!hasSimd()) {
    throw new GruError('backend_unavailable', 'this host has no WebAssembly SIMD');
  }
  const name = !options.deterministic && hasRelaxedSimd() ? 'relaxed' : 'baseline';
  const revectorize = options.revectorize === true;
  const builds = started.get(options.binaries) ?? new Map<BuildName, Started>();
  started.set(options.binaries, builds);
  let running = builds.get(name);
  if (!running) {
    running = { backend: start(name, options.binaries, revectorize), revectorize };
    builds.set(name, running);
    running.backend.catch(() => builds.delete(name));
  }
  if (revectorize && !running.revectorize) {
    throw new GruError('invalid_argument', 'revectorize is for the first model of a process');
  }
  return running.backend;
}

async function start(name: BuildName, binaries: WasmBinaries, revectorize: boolean): Promise<Backend> {
  if (revectorize) turnOnRevectorizer();
  let module: WebAssembly.Module;
  try {
    module = await binaries[name]();
  } catch (cause) {
    throw cannotStart(name, cause);
  }
  const { stillClock = false } = binaries;
  return backendOver(name, module, (engine) => (stillClock ? { current: 0 } : new KernelChoice(engine, revectorize)));
}

/** A flag of V8's, read when the module is compiled. */
function turnOnRevectorizer(): void {
  // V8 12 (Node 22) is the first to know the flag; others print a complaint and go on.
  const v8 = builtin('node:v8');
  if (!v8 || !(Number.parseInt(globalThis.process.versions.v8) >= 12)) {
    throw new GruError(
      'invalid_argument',
      "revectorize needs Node 22.3 or later: it is V8's --experimental-wasm-revectorize",
    );
  }
  v8.setFlagsFromString('--experimental-wasm-revectorize');
}
