import { type GruApi, inspectFile, modelFromFile, modelFromSpec } from './api.ts';
import type { FindBackend } from './origin.ts';
import type { LoadOptions, ModelOptions, ReadOptions } from './options.ts';
import { useTracer } from './tracer.ts';
import { gruFromArrays, lstmFromArrays, rnnFromArrays } from './arrays.ts';
import { createApi } from './create-api.ts';
import { wasmBackend, type WasmBinaries } from '../backends/wasm/index.ts';
import { GruError } from '../base/errors.ts';
import type { WithNumbers } from '../base/numbers.ts';
import { checkOptions, describe, isRecord } from '../base/tensor.ts';
import type { GruConfig, GruLayout } from '../formats/layouts/gru.ts';
import type { LstmConfig, LstmLayout } from '../formats/layouts/lstm.ts';
import type { RnnConfig, RnnLayout } from '../formats/layouts/rnn.ts';
import type { Inspection } from './inspect.ts';
import type { ModelSource } from '../io/source.ts';
import { useAllKinds } from '../layers/full.ts';
import type { GruModel } from './model.ts';
import { anyFile, traceOnDemand } from './on-demand.ts';
import type { WasmModule } from './wasm-module.ts';
import type { ModelSpec } from '../spec/spec.ts';

/** A wasm binary: its bytes, a response that brings them, or the compiled module; or a promise or function that gives it. */
export type WasmSource = WasmValue | Promise<WasmValue> | (() => WasmValue | Promise<WasmValue>);

/** A wasm binary: its bytes, a response that has them, or a compiled module. */
export type WasmValue = ArrayBuffer | ArrayBufferView | Response | WasmModule;

/** Wasm binaries of your own hosting; at least one. */
export interface RuntimeOptions {
  /** `gru-wasm/wasm/baseline.wasm`: runs wherever there is WebAssembly SIMD. */
  baseline?: WasmSource | undefined;
  /** `gru-wasm/wasm/relaxed.wasm`: faster, used where the host has relaxed SIMD. Left out: baseline is used everywhere. */
  relaxed?: WasmSource | undefined;
}

/** The option that the functions of `gru-wasm/slim` take beside those of `gru-wasm`. */
export interface OwnWasm {
  /** The binaries. Models of the same object share an instance and its memory: keep it in a variable. */
  wasm: RuntimeOptions;
}

useTracer(traceOnDemand);

/** The backend over these binaries, by their builds. */
function findOver(where: string, given: RuntimeOptions): FindBackend {
  const { baseline, relaxed } = checkOptions(where, given, ['baseline', 'relaxed']);
  if (baseline === undefined && relaxed === undefined) {
    throw new GruError('invalid_argument', `${where}: give the baseline or the relaxed wasm binary, or both`);
  }
  const binaries: WasmBinaries = {
    baseline: () => toModule('baseline', baseline),
    relaxed: () => toModule('relaxed', relaxed),
  };
  return async ({ backend, deterministic = false, revectorize = false }) => {
    if (backend === 'js') {
      throw new GruError('backend_unavailable', "gru-wasm/slim has no JS backend; import from 'gru-wasm/js'");
    }
    return wasmBackend({ deterministic: deterministic || relaxed === undefined, revectorize, binaries });
  };
}

const found = new WeakMap<RuntimeOptions, FindBackend>();

/** The same for the same `options.wasm`. */
function findBy(where: string, options: OwnWasm): FindBackend {
  const wasm: unknown = isRecord(options) ? options.wasm : undefined;
  if (!isRecord(wasm)) {
    const form = 'wasm: { baseline, relaxed }';
    throw new GruError('invalid_argument', `${where} of gru-wasm/slim needs the option ${form}, got ${describe(wasm)}`);
  }
  const find = found.get(wasm) ?? findOver(`${where}: wasm`, wasm);
  found.set(wasm, find);
  return find;
}

const OPTION = ['wasm'] as const;

