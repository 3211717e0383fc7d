import { wasm } from '@rollup/plugin-wasm';

/**
 * Rollup and vitest read an import of a `.wasm` file alike: base64 in the module, decoded by `atob` in whichever host runs it. (Of the forms that
 * decode in Node by `Buffer` Parcel would bundle all of that for browsers.)
 */
export const inlineWasm = () => wasm({ targetEnv: 'browser', maxFileSize: 2 ** 26 });
