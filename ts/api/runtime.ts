import type { FindBackend, GruApi } from './api.ts';
import { createApi } from './arrays.ts';
import { wasmBackend, type WasmBinaries } from '../backends/wasm/index.ts';
import { GruError } from '../base/errors.ts';
import { checkOptions } from '../base/tensor.ts';

/** A wasm binary: its bytes, a response that brings them, or the compiled module; or a promise or function that gives it. */
export type WasmSource = WasmValue | Promise<WasmValue> | (() => WasmValue | Promise<WasmValue>);

export type WasmValue = BufferSource | Response | WebAssembly.Module;

/** The binaries of {@link createRuntime}; at least one. */
export interface RuntimeOptions {
  /** `gru-wasm/wasm/baseline.wasm`: runs wherever there is WebAssembly SIMD. */
  baseline?: WasmSource | undefined;
  /** `gru-wasm/wasm/relaxed.wasm`: faster, used where the host has relaxed SIMD. Left out: baseline is used everywhere. */
  relaxed?: WasmSource | undefined;
}

/**
 * The functions of `gru-wasm` over wasm binaries of your own hosting. Nothing is inlined, and there is no JS backend.
 * A function as source is called when the binary is needed, so that only one of the two is fetched.
 *
 * @throws GruError `invalid_argument` when there is no binary. Models made by the result throw `backend_unavailable` where the
 *   host cannot run the binaries given.
 *
 * @example
 * import { createRuntime } from 'gru-wasm/slim';
 * const { loadModel } = createRuntime({ baseline: () => fetch('/baseline.wasm'), relaxed: () => fetch('/relaxed.wasm') });
 */
export function createRuntime(options: RuntimeOptions): GruApi {
  const { baseline, relaxed } = checkOptions('createRuntime', options, ['baseline', 'relaxed']);
  if (baseline === undefined && relaxed === undefined) {
    throw new GruError('invalid_argument', 'createRuntime: give the baseline or the relaxed wasm binary, or both');
  }
  const binaries: WasmBinaries = {
    baseline: () => toModule('baseline', baseline),
    relaxed: () => toModule('relaxed', relaxed),
  };
  const find: FindBackend = async ({ backend, deterministic = false, revectorize = false }) => {
    if (backend === 'js') {
      throw new GruError('backend_unavailable', "gru-wasm/slim has no JS backend; import from 'gru-wasm/js'");
    }
    return wasmBackend({ deterministic: deterministic || relaxed === undefined, revectorize, binaries });
  };
  return createApi(find);
}

async function toModule(name: string, source: WasmSource | undefined): Promise<WebAssembly.Module> {
  if (source === undefined) throw new Error(`createRuntime was given no ${name} binary`);
  // WebAssembly.Module has no members, so its type holds for functions too.
  const give = typeof source === 'function' ? (source as () => WasmValue | Promise<WasmValue>) : () => source;
  const value: WasmValue = await give();
  if (value instanceof WebAssembly.Module) return value;
  // Asked last: Node loads its fetch when it hears the name, which takes 20 ms.
  const isBytes = value instanceof ArrayBuffer || ArrayBuffer.isView(value);
  if (isBytes || !(value instanceof Response)) return WebAssembly.compile(value);
  if (!value.ok) throw new Error(`HTTP status ${value.status} for ${value.url}`);
  return WebAssembly.compile(await value.arrayBuffer());
}
