import { GruError } from '../base/errors.ts';
import { impostor } from '../io/impostor.ts';
import { absentFormat, otherFormat, packedFile } from './detect.ts';
import { fold } from './fold.ts';
import { idsFirst } from './ids-first.ts';
import { hasSpec, readNative } from './native.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { checkShared } from './shared-tensors.ts';
import { useAllKinds } from '../layers/full.ts';

useAllKinds();

type Reader = (bytes: Uint8Array, context: ImportContext) => ImportedModel | Promise<ImportedModel>;

/** A model-file format: how its files begin, and what reads them. */
export interface ModelFormat {
  /** For reports and errors. */
  readonly name: string;
  /** Whether a file is of this format, by its bytes or the first 4096 of them. */
  readonly detect: (bytes: Uint8Array) => boolean;
  /** Gives the reader; where it is a chunk of its own, a program carries only the formats that it meets. */
  readonly reader: () => Promise<Reader>;
}

/** What `model.save()` writes. */
export const native: ModelFormat = { name: 'gru-wasm', detect: hasSpec, reader: () => Promise.resolve(readNative) };

/**
 * The format of a file, by its bytes or the first 4096 of them.
 *
 * @throws GruError `invalid_file` when no format fits, or something came instead of a file; `unsupported` for a format that is
 *   known not to be read.
 */
export function findFormat(bytes: Uint8Array, formats: readonly ModelFormat[], name?: string): ModelFormat {
  const fail = (code: 'invalid_file' | 'unsupported', why: string) =>
    new GruError(code, name === undefined ? why : `'${name}': ${why}`);
  const instead = impostor(bytes);
  if (instead !== undefined) throw fail('invalid_file', instead);
  const advice = otherFormat(bytes);
  if (advice !== undefined) throw fail('unsupported', advice);
  const format = formats.find(({ detect }) => detect(bytes));
  if (format) return format;
  const known = formats.map((one) => one.name).join(', ');
  const why = packedFile(bytes) ?? absentFormat(bytes, known);
  throw fail('invalid_file', why ?? `not a model file of a known format (${known}): ${startOf(bytes)}`);
}

/** How a file begins: its text where it is some, an answer of a server perhaps. */
function startOf(bytes: Uint8Array): string {
  const start = bytes.subarray(0, 60);
  if (start.every((byte) => byte >= 0x20 && byte < 0x7f))
    return `it begins with the text ${String.fromCharCode(...start)}`;
  const hex = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0'));
  return `its first bytes are ${hex.join(' ')}`;
}

/**
 * Reads a model file of one of these formats.
 *
 * @throws GruError `invalid_file` when no format fits; what the reader throws.
 */
export async function readModelOf(
  formats: readonly ModelFormat[],
  bytes: Uint8Array,
  context: ImportContext,
): Promise<ImportedModel> {
  const format = findFormat(bytes, formats, context.name);
  checkOptions(format.name, context);
  const read = await format.reader();
  try {
    const imported = await read(bytes, context);
    if (!context.describing) checkShared(imported.spec);
    // What was saved is as it was made.
    if (format === native) return imported;
    const folded = fold(imported);
    return { ...folded, spec: idsFirst(folded.spec) };
  } catch (error) {
    throw withName(error, context.name);
  }
}

/** An error of a reader, with the file's name first where it says none. */
function withName(error: unknown, name: string | undefined): unknown {
  if (!(error instanceof GruError) || name === undefined || error.message.includes(name)) return error;
  return new GruError(error.code, `${name}: ${error.message}`, { cause: error });
}

/** Options for another format than the file's would be ignored: they are refused. */
function checkOptions(format: string, { options = {} }: ImportContext): void {
  const key = format.toLowerCase();
  const stray = Object.entries(options).find(([name, value]) => value !== undefined && name !== key)?.[0];
  if (stray !== undefined) {
    throw new GruError('invalid_argument', `the option ${stray} is not for this file, which is one of ${format}`);
  }
}
