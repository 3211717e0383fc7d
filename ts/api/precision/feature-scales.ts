import type { Values } from '../../base/typed-array.ts';
import { quantizableOf, specWith } from '../../formats/precision.ts';
import { type Graph, type GraphNode, resolveGraph } from '../../spec/graph.ts';
import type { LayerSpec, ModelSpec } from '../../spec/spec.ts';

/** What a layer multiplies by its input: tensors whose rows have a weight for each feature (or several times as many, for windows). */
export interface Features {
  /** The value that it reads. */
  ref: string;
  size: number;
  tensors: string[];
}

/** Undefined for a layer with nothing to balance, and one in TimeDistributed. */
export function featuresOf({ values, axes, derivedAxes }: Graph, node: GraphNode): Features | undefined {
  const { inputSize: size } = node.layer as { inputSize?: number };
  const input = values[node.inputs[0]!];
  const tensors = quantizableOf(node).filter(
    ({ key, shape }) => shape.at(-1) === size && !/(^|\.)recurrent$/.test(key),
  );
  // Steps of steps (TimeDistributed) are no output, so that nobody sees their values.
  const nested = input && derivedAxes[input.axis - axes.length]?.each !== undefined;
  return size === undefined || size < 2 || !input || nested || tensors.length === 0
    ? undefined
    : { ref: input.ref, size, tensors: tensors.map(({ key }) => key) };
}

/** All weights as numbers. */
export function inNumbers(graph: Graph): Graph {
  return resolveGraph(specWith(graph, 'f32'));
}

/**
 * A scale for each feature, `s = 2^round(log2(max|x| / max|w|) / 2)`, by which x / s and s w have the same range: each row of either
 * has one scale when it becomes integers, and what is small in it is lost. Powers of two, so that no product changes.
 */
export function scalesOf(weights: readonly Float32Array[], x: Values, size: number): Float32Array {
  const greatest = (arrays: readonly Values[]) => {
    const most = new Float64Array(size);
    for (const array of arrays) {
      for (let i = 0; i < array.length; i++) most[i % size] = Math.max(most[i % size]!, Math.abs(array[i]!));
    }
    return most;
  };
  const [most, heaviest] = [greatest([x]), greatest(weights)];
  return Float32Array.from(most, (m, k) => {
    const ratio = m / heaviest[k]!;
    return ratio > 0 && ratio < Infinity ? 2 ** Math.round(Math.log2(ratio) / 2) : 1;
  });
}

/** The model with `scale` before a layer: x / s by s w, the same bits in float32 unless one of them is no float32 any more. */
export function withScales(
  spec: ModelSpec,
  name: string,
  { ref, size, tensors }: Features,
  scales: Float32Array,
): ModelSpec {
  const taken = new Set([...spec.layers, ...spec.inputs].map((known) => known.name));
  let own = `${name} features`;
  for (let i = 2; taken.has(own); i++) own = `${name} features ${i}`;
  const before: LayerSpec = {
    name: own,
    type: 'scale',
    inputSize: size,
    inputs: [ref],
    weights: { scale: scales.map((s) => 1 / s) },
  };
  const layers = spec.layers.flatMap((layer) => {
    if (layer.name !== name) return [layer];
    const weights = { ...(layer as { weights: Record<string, Float32Array> }).weights };
    for (const key of tensors) weights[key] = weights[key]!.map((w, i) => w * scales[i % size]!);
    const inputs = [own, ...(layer.inputs ?? []).slice(1)];
    return [before, { ...layer, inputs, weights } as LayerSpec];
  });
  return { ...spec, layers };
}
