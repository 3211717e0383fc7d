import { type GruApi, inspectFile, modelFromFile, modelFromSpec } from './api.ts';
import type { FindBackend } from './origin.ts';
import type { ModelOptions } from './options.ts';
import { useTracer } from './tracer.ts';
import { anyFile, traceOnDemand } from './on-demand.ts';
import { gruFromArrays, lstmFromArrays, rnnFromArrays } from './arrays.ts';
import type { Backend } from '../backends/backend.ts';
import { coreJsBackend } from '../backends/js/core.ts';
import { jsBackend } from '../backends/js/index.ts';
import { GruError } from '../base/errors.ts';
import { useAllKinds } from '../layers/full.ts';

useTracer(traceOnDemand);

const unlessWasm = (asked: ModelOptions['backend'], backend: Backend): Promise<Backend> =>
  asked === 'wasm'
    ? Promise.reject(new GruError('backend_unavailable', "gru-wasm/js has no wasm backend; import from 'gru-wasm'"))
    : Promise.resolve(backend);

const find: FindBackend = ({ backend }) => {
  useAllKinds();
  return unlessWasm(backend, jsBackend);
};

/** For what is made of recurrent layers alone: where a program calls nothing else, its bundle lacks all other layers. */
const findCore: FindBackend = ({ backend }) => unlessWasm(backend, coreJsBackend);

/** `loadModel` of `gru-wasm` on the JS backend: no WebAssembly. */
export const loadModel: GruApi['loadModel'] = (source, options) => modelFromFile(find, anyFile, source, options);

/** `inspect` of `gru-wasm`. */
export const inspect: GruApi['inspect'] = (source, options) => inspectFile(anyFile, source, options);
/** `createModel` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createModel: GruApi['createModel'] = (spec, options) => modelFromSpec(find, spec, options);
/** `createGru` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createGru: GruApi['createGru'] = (config, weights, options) =>
  gruFromArrays(findCore, config, weights, options);
/** `createLstm` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createLstm: GruApi['createLstm'] = (config, weights, options) =>
  lstmFromArrays(findCore, config, weights, options);
/** `createRnn` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createRnn: GruApi['createRnn'] = (config, weights, options) =>
  rnnFromArrays(findCore, config, weights, options);
