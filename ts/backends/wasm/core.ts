import type { Backend } from '../backend.ts';
import { GruError } from '../../base/errors.ts';
import type { Graph } from '../../spec/graph.ts';
import { compile } from './compile.ts';
import type { Engine } from './engine.ts';
import { Instance } from './instance.ts';
import type { Kernels } from './kernels.ts';

export type BuildName = 'baseline' | 'relaxed';

interface Running {
  readonly instance: Instance;
  readonly kernels: Kernels;
}

/** This thread's instance of each module. A name would not tell two binaries apart. */
const instances = new WeakMap<WebAssembly.Module, Running>();

/**
 * This thread's instance of a module: made, synchronously, by the first call and by the first one after its death, when the kernels
 * stay those it had. The core imports nothing and its functions take and give numbers alone, so that wasm-bindgen's glue, one
 * copy a build, would add nothing but its size.
 *
 * @throws GruError `backend_unavailable`.
 */
function running(name: BuildName, module: WebAssembly.Module, choose: (engine: Engine) => Kernels): Running {
  const known = instances.get(module);
  if (known && !known.instance.dead) return known;
  const instance = new Instance(instantiate(name, module));
  const kernels = known ? select(name, instance.engine, known.kernels.current) : choose(instance.engine);
  const made = { instance, kernels };
  instances.set(module, made);
  return made;
}

/** The instance that runs a module, if there is one. */
export function instanceOf(module: WebAssembly.Module): Instance | undefined {
  return instances.get(module)?.instance;
}

function instantiate(name: BuildName, module: WebAssembly.Module): Engine {
  let engine: Engine;
  try {
    engine = new WebAssembly.Instance(module).exports as unknown as Engine;
  } catch (cause) {
    throw cannotStart(name, cause);
  }
  if (typeof engine.state_set_lengths !== 'function') {
    throw new GruError('backend_unavailable', `the ${name} wasm module is not this version's`);
  }
  return engine;
}

function select(name: BuildName, engine: Engine, kernels: number): Kernels {
  if (engine.kernels_select(kernels) < 0) {
    throw new GruError('invalid_argument', `the ${name} wasm module has no kernels ${kernels}`);
  }
  return { current: kernels };
}

/** The backend over a module, whose kernels are chosen by `choose` when its first instance is made: now. */
export function backendOver(name: BuildName, module: WebAssembly.Module, choose: (engine: Engine) => Kernels): Backend {
  const now = () => running(name, module, choose);
  now();
  return {
    name: `wasm-${name}`,
    get shared() {
      return { module, kernels: now().kernels.current };
    },
    settled: async () => {
      await now().kernels.final?.();
    },
    compile(graph: Graph) {
      const { instance, kernels } = now();
      return compile(instance, graph, kernels);
    },
  };
}

/** Starts a backend whose module was compiled, and its kernels chosen, in another thread. Synchronous. */
export function backendFrom(name: BuildName, module: WebAssembly.Module, kernels: number): Backend {
  const choose = (engine: Engine) => select(name, engine, kernels);
  const backend = backendOver(name, module, choose);
  choose(running(name, module, choose).instance.engine);
  return backend;
}

export function cannotStart(name: BuildName, cause: unknown): GruError {
  const message = `the ${name} wasm module could not be started: ${String(cause)}`;
  return new GruError('backend_unavailable', message, { cause });
}
