import type { CompiledModel } from '../backend.ts';
import { GruError } from '../../base/errors.ts';
import { alive } from '../../base/lifetime.ts';
import { dtyped, DTYPES, weightsOf } from '../../base/weights.ts';
import { type Graph, type GraphNode, valuesOf } from '../../spec/graph.ts';
import { paramWords } from '../../layers/kind.ts';
import { checked, type Engine } from './engine.ts';
import type { Instance } from './instance.ts';
import type { Kernels } from './kernels.ts';
import { withBlocks } from './memory.ts';
import { WasmState } from './state.ts';

/** Hands a graph to the core, which packs its weights. */
export function compile(instance: Instance, graph: Graph, kernels: Kernels): CompiledModel {
  const { engine } = instance;
  const model = checked(engine.model_new(), 'new model');
  try {
    for (const { kind, axis, size, dtype, name } of graph.inputs) {
      const steps = kind === 'sequence' ? axis + 1 : 0;
      checked(engine.model_add_input(model, steps, size, Number(dtype === 'float32')), `input '${name}'`);
    }
    graph.derivedAxes.forEach(({ from, each }, i) => {
      if (each === undefined) return;
      const axis = graph.axes.length + i;
      checked(engine.model_nest_axis(model, axis, from, each), `axis ${axis}`);
    });
    for (const node of graph.nodes) addLayer(engine, model, graph, node);
    for (const { value, name } of graph.outputs) checked(engine.model_add_output(model, value), `output '${name}'`);
  } catch (error) {
    engine.model_free(model);
    throw error;
  }
  let held: number | undefined = model;
  return {
    bytes: engine.model_bytes(model),
    createState(batch) {
      const handle = checked(engine.state_new(alive(held, 'the model'), batch), `state of batch ${batch}`);
      return new WasmState(instance, kernels, graph, handle, batch);
    },
    free() {
      if (held !== undefined) engine.model_free(held);
      held = undefined;
    },
  };
}

/** In the form that `model_add_layer` of crate/bindings reads. */
function addLayer(engine: Engine, model: number, graph: Graph, node: GraphNode): void {
  const { layer, kind, inputs, outputAxis, per, firstOutput } = node;
  const what = `${layer.type} layer '${layer.name}'`;
  const weights = weightsOf(layer);
  withBlocks(engine, (copy) => {
    const tensors = kind.tensors(layer).flatMap(({ key }) => {
      const tensor = weights[key];
      if (!tensor) return [0, 0, 0, 0];
      const { dtype, data, scales } = dtyped(tensor);
      const name = `weights['${key}'] of ${what}`;
      return [copy(data, name), DTYPES.indexOf(dtype), data.length, scales ? copy(scales, name) : 0];
    });
    const words = [
      kind.code,
      per === undefined ? 0 : per + 1,
      inputs.length,
      ...inputs,
      tensors.length / 4,
      ...tensors,
      ...paramWords(kind.params(layer, outputAxis, valuesOf(graph, node))),
    ];
    const handle = copy(Int32Array.from(words), what);
    const first = checked(engine.model_add_layer(model, handle), what);
    if (first !== firstOutput) throw new GruError('internal', `${what}: the core numbers its values differently`);
  });
}
