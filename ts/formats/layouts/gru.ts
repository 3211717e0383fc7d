import { GruError } from '../../base/errors.ts';
import { gru } from '../../layers/gru.ts';
import { fromKeras, KERAS_KEYS, type KerasDirection, type KerasWeights } from './keras.ts';
import type { PytorchWeights } from './pytorch.ts';
import { type Builder, oneLayer, type RecurrentConfig, recurrentSpec, stateDict } from './recurrent.ts';
import { fromTextbook, GRU_GATES, type TextbookDirection, type TextbookGruWeights } from './textbook.ts';
import type { GruSpec, ModelSpec } from '../../spec/spec.ts';

/** What a GRU built from arrays is like; the meaning of the fields is that of {@link GruSpec}. */
export interface GruConfig extends RecurrentConfig {
  /** Whether the reset gate is applied after the recurrent product (PyTorch, Keras's default) or before (the textbook). */
  resetAfter: boolean;
  /** The function of the gates z and r. Default `sigmoid`. */
  recurrentActivation?: GruSpec['recurrentActivation'] | undefined;
}

/** The arrays of a GRU, in the layout of Keras (the default), PyTorch or the textbook. */
export type GruLayout = KerasWeights | PytorchWeights | TextbookGruWeights;

/** A function: a call at the top would stay in every bundle. */
const builder = (): Builder<GruConfig> => ({
  maker: 'createGru',
  type: 'gru',
  check: (spec) => {
    gru.check(spec as GruSpec);
  },
  fields: ['resetAfter', 'recurrentActivation'],
  layouts: {
    keras: oneLayer<KerasDirection, GruConfig>('keras', KERAS_KEYS, (weights, config, prefix) =>
      fromKeras(weights, config, config.resetAfter, prefix),
    ),
    pytorch(weights, config) {
      if (!config.resetAfter) {
        throw new GruError('invalid_argument', "the layout 'pytorch' goes with resetAfter: true");
      }
      return stateDict('gru')(weights, config);
    },
    textbook(weights, config) {
      if (config.resetAfter) {
        throw new GruError('invalid_argument', "the layout 'textbook' goes with resetAfter: false");
      }
      return oneLayer<TextbookDirection, GruConfig>('textbook', GRU_GATES, fromTextbook)(weights, config);
    },
  },
});

/** A spec with input `x`, output `y` and one gru layer, or a stack of them. @throws GruError as {@link recurrentSpec}. */
export function gruSpec(config: GruConfig, weights: GruLayout): ModelSpec {
  return recurrentSpec(builder(), config, weights);
}
