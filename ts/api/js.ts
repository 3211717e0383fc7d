import { createApi, type GruApi } from './api.ts';
import { jsBackend } from '../backends/js/index.ts';
import { GruError } from '../base/errors.ts';

const api = createApi(({ backend }) =>
  backend === 'wasm'
    ? Promise.reject(new GruError('backend_unavailable', "gru-wasm/js has no wasm backend; import from 'gru-wasm'"))
    : Promise.resolve(jsBackend),
);

/** `loadModel` of `gru-wasm` on the JS backend: no WebAssembly. */
export const loadModel: GruApi['loadModel'] = api.loadModel;

/** `inspect` of `gru-wasm`. */
export const inspect: GruApi['inspect'] = api.inspect;
/** `createModel` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createModel: GruApi['createModel'] = api.createModel;
/** `createGru` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createGru: GruApi['createGru'] = api.createGru;
/** `createLstm` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createLstm: GruApi['createLstm'] = api.createLstm;
/** `createRnn` of `gru-wasm` on the JS backend: no WebAssembly. */
export const createRnn: GruApi['createRnn'] = api.createRnn;
