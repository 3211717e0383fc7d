import { stepsAsSequences } from './nesting.ts';
import { merge } from './merge.ts';
import { norm } from './norm.ts';
import { scale } from './scale.ts';
import { slice } from './slice.ts';
import { conv1d } from './conv1d.ts';
import { timeSoftmax } from './time-softmax.ts';
import { weightedSum } from './weighted-sum.ts';
import { attention } from './attention.ts';
import { reduce } from './reduce.ts';
import { flatten } from './flatten.ts';
import { unflatten } from './unflatten.ts';
import { repeat } from './repeat.ts';
import { pool } from './pool.ts';
import { upsample } from './upsample.ts';
import { pad } from './pad.ts';
import { countsFit } from './past.ts';
import { reduceFeatures } from './reduce-features.ts';
import { oneHot } from './one-hot.ts';
import { argmax } from './argmax.ts';
import { reverse } from './reverse.ts';
import { ids } from './ids.ts';
import { sine } from './sine.ts';
import { checkIntWeights } from './int-weights.ts';
import { addKinds, CORE_LAYERS, type FullLayers } from './index.ts';

const FULL_LAYERS: FullLayers = {
  merge,
  slice,
  scale,
  norm,
  conv1d,
  timeSoftmax,
  weightedSum,
  attention,
  reduce,
  flatten,
  unflatten,
  repeat,
  pool,
  upsample,
  pad,
  reduceFeatures,
  oneHot,
  argmax,
  reverse,
  ids,
  sine,
};

/** All kinds of layers, by type. */
export const LAYERS = { ...CORE_LAYERS, ...FULL_LAYERS };

/** Makes all kinds known: for whoever resolves graphs of any layers. */
export function useAllKinds(): void {
  addKinds(FULL_LAYERS, { nesting: stepsAsSequences, checkIntegers: checkIntWeights, countsFit });
}
