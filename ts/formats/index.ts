import { onDemand } from '../base/host.ts';
import { formatNamed } from './detect.ts';
import { type ModelFormat, native, readModelOf } from './format.ts';
import type { ImportContext, ImportedModel } from './report.ts';

/** All formats, in no order that matters: a file is of one of them. */
export const FORMATS: readonly ModelFormat[] = [
  native,
  {
    ...formatNamed('keras'),
    reader: async () => (await onDemand(() => import('./keras.ts'))).readKeras,
  },
  {
    ...formatNamed('textbook'),
    reader: async () => (await onDemand(() => import('./textbook.ts'))).readTextbook,
  },
  {
    ...formatNamed('pytorch'),
    reader: async () => (await onDemand(() => import('./pytorch.ts'))).readPytorch,
  },
  {
    ...formatNamed('rtneural'),
    reader: async () => (await onDemand(() => import('./rtneural.ts'))).readRtneural,
  },
  { ...formatNamed('onnx'), reader: async () => (await onDemand(() => import('./onnx.ts'))).readOnnx },
  { ...formatNamed('tfjs'), reader: async () => (await onDemand(() => import('./tfjs.ts'))).readTfjs },
];

/**
 * Reads a model file of any known format.
 *
 * @throws GruError `invalid_file` when no format fits; what the reader throws.
 */
export async function readModel(bytes: Uint8Array, context: ImportContext = {}): Promise<ImportedModel> {
  return readModelOf(FORMATS, bytes, context);
}
