import { useAllKinds } from '../layers/full.ts';
import { type GruApi, inspectFile, modelFromFile, modelFromSpec } from './api.ts';
import type { FindBackend } from './origin.ts';
import { useTracer } from './tracer.ts';
import { gruFromArrays, lstmFromArrays, rnnFromArrays } from './arrays.ts';
import { anyFile, traceOnDemand } from './on-demand.ts';

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
