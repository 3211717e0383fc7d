import type { CompiledModel } from '../backend.ts';
import { flushed } from '../../base/denormals.ts';
import { GruError } from '../../base/errors.ts';
import type { WeightTensor } from '../../base/weights.ts';
import { type Graph, type GraphValue, isVectorTo } from '../../spec/graph.ts';
import type { LayerSpec } from '../../spec/spec.ts';
import { allocating } from './buffer.ts';
import type { Build, BuildInput, Builds, Layer } from './layers/layer.ts';
import { JsState } from './state.ts';

function flushedWeights(layer: LayerSpec): LayerSpec {
  if (!('weights' in layer)) return layer;
  const weights: Record<string, WeightTensor | undefined> = { ...layer.weights };
  for (const [key, tensor] of Object.entries(weights)) weights[key] = tensor && flushed(tensor);
  return { ...layer, weights } as LayerSpec;
}

/**
 * A model of the layers of a graph, `builds` being those of their kinds.
 *
 * @throws GruError `out_of_memory`; `internal` for a layer of another kind.
 */
export function compile(graph: Graph, builds: Partial<Builds<LayerSpec['type']>>): CompiledModel {
  let layers: Layer[] | undefined = allocating('the model', () =>
    graph.nodes.map(({ layer, inputs, outputAxis, per }) => {
      const build = builds[layer.type] as Build | undefined;
      if (!build) throw new GruError('internal', `layer '${layer.name}': this backend has no ${layer.type} layers`);
      const shapes = inputs.map((value) => graph.values[value]);
      const view = (shape: GraphValue): BuildInput => (isVectorTo(shape, per) ? { ...shape, kind: 'vector' } : shape);
      return build(
        flushedWeights(layer),
        shapes.map((shape) => shape && view(shape)),
        outputAxis,
      );
    }),
  );
  return {
    bytes: layers.reduce((sum, layer) => sum + layer.bytes, 0),
    createState(batch) {
      if (!layers) throw new GruError('disposed', 'this model has been freed');
      return new JsState(graph, layers, batch);
    },
    free() {
      layers = undefined;
    },
  };
}
