import type { Backend } from '../backend.ts';
import { compile } from './compile.ts';
import { JS_CORE_LAYERS } from './layers/index.ts';

/** That of the core flavour, 9 KB less: for programs of recurrent layers alone. */
export const coreJsBackend: Backend = { name: 'js', compile: (graph) => compile(graph, JS_CORE_LAYERS) };