/**
 * `createGru` of `gru-wasm` over wasm binaries of your own hosting; a program's bundle has of `gru-wasm/slim` what it names alone.
 *
 * @throws GruError as `createGru` of `gru-wasm`; `backend_unavailable` where the host cannot run the binaries given.
 *
 * @example
 * import { createGru } from 'gru-wasm/slim';
 * const wasm = { baseline: () => fetch('/baseline.wasm'), relaxed: () => fetch('/relaxed.wasm') };
 * const gru = await createGru({ inputSize: 4, hiddenSize: 8, resetAfter: false }, { kernel, recurrentKernel }, { wasm });
 */
export async function createGru(
  config: GruConfig,
  weights: GruLayout,
  options: ModelOptions & OwnWasm,
): Promise<GruModel> {
  return gruFromArrays(findBy('createGru', options), config, weights, options, OPTION);
}

/** `createLstm` of `gru-wasm`: see {@link createGru}. */
export async function createLstm(
  config: LstmConfig,
  weights: LstmLayout,
  options: ModelOptions & OwnWasm,
): Promise<GruModel> {
  return lstmFromArrays(findBy('createLstm', options), config, weights, options, OPTION);
}

/** `createRnn` of `gru-wasm`: see {@link createGru}. */
export async function createRnn(
  config: RnnConfig,
  weights: RnnLayout,
  options: ModelOptions & OwnWasm,
): Promise<GruModel> {
  return rnnFromArrays(findBy('createRnn', options), config, weights, options, OPTION);
}

/** `createModel` of `gru-wasm`: see {@link createGru}. */
export async function createModel(spec: WithNumbers<ModelSpec>, options: ModelOptions & OwnWasm): Promise<GruModel> {
  useAllKinds();
  return modelFromSpec(findBy('createModel', options), spec, options, OPTION);
}

/** `loadModel` of `gru-wasm`: see {@link createGru}. */
export async function loadModel(source: ModelSource, options: LoadOptions & OwnWasm): Promise<GruModel> {
  useAllKinds();
  return modelFromFile(findBy('loadModel', options), anyFile, source, options, OPTION);
}

/** `inspect` of `gru-wasm`, which needs no binary. */
export async function inspect(source: ModelSource, options?: ReadOptions): Promise<Inspection> {
  useAllKinds();
  return inspectFile(anyFile, source, options);
}

/**
 * The functions of `gru-wasm` over wasm binaries of your own hosting: those of this entry, without their option `wasm`. Nothing is inlined,
 * and there is no JS backend. A function as source is called when the binary is needed, so that only one of the two is fetched.
 *
 * @throws GruError `invalid_argument` when there is no binary. Models made by the result throw `backend_unavailable` where the
 *   host cannot run the binaries given.
 *
 * @example
 * import { createRuntime } from 'gru-wasm/slim';
 * const { loadModel } = createRuntime({ baseline: () => fetch('/baseline.wasm'), relaxed: () => fetch('/relaxed.wasm') });
 */
export function createRuntime(options: RuntimeOptions): GruApi {
  return createApi(findOver('createRuntime', options));
}

async function toModule(name: string, source: WasmSource | undefined): Promise<WebAssembly.Module> {
  if (source === undefined) throw new Error(`no ${name} binary was given`);
  // WebAssembly.Module has no members, so its type holds for functions too.
  const give = typeof source === 'function' ? (source as () => WasmValue | Promise<WasmValue>) : () => source;
  const value: WasmValue = await give();
  if (value instanceof WebAssembly.Module) return value;
  // Asked last: Node loads its fetch when it hears the name, which takes 20 ms.
  const isBytes = value instanceof ArrayBuffer || ArrayBuffer.isView(value);
  if (isBytes || !(value instanceof Response)) return WebAssembly.compile(value as BufferSource);
  if (!value.ok) throw new Error(`HTTP status ${value.status} for ${value.url}`);
  return value.arrayBuffer().then(WebAssembly.compile);
}
