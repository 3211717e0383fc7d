import { initSync as initBaseline } from '../../../crate/pkg/baseline/gru_wasm.js';
import { initSync as initRelaxed } from '../../../crate/pkg/relaxed/gru_wasm.js';
import type { Backend } from '../../backend.ts';
import { GruError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { compile } from './compile.ts';
import { hasRelaxedSimd, hasSimd } from './detect.ts';
import type { Engine } from './engine.ts';
import { chooseKernels } from './kernels.ts';

export { hasRelaxedSimd, hasSimd };

/** Where the two builds of the core come from. */
export interface WasmBinaries {
  baseline(): Promise<WebAssembly.Module>;
  relaxed(): Promise<WebAssembly.Module>;
}

const started = new Map<string, Promise<Backend>>();

/**
 * The wasm backend: the relaxed SIMD build where the host has it, else (or with `deterministic`) the baseline build. All
 * models of a thread share one instance, and so one memory, of each build.
 *
 * @throws GruError `backend_unavailable` where there is no WebAssembly SIMD, or the module is not this version's.
 */
export async function wasmBackend(options: { deterministic?: boolean; binaries: WasmBinaries }): Promise<Backend> {
  if (!hasSimd()) {
    throw new GruError('backend_unavailable', "this host has no WebAssembly SIMD; use { backend: 'js' }");
  }
  const name = !options.deterministic && hasRelaxedSimd() ? 'relaxed' : 'baseline';
  let backend = started.get(name);
  if (!backend) {
    backend = start(name, options.binaries);
    started.set(name, backend);
    backend.catch(() => started.delete(name));
  }
  return backend;
}

async function start(name: 'baseline' | 'relaxed', binaries: WasmBinaries): Promise<Backend> {
  let engine: Engine;
  try {
    const module = await binaries[name]();
    engine = (name === 'relaxed' ? initRelaxed : initBaseline)({ module });
  } catch (cause) {
    throw new GruError('backend_unavailable', `the ${name} wasm module could not be started: ${String(cause)}`, {
      cause,
    });
  }
  if (typeof engine.state_set_lengths !== 'function') {
    throw new GruError('backend_unavailable', `the ${name} wasm module is not this version's`);
  }
  await chooseKernels(engine);
  return { name: `wasm-${name}`, compile: (graph: Graph) => compile(engine, graph) };
}
