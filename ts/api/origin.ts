import type { Backend } from '../backends/backend.ts';
import type { Flavour } from '../layers/kind.ts';
import type { ModelInfo } from '../spec/info.ts';
import type { ModelOptions } from './options.ts';

/** Finds what computes: a backend that has the kinds of layers of this flavour. */
export type FindBackend = (options: ModelOptions, flavour: Flavour) => Promise<Backend>;

interface Origin {
  /** `gru-wasm/pool` starts the same one in its workers. */
  backend: Backend;
  /** `gru-wasm/precision` finds the backend of this model with other weights by it. */
  find: FindBackend;
}

/** What models were made by. */
export const origins = new WeakMap<ModelInfo, Origin>();

export function originOf(model: ModelInfo): Origin | undefined {
  return origins.get(model);
}
