import { GruError } from '../base/errors.ts';
import { checkBytes, ownContext } from './arguments.ts';
import { isRecord } from '../base/tensor.ts';
import { formatNamed } from './detect.ts';
import type { ModelFormat } from './format.ts';
import { parseJson } from '../io/json.ts';
import { readModelConfig } from './keras/config.ts';
import { tfjsDialect } from './keras/dialect.ts';
import { translateKeras } from './keras/translate.ts';
import { FlatWeights, flatWeight } from './keras/weights.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { readManifest } from './tfjs/manifest.ts';

/**
 * Reads a layers model of TensorFlow.js: model.json, whose weight shards are sidecar files.
 *
 * @throws GruError `invalid_file` for a damaged file, `io` for a shard that is not there, `unsupported` for what cannot be
 *   represented, by name.
 */
export async function readTfjs(bytes: Uint8Array, given: ImportContext = {}): Promise<ImportedModel> {
  checkBytes('readTfjs', bytes);
  const context = ownContext('readTfjs', given);
  const what = context.name ?? 'model.json';
  const root = parseJson(bytes, what);
  const { modelTopology: topology, format, weightsManifest: manifest } = root;
  if (format === 'graph-model' || (isRecord(topology) && 'node' in topology)) {
    throw new GruError(
      'unsupported',
      `${what} is a graph model; supported: layers models. Convert with --output_format=tfjs_layers_model`,
    );
  }
  if (!isRecord(topology)) throw new GruError('invalid_file', `${what} has no modelTopology`);
  // A converted Keras model has the config one level down.
  const config = isRecord(topology['model_config']) ? topology['model_config'] : topology;
  const version = /\d[\d.]*/.exec(typeof root['generatedBy'] === 'string' ? root['generatedBy'] : '')?.[0];
  const dialect = tfjsDialect(/^TensorFlow\.js/i.test(String(root['generatedBy'])) ? version : undefined);
  const { tensors, ofOptimizer } = await readManifest(manifest, what, context);
  const weights = new FlatWeights(tensors.map((tensor) => flatWeight(tensor, tensor.name)));
  const model = translateKeras(readModelConfig(config), weights, dialect, 'tfjs');
  if (ofOptimizer > 0) model.report.conventions.push(`the optimizer's state (${ofOptimizer} tensors) is not read`);
  return model;
}

/** For `gru-wasm/static`. */
export const tfjs: ModelFormat = { ...formatNamed('tfjs'), reader: () => Promise.resolve(readTfjs) };
