import type { Backend } from './backend.ts';
import { GruError } from './errors.ts';
import { readModel } from './formats/index.ts';
import { resolveGraph } from './graph.ts';
import { type GruConfig, type GruLayout, gruSpec } from './gru.ts';
import { GruModel } from './model.ts';
import { rememberBackend } from './origin.ts';
import { type ModelSource, readSource } from './source.ts';
import type { ModelSpec } from './spec.ts';
import { checkOptions, describe, isRecord } from './tensor.ts';

/** Options of `createModel` and `createGru`. */
export interface ModelOptions {
  /** What computes. `auto`, the default: wasm where it runs, else JavaScript. */
  backend?: 'auto' | 'wasm' | 'js' | undefined;
  /**
   * Use the baseline wasm build, whose results are the same bits on every machine (and those of the JS backend), instead of
   * relaxed SIMD, which is faster. Default false.
   */
  deterministic?: boolean | undefined;
  /**
   * Node only, experimental: turn on V8's `--experimental-wasm-revectorize` for the whole process before the core is compiled.
   * Batches of 6 rows and more then run about twice as fast on Node 24 and later, with the same bits. Must be asked for by
   * the first model of the process. Default false.
   */
  revectorize?: boolean | undefined;
}

/** Options of `loadModel`. */
export interface LoadOptions extends ModelOptions {
  /** Aborts reading; `loadModel` then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The functions that make models. */
export interface GruApi {
  /** Reads a model file and compiles it. */
  readonly loadModel: (source: ModelSource, options?: LoadOptions) => Promise<GruModel>;
  /** Compiles a model from its description. */
  readonly createModel: (spec: ModelSpec, options?: ModelOptions) => Promise<GruModel>;
  /** Builds a GRU, or a stack of them, from arrays. */
  readonly createGru: (config: GruConfig, weights: GruLayout, options?: ModelOptions) => Promise<GruModel>;
}

const MODEL_OPTIONS = ['backend', 'deterministic', 'revectorize'];

/** The functions over backends that `resolve` finds. */
export function createApi(resolve: (options: ModelOptions) => Promise<Backend>): GruApi {
  async function compile(spec: ModelSpec, options: ModelOptions): Promise<GruModel> {
    const graph = resolveGraph(spec);
    const backend = await resolve(options);
    return rememberBackend(new GruModel(graph, backend.compile(graph), backend.name), backend);
  }
  return {
    async loadModel(source, options = {}) {
      check('loadModel', options, [...MODEL_OPTIONS, 'signal']);
      // The backend starts while the file is read.
      const [spec] = await Promise.all([readSource(source, options.signal).then(readModel), resolve(options)]);
      return compile(spec, options);
    },
    async createModel(spec, options = {}) {
      check('createModel', options, MODEL_OPTIONS);
      if (!isRecord(spec)) throw new GruError('invalid_spec', `the spec must be an object, got ${describe(spec)}`);
      return compile(spec, options);
    },
    async createGru(config, weights, options = {}) {
      check('createGru', options, MODEL_OPTIONS);
      return compile(gruSpec(config, weights), options);
    },
  };
}

function check(where: string, options: ModelOptions, known: string[]): void {
  checkOptions(where, options, known);
  const { backend = 'auto' } = options;
  if (!['auto', 'wasm', 'js'].includes(backend)) {
    throw new GruError('invalid_argument', `${where}: backend must be auto, wasm or js, got ${describe(backend)}`);
  }
}
