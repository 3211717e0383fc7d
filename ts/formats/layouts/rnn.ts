import { rnn } from '../../layers/rnn.ts';
import { gatesFromKeras, KERAS_KEYS, type KerasDirection, type KerasWeights } from './keras.ts';
import { MODULES, type PytorchWeights } from './pytorch.ts';
import { type Builder, oneLayer, type RecurrentConfig, recurrentSpec, stateDict } from './recurrent.ts';
import type { ModelSpec, RnnSpec } from '../../spec/spec.ts';

/** What a simple RNN built from arrays is like; the meaning of the fields is that of {@link RnnSpec}. */
export type RnnConfig = RecurrentConfig;

/** The arrays of a simple RNN, in the layout of Keras (the default) or PyTorch. */
export type RnnLayout = KerasWeights | PytorchWeights;

/** A function: a call at the top would stay in every bundle. */
const builder = (): Builder<RnnConfig> => ({
  maker: 'createRnn',
  type: 'rnn',
  check: (spec) => {
    rnn.check(spec as RnnSpec);
  },
  fields: [],
  layouts: {
    keras: oneLayer<KerasDirection, RnnConfig>('keras', KERAS_KEYS, (weights, config, prefix) =>
      gatesFromKeras(weights, config, MODULES.rnn.gates, prefix),
    ),
    pytorch: stateDict('rnn'),
  },
});

/** A spec with input `x`, output `y` and one rnn layer, or a stack of them. @throws GruError as {@link recurrentSpec}. */
export function rnnSpec(config: RnnConfig, weights: RnnLayout): ModelSpec {
  return recurrentSpec(builder(), config, weights);
}
