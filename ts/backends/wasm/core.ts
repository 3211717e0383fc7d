import type { Backend } from '../../backend.ts';
import { GruError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { compile } from './compile.ts';
import type { Engine } from './engine.ts';
import type { Kernels } from './kernels.ts';

export type BuildName = 'baseline' | 'relaxed';

const instances = new Map<BuildName, Engine>();

/**
 * This thread's instance of a build: made by the first call, synchronously. The core imports nothing and its functions take
 * and give numbers alone, so that wasm-bindgen's glue, one copy a build, would add nothing but its size.
 *
 * @throws GruError `backend_unavailable`.
 */
export function instantiate(name: BuildName, module: WebAssembly.Module): Engine {
  const running = instances.get(name);
  if (running) return running;
  let engine: Engine;
  try {
    engine = new WebAssembly.Instance(module).exports as unknown as Engine;
  } catch (cause) {
    throw cannotStart(name, cause);
  }
  if (typeof engine.state_set_lengths !== 'function') {
    throw new GruError('backend_unavailable', `the ${name} wasm module is not this version's`);
  }
  instances.set(name, engine);
  return engine;
}

/** The backend over an instance whose kernels are those given. */
export function backendOver(name: BuildName, engine: Engine, module: WebAssembly.Module, kernels: Kernels): Backend {
  return {
    name: `wasm-${name}`,
    get shared() {
      return { module, kernels: kernels.current };
    },
    settled: async () => {
      await kernels.final?.();
    },
    compile: (graph: Graph) => compile(engine, graph, kernels),
  };
}

/** Starts a backend whose module was compiled, and its kernels chosen, in another thread. Synchronous. */
export function backendFrom(name: BuildName, module: WebAssembly.Module, kernels: number): Backend {
  const engine = instantiate(name, module);
  if (engine.kernels_select(kernels) < 0) {
    throw new GruError('invalid_argument', `the ${name} wasm module has no kernels ${kernels}`);
  }
  return backendOver(name, engine, module, { current: kernels });
}

export function cannotStart(name: BuildName, cause: unknown): GruError {
  const message = `the ${name} wasm module could not be started: ${String(cause)}`;
  return new GruError('backend_unavailable', message, { cause });
}
