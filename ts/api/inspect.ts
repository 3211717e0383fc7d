import { dtyped, weightsOf } from '../base/weights.ts';
import type { ImportedModel, ImportReport } from '../formats/report.ts';
import { resolveGraph } from '../spec/graph.ts';
import { describeModel, type ModelInfo } from '../spec/info.ts';

/** What a model file holds: what the model takes, gives and consists of, and what was found in the file. */
export interface Inspection extends ModelInfo, ImportReport {
  /** Numbers that training set, in all layers. */
  parameters: number;
  /** The same by layer. */
  parametersByLayer: Record<string, number>;
}

/** Of a file that does not say what its model is. */
const NOTHING: ModelInfo = { inputs: [], outputs: [], layers: [], states: [], streamable: false };

/** Describes what a reader returned. @throws GruError `invalid_spec`. */
export function inspectModel({ spec, graph, report }: ImportedModel): Inspection {
  const parametersByLayer = Object.fromEntries(
    spec.layers.map((layer): [string, number] => {
      const weights = Object.values(weightsOf(layer));
      return [layer.name, weights.reduce((sum, tensor) => sum + (tensor ? dtyped(tensor).data.length : 0), 0)];
    }),
  );
  const parameters = Object.values(parametersByLayer).reduce((sum, count) => sum + count, 0);
  const info = spec.layers.length === 0 ? NOTHING : describeModel(graph ?? resolveGraph(spec));
  return { ...report, ...info, parameters, parametersByLayer };
}
