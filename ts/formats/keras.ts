import { GruError } from '../base/errors.ts';
import { checkBytes, ownContext } from './arguments.ts';
import { formatNamed, isZip } from './detect.ts';
import type { ModelFormat } from './format.ts';
import type { Hdf5Group } from './hdf5.ts';
import { openHdf5 } from './hdf5.ts';
import { parseJson } from '../io/json.ts';
import { readModelConfig } from './keras/config.ts';
import { checkKerasOptions } from './keras/options.ts';
import type { Dialect } from './keras/dialect.ts';
import { kerasDialect } from './keras/dialect.ts';
import { NamedWeights, PathWeights } from './keras/h5-weights.ts';
import { translateKeras } from './keras/translate.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { openZip } from '../io/zip.ts';

/**
 * Reads a model of Keras 2 or 3: `.keras`, a whole-model `.h5`, or `.weights.h5` with its config (`options.keras.config`, or
 * config.json beside the file).
 *
 * @throws GruError `invalid_file` for a damaged file, `unsupported` for what cannot be represented, by name; `invalid_argument` for options that do not fit.
 */
export async function readKeras(bytes: Uint8Array, given: ImportContext = {}): Promise<ImportedModel> {
  checkBytes('readKeras', bytes);
  const context = ownContext('readKeras', given);
  checkKerasOptions(context.options?.keras ?? {});
  return isZip(bytes) ? readArchive(bytes, context) : readH5(bytes, context);
}

async function readArchive(
  bytes: Uint8Array,
  { name = 'the .keras file', budget }: ImportContext,
): Promise<ImportedModel> {
  const zip = await openZip(bytes, name, budget);
  const json = async (file: string) => parseJson(await zip.read(file), `${name}: ${file}`);
  const config = await json('config.json');
  const { keras_version: version } = zip.has('metadata.json') ? await json('metadata.json') : config;
  const stray = zip.names.find((file) => !['metadata.json', 'config.json', 'model.weights.h5'].includes(file));
  if (stray !== undefined)
    throw new GruError('unsupported', `${name}: '${stray}' has no known meaning (assets of layers)`);
  const root = openHdf5(await zip.read('model.weights.h5'), `${name}: model.weights.h5`, budget, bytes.length);
  return translate(config, root, dialectOf(config, version), 'keras');
}

async function readH5(bytes: Uint8Array, context: ImportContext): Promise<ImportedModel> {
  const what = context.name ?? 'the HDF5 file';
  const root = openHdf5(bytes, what, context.budget);
  const own = root.attribute('model_config');
  const version = root.attribute('keras_version');
  if (own !== undefined) {
    if (typeof own !== 'string') throw new GruError('invalid_file', `${what}: attribute model_config is no text`);
    const config = parseJson(own, `${what}: attribute model_config`);
    const weights = root.group('model_weights');
    if (!weights) throw new GruError('invalid_file', `${what}: it has a model_config, but no model_weights`);
    return translate(config, weights, dialectOf(config, version), 'keras');
  }
  const config = await findConfig(context, what);
  return translate(config, root, dialectOf(config, version ?? config['keras_version']), 'keras');
}

/** The config of a file that holds weights only. */
async function findConfig({ options, sidecar }: ImportContext, what: string): Promise<Record<string, unknown>> {
  const given = options?.keras?.config;
  if (typeof given === 'string') return parseJson(given, 'the option keras.config');
  if (given !== undefined) {
    try {
      return parseJson(JSON.stringify(given), 'the option keras.config');
    } catch (cause) {
      if (cause instanceof GruError) throw cause;
      throw new GruError('invalid_argument', `the option keras.config is no JSON: ${String(cause)}`, { cause });
    }
  }
  const beside = await sidecar?.('config.json');
  if (beside) return parseJson(beside, 'config.json');
  throw new GruError(
    'unsupported',
    `${what} holds weights only: give the model's config too, as the option keras.config (what model.to_json() returns) or as config.json beside it`,
  );
}

function translate(config: Record<string, unknown>, root: Hdf5Group, dialect: Dialect, format: string): ImportedModel {
  const model = readModelConfig(config);
  const weights = NamedWeights.isOne(root) ? new NamedWeights(root) : new PathWeights(root, model.layers);
  return translateKeras(model, weights, dialect, format);
}

/** Fields that Keras 2 writes and Keras 3 does not. */
const KERAS2_FIELDS = /"(batch_input_shape|implementation|time_major)"/;

/** `dtype` of a layer: an object of this class since Keras 3.4, before it the name alone. */
const DTYPE_SINCE_3_4 = '"class_name":"DTypePolicy"';
const DTYPE_BEFORE_3_4 = /"trainable":(true|false),"dtype":"/;

/** A file of weights and a config of `model.to_json()` say no version: the config's form tells what matters of it. */
function dialectOf(config: Record<string, unknown>, version: unknown): Dialect {
  if (typeof version === 'string' && /^\d+(\.|$)/.test(version)) return kerasDialect(version, true);
  const json = JSON.stringify(config);
  const [since, before] = [json.includes(DTYPE_SINCE_3_4), DTYPE_BEFORE_3_4.test(json)];
  const masks = since === before ? undefined : since ? 'or' : 'lost';
  return kerasDialect(undefined, 'module' in config && !KERAS2_FIELDS.test(json), masks);
}

/** For `gru-wasm/static`. */
export const keras: ModelFormat = { ...formatNamed('keras'), reader: () => Promise.resolve(readKeras) };
