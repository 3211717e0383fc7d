import type { Backend } from '../backends/backend.ts';
import { GruError } from '../base/errors.ts';
import type { ImportedModel } from '../formats/report.ts';
import { resolveGraph } from '../spec/graph.ts';
import { type GruConfig, type GruLayout, gruSpec } from '../formats/layouts/gru.ts';
import { type LstmConfig, type LstmLayout, lstmSpec } from '../formats/layouts/lstm.ts';
import { type RnnConfig, type RnnLayout, rnnSpec } from '../formats/layouts/rnn.ts';
import { GruModel } from './model.ts';
import { rememberBackend } from './origin.ts';
import type { Inspection } from './inspect.ts';
import type { ReadOptions } from './read.ts';
import type { ModelSource } from '../io/source.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { copySpec } from '../spec/structure.ts';
import { checkFlag, checkOptions, describe, isRecord } from '../base/tensor.ts';

/** Options of `createModel`, `createGru`, `createLstm` and `createRnn`. */
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
export interface LoadOptions extends ModelOptions, ReadOptions {}

/** The functions that make models. */
export interface GruApi {
  /** Reads a model file and compiles it. Bytes that are given are not copied: leave them as they are until it resolves. */
  readonly loadModel: (source: ModelSource, options?: LoadOptions) => Promise<GruModel>;
  /** Says what a model file holds, without compiling it. */
  readonly inspect: (source: ModelSource, options?: ReadOptions) => Promise<Inspection>;
  /** Compiles a model from its description. */
  readonly createModel: (spec: ModelSpec, options?: ModelOptions) => Promise<GruModel>;
  /** Builds a GRU, or a stack of them, from arrays. */
  readonly createGru: (config: GruConfig, weights: GruLayout, options?: ModelOptions) => Promise<GruModel>;
  /** Builds an LSTM, or a stack of them, from arrays. */
  readonly createLstm: (config: LstmConfig, weights: LstmLayout, options?: ModelOptions) => Promise<GruModel>;
  /** Builds a simple RNN, or a stack of them, from arrays. */
  readonly createRnn: (config: RnnConfig, weights: RnnLayout, options?: ModelOptions) => Promise<GruModel>;
}

const MODEL_OPTIONS = ['backend', 'deterministic', 'revectorize'];
const READ_OPTIONS = ['signal', 'files', 'maxBytes', 'keras', 'pytorch', 'onnx'];

type CompileSource = Pick<ImportedModel, 'spec'> & Partial<ImportedModel>;

/** A chunk of its own: a program that makes its models from arrays does without. */
const reading = () => import('./read.ts');

/** The functions over backends that `resolve` finds. */
export function createApi(resolve: (options: ModelOptions) => Promise<Backend>): GruApi {
  async function compile(imported: CompileSource, options: ModelOptions): Promise<GruModel> {
    const backend = await resolve(options);
    // In one turn: weights that are checked are those that are packed.
    const graph = imported.graph ?? resolveGraph(imported.spec);
    return rememberBackend(new GruModel(graph, backend.compile(graph), backend.name, imported.report), backend);
  }
  function fromArrays<C, L>(name: string, toSpec: (config: C, weights: L) => ModelSpec) {
    return async (config: C, weights: L, given: ModelOptions = {}) => {
      const options = check(name, given, MODEL_OPTIONS);
      return compile({ spec: copySpec(toSpec(config, weights)) }, options);
    };
  }
  return {
    async loadModel(source, given = {}) {
      const options = check('loadModel', given, [...MODEL_OPTIONS, ...READ_OPTIONS]);
      // The backend starts while the file is read.
      const [imported] = await Promise.all([reading().then(({ read }) => read(source, options)), resolve(options)]);
      return compile(imported, options);
    },
    async inspect(source, given = {}) {
      const options = checkOptions('inspect', given, READ_OPTIONS);
      return (await reading()).inspectSource(source, options);
    },
    async createModel(spec, given = {}) {
      const options = check('createModel', given, MODEL_OPTIONS);
      if (!isRecord(spec)) throw new GruError('invalid_spec', `the spec must be an object, got ${describe(spec)}`);
      return compile({ spec: copySpec(spec) }, options);
    },
    createGru: fromArrays('createGru', gruSpec),
    createLstm: fromArrays('createLstm', lstmSpec),
    createRnn: fromArrays('createRnn', rnnSpec),
  };
}

/** @returns A copy of the options, each read once. */
function check<T extends ModelOptions>(where: string, given: T, known: string[]): T {
  const options = checkOptions(where, given, known);
  const { backend = 'auto', deterministic, revectorize } = options;
  if (!['auto', 'wasm', 'js'].includes(backend)) {
    throw new GruError('invalid_argument', `${where}: backend must be auto, wasm or js, got ${describe(backend)}`);
  }
  checkFlag(where, 'deterministic', deterministic);
  checkFlag(where, 'revectorize', revectorize);
  return options;
}
