/** Models from arrays, for entries that are one file: the default one has the layouts on demand. */
import { gruSpec } from '../formats/layouts/gru.ts';
import { lstmSpec } from '../formats/layouts/lstm.ts';
import { rnnSpec } from '../formats/layouts/rnn.ts';
import {
  anyFile,
  type FindBackend,
  type GruApi,
  inspectFile,
  modelFromArrays,
  modelFromFile,
  modelFromSpec,
  traceOnDemand,
} from './api.ts';
import { useAllKinds } from '../layers/full.ts';
import type { GruModel } from './model.ts';
import { useTracer } from './origin.ts';

/** `createGru`. */
export const gruFromArrays = async (
  find: FindBackend,
  ...[config, weights, options]: Parameters<GruApi['createGru']>
): Promise<GruModel> => modelFromArrays(find, 'createGru', gruSpec, config, weights, options);

/** `createLstm`. */
export const lstmFromArrays = async (
  find: FindBackend,
  ...[config, weights, options]: Parameters<GruApi['createLstm']>
): Promise<GruModel> => modelFromArrays(find, 'createLstm', lstmSpec, config, weights, options);

/** `createRnn`. */
export const rnnFromArrays = async (
  find: FindBackend,
  ...[config, weights, options]: Parameters<GruApi['createRnn']>
): Promise<GruModel> => modelFromArrays(find, 'createRnn', rnnSpec, config, weights, options);

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
