import { GruError } from '../base/errors.ts';
import type { ImportedModel } from '../formats/report.ts';
import { resolveGraph } from '../spec/graph.ts';
import type { GruConfig, GruLayout } from '../formats/layouts/gru.ts';
import type { LstmConfig, LstmLayout } from '../formats/layouts/lstm.ts';
import type { RnnConfig, RnnLayout } from '../formats/layouts/rnn.ts';
import { flavourOf } from '../layers/index.ts';
import { GruModel } from './model.ts';
import { checkHost } from '../base/host.ts';
import { type FindBackend, origins } from './origin.ts';
import type { Inspection } from './inspect.ts';
import {
  type EntryOptions,
  type LoadOptions,
  MODEL_OPTIONS,
  type ModelOptions,
  READ_OPTIONS,
  type ReadOptions,
} from './options.ts';
import type { ReadFiles } from './read.ts';
import type { ModelSource } from '../io/source.ts';
import type { WithNumbers } from '../base/numbers.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { copySpec } from '../spec/structure.ts';
import { checkCallback, checkFlag, checkOptions, describe, isRecord, type Names } from '../base/tensor.ts';

/** The functions that make models. */
export interface GruApi {
  /** Reads a model file and compiles it. Bytes that are given are not copied: leave them as they are until it resolves. */
  readonly loadModel: (source: ModelSource, options?: LoadOptions) => Promise<GruModel>;
  /** Says what a model file holds, without compiling it. */
  readonly inspect: (source: ModelSource, options?: ReadOptions) => Promise<Inspection>;
  /** Compiles a model from its description. */
  readonly createModel: (spec: WithNumbers<ModelSpec>, options?: ModelOptions) => Promise<GruModel>;
  /** Builds a GRU, or a stack of them, from arrays. */
  readonly createGru: (config: GruConfig, weights: GruLayout, options?: ModelOptions) => Promise<GruModel>;
  /** Builds an LSTM, or a stack of them, from arrays. */
  readonly createLstm: (config: LstmConfig, weights: LstmLayout, options?: ModelOptions) => Promise<GruModel>;
  /** Builds a simple RNN, or a stack of them, from arrays. */
  readonly createRnn: (config: RnnConfig, weights: RnnLayout, options?: ModelOptions) => Promise<GruModel>;
}

/** `loadModel` over backends that `find` finds, `more` being its options beside those of all entries. */
export async function modelFromFile(
  find: FindBackend,
  reader: () => ReadFiles | Promise<ReadFiles>,
  source: ModelSource,
  given: LoadOptions & EntryOptions = {},
  more: readonly (keyof EntryOptions)[] = [],
): Promise<GruModel> {
  const options = check('loadModel', given, [...MODEL_OPTIONS, ...READ_OPTIONS, 'precision', ...more]);
  // The backend that most files need starts while the file is read.
  const reading = (async () => (await reader()).read(source, options))();
  const [imported] = await Promise.all([reading, find(options, 'core')]);
  return compile(find, imported, options);
}

/** `inspect`. */
export async function inspectFile(
  reader: () => ReadFiles | Promise<ReadFiles>,
  source: ModelSource,
  given: ReadOptions & EntryOptions = {},
  more: readonly (keyof EntryOptions)[] = [],
): Promise<Inspection> {
  checkHost();
  const options = checkOptions('inspect', given, [...READ_OPTIONS, ...more]);
  return (await reader()).inspectSource(source, options);
}

/** `createModel`. */
export async function modelFromSpec(
  find: FindBackend,
  spec: WithNumbers<ModelSpec>,
  given: ModelOptions & EntryOptions = {},
  more: readonly (keyof EntryOptions)[] = [],
): Promise<GruModel> {
  const options = check('createModel', given, [...MODEL_OPTIONS, ...more]);
  if (!isRecord(spec)) throw new GruError('invalid_spec', `the spec must be an object, got ${describe(spec)}`);
  return compile(find, { spec: copySpec(spec) }, options);
}

/** Weights in a framework's layout as a spec. What is a promise has read them, or copied what it has not, when it is given. */
type FromArrays<Config, Weights> = (config: Config, weights: Weights) => ModelSpec | Promise<ModelSpec>;

/** `createGru` and its like: the names of `toSpec` are apart, for a bundler leaves out what a program does not name. */
export async function modelFromArrays<Config, Weights>(
  find: FindBackend,
  name: string,
  toSpec: FromArrays<Config, Weights>,
  config: Config,
  weights: Weights,
  given: ModelOptions & EntryOptions = {},
  more: readonly (keyof EntryOptions)[] = [],
): Promise<GruModel> {
  const options = check(name, given, [...MODEL_OPTIONS, ...more]);
  const made = toSpec(config, weights);
  const copying = made instanceof Promise ? made.then(copySpec) : copySpec(made);
  // The backend starts while the layouts are loaded.
  const [spec] = await Promise.all([copying, find(options, 'core')]);
  return compile(find, { spec }, options);
}

type CompileSource = Pick<ImportedModel, 'spec'> & Partial<ImportedModel>;

async function compile(find: FindBackend, imported: CompileSource, options: ModelOptions): Promise<GruModel> {
  const { layers } = (imported.graph ?? imported).spec;
  const backend = await find(options, flavourOf(layers));
  // In one turn: weights that are checked are those that are packed.
  const graph = imported.graph ?? resolveGraph(imported.spec);
  const model = new GruModel(graph, backend.compile(graph), backend.name, imported.report);
  origins.set(model, { backend, find });
  return model;
}

/** @returns A copy of the options, each read once. */
function check<T extends ModelOptions, const List extends readonly string[]>(
  where: string,
  given: T,
  known: List & Names<T, List>,
): T {
  checkHost();
  const options = checkOptions(where, given, known);
  const { backend = 'auto', deterministic, revectorize, onFallback } = options;
  if (!['auto', 'wasm', 'js'].includes(backend)) {
    throw new GruError('invalid_argument', `${where}: backend must be auto, wasm or js, got ${describe(backend)}`);
  }
  checkFlag(where, 'deterministic', deterministic);
  checkFlag(where, 'revectorize', revectorize);
  checkCallback('onFallback', onFallback);
  return options;
}
