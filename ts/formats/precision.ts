import { GruError } from '../base/errors.ts';
import { describe, isRecord } from '../base/tensor.ts';
import { DTYPES, numbersOf, type WeightDtype, type WeightTensor } from '../base/weights.ts';
import { resolveGraph } from '../spec/graph.ts';
import type { LayerSpec } from '../spec/spec.ts';
import { quantize } from './quantize.ts';
import type { ImportedModel } from './report.ts';

/** What the weights of all layers, or of those named, are made. */
export type Precision = WeightDtype | Readonly<Record<string, WeightDtype>>;

/** A copy. @throws GruError `invalid_argument` for what is no precision. */
export function readPrecision(given: unknown): Precision {
  const check = (dtype: unknown, where: string): WeightDtype => {
    if (DTYPES.includes(dtype as WeightDtype)) return dtype as WeightDtype;
    const layers = where ? '' : ', or an object of these by layer';
    throw new GruError(
      'invalid_argument',
      `loadModel: precision${where} must be ${DTYPES.join(', ')}${layers}, got ${describe(dtype)}`,
    );
  };
  if (!isRecord(given)) return check(given, '');
  const entries = Object.entries(given).map(([layer, dtype]) => [layer, check(dtype, `['${layer}']`)]);
  return Object.fromEntries(entries) as Record<string, WeightDtype>;
}

/**
 * A model whose products are made with weights of this precision; layers that have none stay as they are.
 *
 * @throws GruError `unsupported` for weights that are not finite, `invalid_argument` for a layer that is not there or has no weights to
 * be integers.
 */
export function withPrecision(imported: ImportedModel, precision: Precision): ImportedModel {
  // Before any weight is read: their lengths are checked.
  const { spec, nodes } = imported.graph ?? resolveGraph(imported.spec);
  const byLayer = typeof precision === 'string' ? undefined : new Map(Object.entries(precision));
  const names = nodes.map(({ layer }) => layer.name);
  for (const name of byLayer?.keys() ?? []) {
    if (names.includes(name)) continue;
    const known = names.map((known) => `'${known}'`).join(', ');
    throw new GruError('invalid_argument', `loadModel: precision: there is no layer '${name}'; there are ${known}`);
  }
  const changed = new Map<string, LayerSpec>();
  for (const { layer, kind } of nodes) {
    const dtype = byLayer ? byLayer.get(layer.name) : (precision as WeightDtype);
    if (dtype === undefined) continue;
    const slots = kind.tensors(layer).filter(({ quantizable }) => quantizable);
    if (slots.length === 0 && byLayer && dtype !== 'f32') {
      const what = `the ${layer.type} layer '${layer.name}'`;
      throw new GruError('invalid_argument', `loadModel: precision: ${what} has no weights that can be ${dtype}`);
    }
    const weights: Record<string, WeightTensor | undefined> = 'weights' in layer ? { ...layer.weights } : {};
    for (const { key, shape } of slots) {
      const tensor = weights[key];
      if (!tensor) continue;
      const what = `weights['${key}'] of ${layer.type} layer '${layer.name}'`;
      weights[key] = dtype === 'f32' ? numbersOf(tensor) : quantize(what, tensor, shape[0]!, dtype);
    }
    if (slots.length > 0) changed.set(layer.name, { ...layer, weights } as LayerSpec);
  }
  const layers = spec.layers.map((layer) => changed.get(layer.name) ?? layer);
  return { spec: { ...spec, layers }, report: imported.report };
}
