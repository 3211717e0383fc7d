import type { CORE_LAYERS } from '../../../layers/index.ts';
import { activation } from './activation.ts';
import { dense } from './dense.ts';
import { embedding } from './embedding.ts';
import type { Builds } from './layer.ts';
import { masking } from './masking.ts';
import { gru } from './recurrent/gru.ts';
import { lstm } from './recurrent/lstm.ts';
import { rnn } from './recurrent/rnn.ts';
import { step } from './step.ts';

/** Kinds of the core flavour, by type. Each has its twin in crate/src/layers/ (the same bits) and ts/layers/ (the spec). */
export const JS_CORE_LAYERS: Builds<keyof typeof CORE_LAYERS> = {
  embedding,
  dense,
  activation,
  masking,
  gru,
  step,
  lstm,
  rnn,
};
