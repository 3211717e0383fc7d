import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

/**
 * Runs a test binary of cargo's for wasm32-wasip1: `node scripts/wasi.mjs BINARY [arguments]`, which is what cargo calls as its
 * runner (scripts/test.mjs). The harness prints and exits as it does on any target.
 */
const [binary, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [binary, ...args], env: {}, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(binary), wasi.getImportObject());
process.exitCode = wasi.start(instance);
