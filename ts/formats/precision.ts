import { GruError } from '../base/errors.ts';
import { describe, isRecord } from '../base/tensor.ts';
import { DTYPES, numbersOf, type WeightDtype, weightsOf } from '../base/weights.ts';
import type { TensorSlot } from '../layers/kind.ts';
import { type Graph, resolveGraph } from '../spec/graph.ts';
import type { LayerSpec, ModelSpec } from '../spec/spec.ts';
import { quantize } from './quantize.ts';
import type { ImportedModel } from './report.ts';

/** What the weights of all layers, or of those named, are made. */
export type Precision = WeightDtype | Readonly<Record<string, WeightDtype>>;

/** A file alone cannot say what error is borne, nor on what data it is measured. */
const AUTO =
  "'auto' takes sequences and the largest error: `const { precision } = await autoPrecision(model, sequences, { maxError })` " +
  'of gru-wasm/precision, and loadModel takes that';

/** A copy. @throws GruError `invalid_argument` for what is no precision. */
export function readPrecision(given: unknown): Precision {
  const check = (dtype: unknown, where: string): WeightDtype => {
    if (DTYPES.includes(dtype as WeightDtype)) return dtype as WeightDtype;
    if (dtype === 'auto') throw new GruError('invalid_argument', `loadModel: precision${where}: ${AUTO}`);
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

/** A model whose products are made with weights of this precision. @throws GruError as {@link specWith} does. */
export function withPrecision(imported: ImportedModel, precision: Precision): ImportedModel {
  // Before any weight is read: their lengths are checked.
  const graph = imported.graph ?? resolveGraph(imported.spec);
  return { spec: specWith(graph, precision), report: imported.report };
}

/** Tensors of a layer that can be integers. */
export function quantizableOf({ kind, layer }: Graph['nodes'][number]): TensorSlot[] {
  return kind.tensors(layer).filter(({ quantizable }) => quantizable);
}

/**
 * The spec of a model with weights of this precision; layers that have none stay as they are.
 *
 * @throws GruError `unsupported` for weights that are not finite, `invalid_argument` for a layer that is not there or has no weights to
 * be integers.
 */
export function specWith({ spec, nodes }: Graph, precision: Precision): ModelSpec {
  const byLayer = typeof precision === 'string' ? undefined : new Map(Object.entries(precision));
  const names = nodes.map(({ layer }) => layer.name);
  for (const name of byLayer?.keys() ?? []) {
    if (names.includes(name)) continue;
    const known = names.map((known) => `'${known}'`).join(', ');
    throw new GruError('invalid_argument', `loadModel: precision: there is no layer '${name}'; there are ${known}`);
  }
  const changed = new Map<string, LayerSpec>();
  for (const node of nodes) {
    const { layer } = node;
    const dtype = byLayer ? byLayer.get(layer.name) : (precision as WeightDtype);
    if (dtype === undefined) continue;
    const slots = quantizableOf(node);
    if (slots.length === 0 && byLayer && dtype !== 'f32') {
      const what = `the ${layer.type} layer '${layer.name}'`;
      throw new GruError('invalid_argument', `loadModel: precision: ${what} has no weights that can be ${dtype}`);
    }
    const weights = { ...weightsOf(layer) };
    for (const { key, shape } of slots) {
      const tensor = weights[key];
      if (!tensor) continue;
      const what = `weights['${key}'] of ${layer.type} layer '${layer.name}'`;
      weights[key] = dtype === 'f32' ? numbersOf(tensor) : quantize(what, tensor, shape[0]!, dtype);
    }
    if (slots.length > 0) changed.set(layer.name, { ...layer, weights } as LayerSpec);
  }
  const layers = spec.layers.map((layer) => changed.get(layer.name) ?? layer);
  return { ...spec, layers };
}
