import {
  anyFile,
  type FindBackend,
  type GruApi,
  inspectFile,
  modelFromFile,
  modelFromSpec,
  traceOnDemand,
} from './api.ts';
import { useTracer } from './origin.ts';
import { gruFromArrays, lstmFromArrays, rnnFromArrays } from './arrays.ts';
import { jsBackend } from '../backends/js/index.ts';
import { GruError } from '../base/errors.ts';
import { useAllKinds } from '../layers/full.ts';

useAllKinds();
useTracer(traceOnDemand);

const find: FindBackend = ({ backend }) =>
  backend === 'wasm'
    ? Promise.reject(new GruError('backend_unavailable', "gru-wasm/js has no wasm backend; import from 'gru-wasm'"))
    : Promise.resolve(jsBackend);

/** `loadModel` of `gru-wasm` on the JS backend: no WebAssembly. */
export const loadModel: GruApi['loadModel'] = (source, options) => modelFromFile(find, anyFile, source, options);

/** `inspect` of `gru-wasm`. */
export const inspect: GruApi['inspect'] = (source, options) => inspectFile(anyFile, source, options);
/** `createModel` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createModel: GruApi['createModel'] = (spec, options) => modelFromSpec(find, spec, options);
/** `createGru` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createGru: GruApi['createGru'] = (config, weights, options) =>
  gruFromArrays(find, config, weights, options);
/** `createLstm` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createLstm: GruApi['createLstm'] = (config, weights, options) =>
  lstmFromArrays(find, config, weights, options);
/** `createRnn` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createRnn: GruApi['createRnn'] = (config, weights, options) =>
  rnnFromArrays(find, config, weights, options);
