import { extrasOf, nameOf } from '../spec/refs.ts';
import type { LayerSpec, ModelSpec, ValueRef } from '../spec/spec.ts';

/**
 * The layers in an order in which ids that the model computes are read as early as can be: what is no id ends a run, and the states of a
 * stream stay as they were where no layer with a state has run by then.
 */
export function idsFirst(spec: ModelSpec): ModelSpec {
  if (!spec.layers.some(({ type }) => type === 'ids')) return spec;
  // Whoever reads the layer before it says so: that may be another one.
  const layers = spec.layers.map((layer, i): LayerSpec => {
    const before = spec.layers[i - 1] ?? spec.inputs[0]!;
    return layer.inputs ? layer : { ...layer, inputs: [before.name] };
  });
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const madeBy = (ref: ValueRef) => byName.get(nameOf(ref));
  const early = new Set<LayerSpec>();
  const needed = layers.filter(({ inputs }) => inputs!.some((ref) => madeBy(ref)?.type === 'ids'));
  for (let layer = needed.pop(); layer; layer = needed.pop()) {
    if (early.has(layer)) continue;
    early.add(layer);
    for (const ref of [...layer.inputs!, ...extrasOf(layer)]) {
      const before = madeBy(ref);
      if (before) needed.push(before);
    }
  }
  const isEarly = (layer: LayerSpec) => early.has(layer);
  return {
    ...spec,
    layers: [...layers.filter(isEarly), ...layers.filter((layer) => !isEarly(layer))],
    outputs: spec.outputs ?? [layers.at(-1)!.name],
  };
}
