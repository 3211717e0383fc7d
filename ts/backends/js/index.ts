import type { Backend } from '../backend.ts';
import { compile } from './compile.ts';
import { JS_LAYERS } from './layers/full.ts';

/**
 * The backend without WebAssembly: where it is not to be had, and what the others are checked against. Its results are
 * those of the baseline wasm build, bit for bit (docs/arithmetic.md).
 */
export const jsBackend: Backend = { name: 'js', compile: (graph) => compile(graph, JS_LAYERS) };
