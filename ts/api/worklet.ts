import { ownBinaries } from '../backends/wasm/binaries.ts';
import { backendFrom } from '../backends/wasm/core.ts';
import { jsBackend } from '../backends/js/index.ts';
import { GruError } from '../base/errors.ts';
import { resolveGraph } from '../spec/graph.ts';
import { wasmOrJs } from './fallback.ts';
import { GruModel } from './model.ts';
import type { WasmModule } from './wasm-module.ts';
import type { WithNumbers } from '../base/numbers.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { copySpec } from '../spec/structure.ts';
import { checkCallback, checkFlag, checkOptions, describe, isRecord } from '../base/tensor.ts';
import { useAllKinds } from '../layers/full.ts';

useAllKinds();

/** The core of the library, compiled: a plain object that can be posted to worklets and workers. */
export interface WasmCore {
  /** Undefined where wasm does not run: the model is then one of the JS backend, with the bits of the baseline build. */
  module: WasmModule | undefined;
  /** Whether it is the relaxed SIMD build (false: the baseline build). */
  relaxed: boolean;
  /** Number of the kernels that run best in this engine. All give the same bits. */
  kernels: number;
}

/** Options of {@link compileForWorklet}. */
export interface WorkletOptions {
  /** The baseline build, whose results are the same bits on every machine. Default false: relaxed SIMD where there is some. */
  deterministic?: boolean | undefined;
  /** Called where wasm does not run here, with the reason. Left out: the first time is told by `console.warn`. */
  onFallback?: ((reason: GruError) => void) | undefined;
}

/** Wasm that is forbidden or missing. */
const NO_CORE: WasmCore = { module: undefined, relaxed: false, kernels: 0 };

/**
 * On the main thread: compiles the core and finds out which of its kernels run best here, for {@link createModelSync}. Where wasm is forbidden
 * (a content security policy without `wasm-unsafe-eval`) or missing, models run on JavaScript there.
 *
 * @throws GruError `invalid_argument`.
 *
 * @example
 * const model = await loadModel('amp.safetensors');
 * const processorOptions = { core: await compileForWorklet(), spec: model.spec };
 * const node = new AudioWorkletNode(context, 'amp', { processorOptions });
 */
export async function compileForWorklet(options: WorkletOptions = {}): Promise<WasmCore> {
  const { deterministic = false, onFallback } = checkOptions('compileForWorklet', options, [
    'deterministic',
    'onFallback',
  ]);
  checkFlag('compileForWorklet', 'deterministic', deterministic);
  checkCallback('onFallback', onFallback);
  const backend = await wasmOrJs({ deterministic, onFallback }, ownBinaries, () => undefined);
  if (!backend) return { ...NO_CORE };
  await backend.settled!();
  const { name, shared } = backend;
  return { ...shared!, relaxed: name === 'wasm-relaxed' };
}

/**
 * In an AudioWorkletProcessor, or any other thread: a model from a core that was compiled elsewhere. Synchronous; needs
 * neither a network, nor timers, nor text decoding. Models of one `core.module` share one instance of the core in each thread.
 *
 * @param core What {@link compileForWorklet} gave. For a binary of your own hosting:
 *   `{ module: await WebAssembly.compileStreaming(fetch('baseline.wasm')), relaxed: false, kernels: 0 }`.
 * @param spec What `model.spec` gave.
 * @throws GruError `invalid_argument`, `invalid_spec`, `backend_unavailable`, `out_of_memory`.
 *
 * @example
 * class Amp extends AudioWorkletProcessor {
 *   constructor({ processorOptions: { core, spec } }) {
 *     super();
 *     this.stream = createModelSync(core, spec).createStream();
 *     this.silence = new Float32Array(128);
 *   }
 *   process([[input]], [[output]]) {
 *     this.stream.run(input ?? this.silence, output); // a quantum: 128 steps
 *     return true;
 *   }
 * }
 */
export function createModelSync(core: WasmCore, spec: WithNumbers<ModelSpec>): GruModel {
  const { module, relaxed, kernels } = checkCore(core);
  if (!isRecord(spec)) {
    throw new GruError('invalid_spec', `createModelSync: the spec must be an object, got ${describe(spec)}`);
  }
  const graph = resolveGraph(copySpec(spec));
  const backend = module ? backendFrom(relaxed ? 'relaxed' : 'baseline', module, kernels) : jsBackend;
  return new GruModel(graph, backend.compile(graph), backend.name);
}

function checkCore(core: unknown): WasmCore {
  const { module, relaxed, kernels } = (isRecord(core) ? core : {}) as Record<keyof WasmCore, unknown>;
  const wrong = (what: string, value: unknown) =>
    new GruError('invalid_argument', `createModelSync: ${what}, got ${describe(value)}`);
  if (!isRecord(core)) throw wrong('the core must be what compileForWorklet gave', core);
  if (!('module' in core)) throw wrong('the core must be what compileForWorklet gave', core);
  if (module !== undefined && !isModule(module)) throw wrong('core.module must be a WebAssembly.Module', module);
  if (typeof relaxed !== 'boolean') throw wrong('core.relaxed must be true or false', relaxed);
  if (!isKernels(kernels)) throw wrong('core.kernels must be a whole number', kernels);
  return { module, relaxed, kernels };
}

function isKernels(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}

/** Asked by the language's own function, which an object with nothing but the prototype does not pass. */
function isModule(value: unknown): value is WebAssembly.Module {
  try {
    WebAssembly.Module.exports(value as WebAssembly.Module);
    return true;
  } catch {
    return false;
  }
}
