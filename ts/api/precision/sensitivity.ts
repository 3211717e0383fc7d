import type { WeightDtype } from '../../base/weights.ts';
import type { GruModel } from '../model.ts';
import type { Difference } from './difference.ts';
import {
  type QuantizableLayer,
  SENSITIVITY_OPTIONS,
  type SensitivityOptions,
  type Sequences,
  Variants,
} from './variants.ts';

/** What a layer alone does to the outputs when its weights become integers. */
export interface LayerSensitivity extends QuantizableLayer {
  /** In integers of 16 bits. */
  i16: Difference;
  /** In integers of 8 bits. */
  i8: Difference;
}

/** What {@link sensitivity} gives. */
export interface Sensitivity {
  /** The layers that have weights of products, each in i16 and in i8 while all others are float32: the one with the largest error in i8 first. */
  layers: LayerSensitivity[];
  /** All of them at once. */
  all: { i16: Difference; i8: Difference };
}

/**
 * Ranks the layers of a model by the error that weights of 16 and 8 bits in each of them, alone, bring to the outputs: which to keep in
 * float32, or i16, where i8 is too far off.
 *
 * @param model Read from a file or made; weights of it that are integers are compared with the numbers that they stand for.
 * @param sequences What `model.run` takes, like what the model will get: an array of arrays is sequences of any lengths. Leave them as they
 *   are until it resolves.
 * @throws GruError `invalid_argument`, `unsupported` for weights that are not finite, as `model.run` does for the sequences; the reason of
 *   `options.signal` when aborted.
 *
 * @example
 * const { layers } = await sensitivity(model, [first, second, third]);
 * console.table(layers.map(({ name, i16, i8 }) => ({ name, i16: i16.worst, i8: i8.worst })));
 */
export async function sensitivity(
  model: GruModel,
  sequences: Sequences,
  options: SensitivityOptions = {},
): Promise<Sensitivity> {
  const { variants } = await Variants.of('sensitivity', model, sequences, options, SENSITIVITY_OPTIONS);
  variants.total = 2 * variants.layers.length + 3;
  const layers = await eachAlone(variants);
  const all = await both((dtype) => variants.difference(variants.precision(dtype)));
  return { layers: layers.sort((a, b) => b.i8.worst - a.i8.worst || b.i8.rms - a.i8.rms), all };
}

/** The layers in their order. */
export async function eachAlone(variants: Variants): Promise<LayerSensitivity[]> {
  const layers: LayerSensitivity[] = [];
  for (const layer of variants.layers) {
    const alone = (dtype: WeightDtype) => variants.difference(variants.precision({ [layer.name]: dtype }));
    layers.push({ ...layer, ...(await both(alone)) });
  }
  return layers;
}

async function both<T>(of: (dtype: WeightDtype) => Promise<T>): Promise<{ i16: T; i8: T }> {
  const i16 = await of('i16');
  return { i16, i8: await of('i8') };
}
