/** Models from arrays, for entries that are one file: the default one has the layouts on demand. */
import { type GruConfig, type GruLayout, gruSpec } from '../formats/layouts/gru.ts';
import { type LstmConfig, type LstmLayout, lstmSpec } from '../formats/layouts/lstm.ts';
import { type RnnConfig, type RnnLayout, rnnSpec } from '../formats/layouts/rnn.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { modelFromArrays } from './api.ts';
import type { FindBackend } from './origin.ts';
import type { EntryOptions, ModelOptions } from './options.ts';
import type { GruModel } from './model.ts';

/** @param more Its options beside those of all entries. */
type Make<Config, Weights> = (
  find: FindBackend,
  config: Config,
  weights: Weights,
  options?: ModelOptions,
  more?: readonly (keyof EntryOptions)[],
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
