import type { Backend } from '../backends/backend.ts';
import type { GruModel } from './model.ts';

type LoadTracer = () => Promise<Pick<typeof import('./trace.ts'), 'traceLayer'>>;

interface Origin {
  /** `gru-wasm/pool` starts the same one in its workers. */
  backend: Backend;
  /** Here and not in the model's code, which is in audio threads too: their scripts are one file, without `import()`. */
  loadTracer: LoadTracer;
}

const origins = new WeakMap<GruModel, Origin>();

/** Keeps in mind what a model was made by. */
export function rememberOrigin(model: GruModel, origin: Origin): GruModel {
  origins.set(model, origin);
  return model;
}

export function originOf(model: GruModel): Origin | undefined {
  return origins.get(model);
}
