import { GruError } from '../base/errors.ts';
import { checkBytes, ownContext } from './arguments.ts';
import { parseJson } from '../io/json.ts';
import { formatNamed } from './detect.ts';
import type { ModelFormat } from './format.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { readGuitarml } from './rtneural/guitarml.ts';
import { readLayers } from './rtneural/layers.ts';

/**
 * Reads the JSON files of audio effects: those of RTNeural's exporter (a list of layers with their weights, as AIDA-X has them too) and
 * those of GuitarML's trainer (the state dict of its `SimpleRNN`).
 *
 * @throws GruError `invalid_file` for a damaged file; `unsupported` for what is not known, by name.
 */
export async function readRtneural(bytes: Uint8Array, given: ImportContext = {}): Promise<ImportedModel> {
  checkBytes('readRtneural', bytes);
  const context = ownContext('readRtneural', given);
  const what = context.name ?? 'model.json';
  const root = parseJson(bytes, what);
  if ('model_data' in root) return readGuitarml(root, what);
  if (Array.isArray(root['layers'])) return readLayers(root, root['layers'], what);
  throw new GruError(
    'invalid_file',
    `${what} has neither the layers of RTNeural's exporter nor the model_data of GuitarML's trainer`,
  );
}

/** For `gru-wasm/static`. */
export const rtneural: ModelFormat = {
  ...formatNamed('rtneural'),
  reader: () => Promise.resolve(readRtneural),
};
