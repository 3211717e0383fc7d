import type { LayerSpec } from '../../../spec/spec.ts';
import { activation } from './activation.ts';
import { conv1d } from './conv1d.ts';
import { attention } from './attention.ts';
import { argmax } from './argmax.ts';
import { dense } from './dense.ts';
import { embedding } from './embedding.ts';
import { flatten } from './flatten.ts';
import type { Build } from './layer.ts';
import { masking } from './masking.ts';
import { merge } from './merge.ts';
import { norm } from './norm.ts';
import { gru } from './recurrent/gru.ts';
import { lstm } from './recurrent/lstm.ts';
import { rnn } from './recurrent/rnn.ts';
import { scale } from './scale.ts';
import { oneHot } from './one-hot.ts';
import { reduceFeatures } from './reduce-features.ts';
import { slice } from './slice.ts';
import { step } from './step.ts';
import { timeSoftmax } from './time-softmax.ts';
import { weightedSum } from './weighted-sum.ts';
import { pad } from './pad.ts';
import { pool } from './pool.ts';
import { reduce } from './reduce.ts';
import { repeat } from './repeat.ts';
import { unflatten } from './unflatten.ts';
import { upsample } from './upsample.ts';

/** All kinds of layers, by type. Each has its twin in crate/src/layers/ (the same bits) and ts/layers/ (the spec). */
export const JS_LAYERS: { [T in LayerSpec['type']]: Build<Extract<LayerSpec, { type: T }>> } = {
  embedding,
  dense,
  activation,
  masking,
  gru,
  step,
  slice,
  lstm,
  rnn,
  merge,
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
};
