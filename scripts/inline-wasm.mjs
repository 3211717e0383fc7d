import { wasm } from '@rollup/plugin-wasm';

/** Rollup and vitest read an import of a `.wasm` file alike: base64 in the module, decoded in whichever host runs it. */
export const inlineWasm = () => wasm({ targetEnv: 'auto-inline', maxFileSize: 2 ** 26 });
