import type { LayerSpec } from '../../../spec/spec.ts';
import { argmax } from './argmax.ts';
import { attention } from './attention.ts';
import { conv1d } from './conv1d.ts';
import { flatten } from './flatten.ts';
import { merge } from './merge.ts';
import { norm } from './norm.ts';
import { oneHot } from './one-hot.ts';
import { pad } from './pad.ts';
import { pool } from './pool.ts';
import { reduce } from './reduce.ts';
import { reduceFeatures } from './reduce-features.ts';
import { repeat } from './repeat.ts';
import { ids } from './ids.ts';
import { reverse } from './reverse.ts';
import { scale } from './scale.ts';
import { sine } from './sine.ts';
import { slice } from './slice.ts';
import { timeSoftmax } from './time-softmax.ts';
import { unflatten } from './unflatten.ts';
import { upsample } from './upsample.ts';
import { weightedSum } from './weighted-sum.ts';
import { JS_CORE_LAYERS } from './index.ts';
import type { Builds } from './layer.ts';

/** All kinds of layers, by type. */
export const JS_LAYERS: Builds<LayerSpec['type']> = {
  ...JS_CORE_LAYERS,
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
