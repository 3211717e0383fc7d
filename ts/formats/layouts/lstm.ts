import { lstm } from '../../layers/lstm.ts';
import { gatesFromKeras, KERAS_KEYS, type KerasDirection, type KerasWeights } from './keras.ts';
import { MODULES, type PytorchWeights } from './pytorch.ts';
import { type Builder, oneLayer, type RecurrentConfig, recurrentSpec, stateDict } from './recurrent.ts';
import { gatesFromTextbook, LSTM_GATES, type TextbookLstmDirection, type TextbookLstmWeights } from './textbook.ts';
import type { LstmSpec, ModelSpec } from '../../spec/spec.ts';

/** What an LSTM built from arrays is like; the meaning of the fields is that of {@link LstmSpec}. */
export interface LstmConfig extends RecurrentConfig {
  /** The function of the gates i, f and o. Default `sigmoid`. */
  recurrentActivation?: LstmSpec['recurrentActivation'] | undefined;
  /** The function of the cell state on its way out. Default: `activation`. */
  outputActivation?: LstmSpec['outputActivation'] | undefined;
  /** Couples the gates: f = 1 - i. Default false. */
  inputForget?: boolean | undefined;
}

/** The arrays of an LSTM, in the layout of Keras (the default), PyTorch or the textbook. */
export type LstmLayout = KerasWeights | PytorchWeights | TextbookLstmWeights;

/** A function: a call at the top would stay in every bundle. */
const builder = (): Builder<LstmConfig> => ({
  maker: 'createLstm',
  type: 'lstm',
  check: (spec) => {
    lstm.check(spec as LstmSpec);
  },
  fields: ['recurrentActivation', 'outputActivation', 'inputForget'],
  layouts: {
    keras: oneLayer<KerasDirection, LstmConfig>('keras', KERAS_KEYS, (weights, config, prefix) =>
      gatesFromKeras(weights, config, MODULES.lstm.gates, prefix),
    ),
    pytorch: stateDict('lstm'),
    textbook: oneLayer<TextbookLstmDirection, LstmConfig>('textbook', LSTM_GATES, (weights, config, prefix) =>
      gatesFromTextbook(LSTM_GATES, weights, config, prefix),
    ),
  },
});

/** A spec with input `x`, output `y` and one lstm layer, or a stack of them. @throws GruError as {@link recurrentSpec}. */
export function lstmSpec(config: LstmConfig, weights: LstmLayout): ModelSpec {
  return recurrentSpec(builder(), config, weights);
}
