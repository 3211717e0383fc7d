import { GruError } from '../base/errors.ts';
import { isJsonDict, isKeras, isOnnx, isRtneural, isTfjs, isTorchSave } from './detect.ts';
import { hasSpec, readNative } from './native.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { headerNames, isSafetensors } from '../io/safetensors.ts';

type Reader = (bytes: Uint8Array, context: ImportContext) => ImportedModel | Promise<ImportedModel>;

/** A model-file format: how its files begin, and what reads them. */
export interface Format {
  readonly name: string;
  readonly detect: (bytes: Uint8Array) => boolean;
  /** Loads the reader, so that a program carries only the formats that it meets. */
  readonly reader: () => Promise<Reader>;
}

/** All formats; the first that detects its file reads it. */
export const FORMATS: readonly Format[] = [
  { name: 'gru-wasm', detect: hasSpec, reader: () => Promise.resolve(readNative) },
  {
    name: 'Keras',
    detect: isKeras,
    reader: async () => (await import('./keras.ts')).readKeras,
  },
  {
    name: 'textbook',
    detect: (bytes) => isSafetensors(bytes) && headerNames(bytes, 'candidate_hidden.kernel'),
    reader: async () => (await import('./textbook.ts')).readTextbook,
  },
  {
    name: 'PyTorch',
    detect: (bytes) => isSafetensors(bytes) || isTorchSave(bytes) || isJsonDict(bytes),
    reader: async () => (await import('./pytorch.ts')).readPytorch,
  },
  {
    name: 'RTNeural',
    detect: isRtneural,
    reader: async () => (await import('./rtneural.ts')).readRtneural,
  },
  { name: 'ONNX', detect: isOnnx, reader: async () => (await import('./onnx.ts')).readOnnx },
  { name: 'TensorFlow.js', detect: isTfjs, reader: async () => (await import('./tfjs.ts')).readTfjs },
];

/**
 * The format of a file, by its bytes or the first 4096 of them.
 *
 * @throws GruError `invalid_file` when no format fits.
 */
export function findFormat(bytes: Uint8Array): Format {
  const format = FORMATS.find(({ detect }) => detect(bytes));
  if (format) return format;
  const start = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const known = FORMATS.map(({ name }) => name).join(', ');
  throw new GruError(
    'invalid_file',
    `not a model file of a known format (${known}): ${start ? `its first bytes are ${start}` : '0 bytes'}`,
  );
}

/**
 * Reads a model file of any known format.
 *
 * @throws GruError `invalid_file` when no format fits; what the reader throws.
 */
export async function readModel(bytes: Uint8Array, context: ImportContext = {}): Promise<ImportedModel> {
  const format = findFormat(bytes);
  checkOptions(format.name, context);
  return (await format.reader())(bytes, context);
}

/** Options for another format than the file's would be ignored: they are refused. */
function checkOptions(format: string, { options = {} }: ImportContext): void {
  const key = format.toLowerCase();
  const stray = Object.entries(options).find(([name, value]) => value !== undefined && name !== key)?.[0];
  if (stray !== undefined) {
    throw new GruError('invalid_argument', `the option ${stray} is not for this file, which is one of ${format}`);
  }
}
