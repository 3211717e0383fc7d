import type { Backend } from '../backends/backend.ts';
import type { FindBackend } from './api.ts';
import type { GruModel } from './model.ts';

interface Origin {
  /** `gru-wasm/pool` starts the same one in its workers. */
  backend: Backend;
  /** `gru-wasm/precision` finds the backend of this model with other weights by it. */
  find: FindBackend;
}

/** What models were made by. */
export const origins = new WeakMap<GruModel, Origin>();

export function originOf(model: GruModel): Origin | undefined {
  return origins.get(model);
}

type Tracer = Pick<typeof import('./trace.ts'), 'traceLayer'>;
type LoadTracer = () => Tracer | Promise<Tracer>;

/** How `model.trace` gets what it runs by. Each entry says it: some are one file, without `import()`. */
export let loadTracer: LoadTracer | undefined;

/** Unless it is there: what an entry without `import()` brought runs for the models of all. */
export function useTracer(load: LoadTracer): void {
  loadTracer ??= load;
}

/** Of an entry without `import()`. */
export function bringTracer(tracer: Tracer): void {
  loadTracer = () => tracer;
}
