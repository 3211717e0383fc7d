import { onDemand } from '../base/host.ts';
import type { ReadFiles } from './read.ts';

// Apart from what `gru-wasm/static` is made of: Vite 8 (Rolldown) counts an `import()` that a script never reaches.

/** The reader of all formats: a chunk of its own, for a program that makes its models from arrays does without. */
export const anyFile = (): Promise<ReadFiles> => onDemand(() => import('./read-any.ts'));

/** What traces a model: a chunk too. */
export const traceOnDemand = () => onDemand(() => import('./trace.ts'));
