import { GruError } from '../../base/errors.ts';
import { describe } from '../../base/tensor.ts';
import type { IntDtype } from '../../base/weights.ts';
import { resolveGraph } from '../../spec/graph.ts';
import type { ModelSpec } from '../../spec/spec.ts';
import type { GruModel } from '../model.ts';
import type { Difference } from './difference.ts';
import { type Features, featuresOf, inNumbers, scalesOf, withScales } from './feature-scales.ts';
import {
  type QuantizableLayer,
  SENSITIVITY_OPTIONS,
  type SensitivityOptions,
  type Sequences,
  Variants,
} from './variants.ts';

/** Options of {@link calibrate}. */
export interface CalibrateOptions extends SensitivityOptions {
  /** What the weights will be. Default `i8`. */
  precision?: 'i16' | 'i8' | undefined;
}

/** A layer that multiplies weights by several features: the error that it brings to the outputs, alone, without scales and with them. */
export interface CalibratedLayer extends QuantizableLayer {
  /** Without scales. */
  before: Difference;
  /** With them. */
  after: Difference;
  /** Whether the model has the scales: they make this rms error less by a third at least, and that of the whole model by a tenth; a layer more takes some time. */
  scaled: boolean;
}

/** What {@link calibrate} gives. */
export interface Calibration {
  /** The model with scales where they help, the weights as numbers: in float32 it gives the same bits. For `createModel`. */
  spec: ModelSpec;
  /** Layers with features to scale, in the order of the model. */
  layers: CalibratedLayer[];
  /** The error of all layers in the precision, without scales and with them: the same where none helped. */
  before: Difference;
  /** With scales. */
  after: Difference;
}

/** Of the rms error of the layer alone, and of the model: less is not worth a layer more. */
const [LEAST_GAIN, LEAST_GAIN_OF_ALL] = [1.5, 1 / 0.9];

/**
 * Finds scales for the features that layers multiply by weights, where these make the error of integers less: a row of activations becomes
 * integers by one scale, so that features of small range beside those of large range are lost. A layer `scale` before the layer divides
 * features by powers of two, and the weights are multiplied by them, which changes no bit in float32. Where features have the same
 * range it finds nothing to gain, and says so.
 *
 * @param sequences What `model.run` takes, like what the model will get: an array of arrays is sequences of any lengths. Leave them as they
 *   are until it resolves. What exceeds their range later is not clipped: rows are scaled when the model runs.
 * @throws GruError as {@link sensitivity} does.
 *
 * @example
 * const { spec, before, after } = await calibrate(await loadModel('weather.keras'), sequences);
 * console.log(`rms error in i8: ${before.rms}, with scales ${after.rms}`);
 * await writeFile('weather.safetensors', (await createModel(spec)).save({ dtype: 'i8' }));
 */
export async function calibrate(
  model: GruModel,
  sequences: Sequences,
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const known = [...SENSITIVITY_OPTIONS, 'precision'] as const;
  const { variants, options: read } = await Variants.of('calibrate', model, sequences, options, known);
  const { precision: dtype = 'i8' } = read;
  if (!['i16', 'i8'].includes(dtype)) {
    throw new GruError('invalid_argument', `calibrate: precision must be i16 or i8, got ${describe(dtype)}`);
  }
  const graph = inNumbers(variants.graph);
  const found = graph.nodes.flatMap((node) => {
    const features = featuresOf(graph, node);
    const layer = variants.layers.find(({ name }) => name === node.layer.name);
    return features && layer ? [{ layer, features }] : [];
  });
  variants.total = 3 + 4 * found.length;
  const all = variants.precision(dtype);
  const before = await variants.difference(all, graph);
  const values = await valuesRead(
    variants,
    graph.spec,
    found.map(({ features }) => features.ref),
  );
  let { spec } = graph;
  let after = before;
  const layers: CalibratedLayer[] = [];
  for (const { layer, features } of found) {
    const { weights } = graph.spec.layers.find(({ name }) => name === layer.name) as LayerOfNumbers;
    const tensors = features.tensors.map((key) => weights[key]!);
    const scales = scalesOf(tensors, values.get(features.ref)!, features.size);
    const alone = await compare(variants, graph.spec, layer, features, scales, dtype);
    let scaled = false;
    if (alone.helps) {
      const candidate = withScales(spec, layer.name, features, scales);
      const difference = await variants.difference(all, resolveGraph(candidate));
      scaled = difference.rms * LEAST_GAIN_OF_ALL <= after.rms;
      if (scaled) [spec, after] = [candidate, difference];
    }
    layers.push({ ...layer, before: alone.before, after: alone.after, scaled });
  }
  return { spec, layers, before, after };
}

interface LayerOfNumbers {
  weights: Record<string, Float32Array>;
}

/** The values that layers read, in float32. */
async function valuesRead(variants: Variants, spec: ModelSpec, refs: string[]): Promise<Map<string, Float32Array>> {
  const unique = [...new Set(refs)];
  const outputs = unique.map((from, i) => ({ name: `value ${i}`, from }));
  if (unique.length === 0) return new Map();
  const read = await variants.outputsOf(variants.precision(), resolveGraph({ ...spec, outputs }));
  return new Map(unique.map((ref, i) => [ref, read[`value ${i}`]!.data as Float32Array]));
}

/** The layer alone in integers, without scales and with them. */
async function compare(
  variants: Variants,
  spec: ModelSpec,
  { name }: QuantizableLayer,
  features: Features,
  scales: Float32Array,
  dtype: IntDtype,
): Promise<{ before: Difference; after: Difference; helps: boolean }> {
  const alone = variants.precision({ [name]: dtype });
  const before = await variants.difference(alone, resolveGraph(spec));
  const scaled = resolveGraph(withScales(spec, name, features, scales));
  const after = await variants.difference(alone, scaled);
  // A weight or a feature at the edge of float32 may have become 0 or infinite.
  const same = (await variants.difference(variants.precision(), scaled)).worst === 0;
  return { before, after, helps: same && after.rms * LEAST_GAIN <= before.rms && before.rms > 0 };
}
