import { GruError } from '../errors.ts';
import type { ModelSpec } from '../spec.ts';
import { isSafetensors } from './safetensors.ts';

/** A model-file format: how its files begin, and what reads them. */
export interface Format {
  readonly name: string;
  readonly detect: (bytes: Uint8Array) => boolean;
  /** Loads the reader, so that a program carries only the formats that it meets. */
  readonly reader: () => Promise<(bytes: Uint8Array) => ModelSpec>;
}

/** All formats; the first that detects its file reads it. */
export const FORMATS: readonly Format[] = [
  { name: 'safetensors', detect: isSafetensors, reader: async () => (await import('./native.ts')).readNative },
];

/**
 * Reads a model file of any known format.
 *
 * @throws GruError `invalid_file` when no format fits; what the reader throws.
 */
export async function readModel(bytes: Uint8Array): Promise<ModelSpec> {
  const format = FORMATS.find(({ detect }) => detect(bytes));
  if (!format) {
    const start = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const known = FORMATS.map(({ name }) => name).join(', ');
    throw new GruError(
      'invalid_file',
      `not a model file of a known format (${known}): ${bytes.length} bytes${start && `, the first are ${start}`}`,
    );
  }
  return (await format.reader())(bytes);
}
