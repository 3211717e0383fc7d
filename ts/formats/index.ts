import { onDemand } from '../base/host.ts';
import { isKeras, isOnnx, isPytorch, isRtneural, isTfjs } from './detect.ts';
import { type ModelFormat, native, readModelOf } from './format.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { headerNames, isSafetensors } from '../io/safetensors.ts';

/** All formats; the first that detects its file reads it. */
export const FORMATS: readonly ModelFormat[] = [
  native,
  {
    name: 'Keras',
    detect: isKeras,
    reader: async () => (await onDemand(() => import('./keras.ts'))).readKeras,
  },
  {
    name: 'textbook',
    detect: (bytes) => isSafetensors(bytes) && headerNames(bytes, 'candidate_hidden.kernel'),
    reader: async () => (await onDemand(() => import('./textbook.ts'))).readTextbook,
  },
  {
    name: 'PyTorch',
    detect: isPytorch,
    reader: async () => (await onDemand(() => import('./pytorch.ts'))).readPytorch,
  },
  {
    name: 'RTNeural',
    detect: isRtneural,
    reader: async () => (await onDemand(() => import('./rtneural.ts'))).readRtneural,
  },
  { name: 'ONNX', detect: isOnnx, reader: async () => (await onDemand(() => import('./onnx.ts'))).readOnnx },
  { name: 'TensorFlow.js', detect: isTfjs, reader: async () => (await onDemand(() => import('./tfjs.ts'))).readTfjs },
];

/**
 * Reads a model file of any known format.
 *
 * @throws GruError `invalid_file` when no format fits; what the reader throws.
 */
export async function readModel(bytes: Uint8Array, context: ImportContext = {}): Promise<ImportedModel> {
  return readModelOf(FORMATS, bytes, context);
}
