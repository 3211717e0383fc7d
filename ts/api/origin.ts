import type { Backend } from '../backends/backend.ts';
import type { GruModel } from './model.ts';

const backends = new WeakMap<GruModel, Backend>();

/** Keeps in mind which backend a model was compiled by; `gru-wasm/pool` starts the same one in its workers. */
export function rememberBackend(model: GruModel, backend: Backend): GruModel {
  backends.set(model, backend);
  return model;
}

export function backendOf(model: GruModel): Backend | undefined {
  return backends.get(model);
}
