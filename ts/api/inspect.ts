import { dtyped, weightsOf, type WeightTensor } from '../base/weights.ts';
import type { ImportedModel, ImportReport } from '../formats/report.ts';
import { resolveGraph } from '../spec/graph.ts';
import { describeModel, type ModelInfo } from '../spec/info.ts';
import type { LayerSpec } from '../spec/spec.ts';

/** What a model file holds: what the model takes, gives and consists of, and what was found in the file. */
export interface Inspection extends ModelInfo, ImportReport {
  /** Numbers that training set, in all layers; of a tensor that several share once. */
  parameters: number;
  /** Those of each layer. */
  parametersByLayer: Record<string, number>;
}

/** Of a file that does not say what its model is. */
const NOTHING: ModelInfo = { inputs: [], outputs: [], layers: [], states: [], streamable: false };

/** Describes what a reader returned. @throws GruError `invalid_spec`. */
export function inspectModel({ spec, graph, report }: ImportedModel): Inspection {
  const tensorsOf = (layer: LayerSpec) => Object.values(weightsOf(layer)).filter((tensor) => tensor !== undefined);
  const count = (tensors: Iterable<WeightTensor>) => {
    let sum = 0;
    for (const tensor of tensors) sum += dtyped(tensor).data.length;
    return sum;
  };
  const parametersByLayer = Object.fromEntries(spec.layers.map((layer) => [layer.name, count(tensorsOf(layer))]));
  const parameters = count(new Set(spec.layers.flatMap(tensorsOf)));
  const info = spec.layers.length === 0 ? NOTHING : describeModel(graph ?? resolveGraph(spec));
  return { ...report, ...info, parameters, parametersByLayer };
}
