import type { Backend, CompiledModel } from '../backend.ts';
import { GruError } from '../../base/errors.ts';
import { type Graph, type GraphValue, isVectorTo } from '../../spec/graph.ts';
import { allocating } from './buffer.ts';
import { JS_LAYERS } from './layers/index.ts';
import type { Build, BuildInput, Layer } from './layers/layer.ts';
import { JsState } from './state.ts';

/**
 * The backend without WebAssembly: where it is not to be had, and what the others are checked against. Its results are
 * those of the baseline wasm build, bit for bit (docs/arithmetic.md).
 */
export const jsBackend: Backend = {
  name: 'js',
  compile(graph: Graph): CompiledModel {
    let layers: Layer[] | undefined = allocating('the model', () =>
      graph.nodes.map(({ layer, inputs, outputAxis, per }) => {
        const build = JS_LAYERS[layer.type] as Build;
        const shapes = inputs.map((value) => graph.values[value]);
        const view = (shape: GraphValue): BuildInput => (isVectorTo(shape, per) ? { ...shape, kind: 'vector' } : shape);
        return build(
          layer,
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
  },
};
