import type { KerasModel } from '../config.ts';
import type { Call, Translate } from './call.ts';

/**
 * Fields of Keras that TensorFlow.js leaves out of account, with the value as which it computes. Its own files have none of them, and in
 * one that its converter made another value gives other numbers than the Keras model.
 */
const LEFT_OUT: Record<string, Record<string, unknown>> = {
  ReLU: { negative_slope: 0, threshold: 0 },
  LeakyReLU: { negative_slope: 0.3 },
  Conv1D: { groups: 1 },
  GlobalAveragePooling1D: { keepdims: false },
  GlobalMaxPooling1D: { keepdims: false },
  LayerNormalization: { rms_scaling: false },
  ...Object.fromEntries(['GRU', 'LSTM', 'SimpleRNN', 'RNN'].map((name) => [name, { zero_output_for_mask: false }])),
};

/** Layers that refuse, in files of TensorFlow.js, what it would compute otherwise than Keras. */
export function alikeInTfjs(layers: Record<string, Translate>): Record<string, Translate> {
  const checked = Object.entries(LEFT_OUT).map(([className, fields]): [string, Translate] => [
    className,
    (call) => {
      const why =
        'TensorFlow.js leaves it out of account, Keras does not; load the Keras model that the file was made of';
      if (call.builder.dialect.framework === 'tfjs') {
        for (const [field, same] of Object.entries(fields)) call.fields.expect(field, [same, null], why);
      }
      return layers[className]!(call);
    },
  ]);
  return { ...layers, ...Object.fromEntries(checked) };
}

/** Whether a layer of a model, or of one in it, makes a mask. */
export function makesMasks({ layers }: KerasModel): boolean {
  return layers.some(
    ({ className, config, inner }) =>
      className === 'Masking' || config['mask_zero'] === true || (inner !== undefined && makesMasks(inner)),
  );
}

/**
 * Refuses a layer that takes a mask and is given none, where TensorFlow.js gives it one all the same: its executor keeps the last mask of
 * any layer for all that follow.
 */
export function checkNoMask({ builder, fields }: Call): void {
  if (builder.masksLeak) {
    throw fields.unsupported(
      'reads what has no mask, and TensorFlow.js hands it that of another layer, which Keras does not; load the Keras model, or save one without masks',
    );
  }
}
