/** Models from arrays, for entries that are one file: the default one has the layouts on demand. */
import { type GruConfig, type GruLayout, gruSpec } from '../formats/layouts/gru.ts';
import { type LstmConfig, type LstmLayout, lstmSpec } from '../formats/layouts/lstm.ts';
import { type RnnConfig, type RnnLayout, rnnSpec } from '../formats/layouts/rnn.ts';
import type { ModelSpec } from '../spec/spec.ts';
import {
  anyFile,
  type FindBackend,
  type GruApi,
  inspectFile,
  modelFromArrays,
  modelFromFile,
  modelFromSpec,
  type ModelOptions,
  traceOnDemand,
} from './api.ts';
import { useAllKinds } from '../layers/full.ts';
import { useTracer } from './origin.ts';
import type { GruModel } from './model.ts';

/** @param more Its options beside those of all entries. */
type Make<Config, Weights> = (
  find: FindBackend,
  config: Config,
  weights: Weights,
  options?: ModelOptions,
  more?: readonly string[],
) => Promise<GruModel>;

const make =
  <Config, Weights>(name: string, toSpec: (config: Config, weights: Weights) => ModelSpec): Make<Config, Weights> =>
  (find, config, weights, options, more) =>
    modelFromArrays(find, name, toSpec, config, weights, options, more);

/** `createGru`. */
export const gruFromArrays = /* @__PURE__ */ make<GruConfig, GruLayout>('createGru', gruSpec);

/** `createLstm`. */
export const lstmFromArrays = /* @__PURE__ */ make<LstmConfig, LstmLayout>('createLstm', lstmSpec);

/** `createRnn`. */
export const rnnFromArrays = /* @__PURE__ */ make<RnnConfig, RnnLayout>('createRnn', rnnSpec);

/** All functions over backends that `find` finds: what a program does not name is in its bundle too. */
export function createApi(find: FindBackend): GruApi {
  useAllKinds();
  useTracer(traceOnDemand);
  return {
    loadModel: (source, given) => modelFromFile(find, anyFile, source, given),
    inspect: (source, given) => inspectFile(anyFile, source, given),
    createModel: (spec, given) => modelFromSpec(find, spec, given),
    createGru: (config, weights, given) => gruFromArrays(find, config, weights, given),
    createLstm: (config, weights, given) => lstmFromArrays(find, config, weights, given),
    createRnn: (config, weights, given) => rnnFromArrays(find, config, weights, given),
  };
}
