import { ReadBudget } from '../io/budget.ts';
import { GruError } from '../base/errors.ts';
import { findFormat, type ModelFormat, readModelOf } from '../formats/format.ts';
import type { ImportedModel, ImportOptions } from '../formats/report.ts';
import { readPrecision, withPrecision } from '../formats/precision.ts';
import { inspectModel, type Inspection } from './inspect.ts';
import type { LoadOptions, ReadOptions } from './options.ts';
import { ReadProgress } from '../io/progress.ts';
import { filesBeside, type ModelFiles, type ModelSource, openSource, sourceName } from '../io/source.ts';
import { readKind } from '../io/source-kind.ts';
import { ownCopy } from '../base/own-copy.ts';
import { checkSignal } from '../base/signal.ts';
import { checkCallback, describe } from '../base/tensor.ts';

/** Reads model files: what `loadModel` and `inspect` do. */
export interface ReadFiles {
  readonly read: (source: ModelSource, options: LoadOptions) => Promise<ImportedModel>;
  readonly inspectSource: (source: ModelSource, options: ReadOptions) => Promise<Inspection>;
}

/** Reads model files of these formats. */
export function readerOf(formats: readonly ModelFormat[]): ReadFiles {
  return {
    read: (source, options) => read(formats, source, options, false),
    inspectSource: async (source, options) => inspectModel(await read(formats, source, options, true)),
  };
}

async function read(
  formats: readonly ModelFormat[],
  source: ModelSource,
  options: LoadOptions,
  describing: boolean,
): Promise<ImportedModel> {
  const precision = options.precision === undefined ? undefined : readPrecision(options.precision);
  const { signal, maxBytes, onProgress, keras, pytorch, onnx } = options;
  checkSignal('signal', signal);
  checkCallback('onProgress', onProgress);
  const files = readFiles(options.files);
  const budget = new ReadBudget(maxBytes);
  const byFormat = { keras, pytorch, onnx } satisfies Record<keyof ImportOptions, unknown>;
  const imports = Object.fromEntries(Object.entries(ownCopy(byFormat)).filter(([, value]) => value !== undefined));
  const context = { budget, signal, progress: onProgress && new ReadProgress(onProgress) };
  const name = sourceName(source);
  const { bytes, place } = await openSource(source, {
    ...context,
    checkStart: (start) => findFormat(start, formats, name),
  });
  const sidecar = filesBeside(place ?? bytes, files, context);
  const imported = await readModelOf(formats, bytes, {
    options: imports,
    sidecar,
    budget,
    describing,
    ...(name === undefined ? {} : { name }),
  });
  return precision === undefined ? imported : withPrecision(imported, precision);
}

/** A copy. @throws GruError `invalid_argument` unless it is a record of sources. */
function readFiles(files: unknown): ModelFiles {
  if (files === undefined) return {};
  let copy: ModelFiles | undefined;
  try {
    if (Object.prototype.toString.call(files) === '[object Object]') copy = { ...(files as ModelFiles) };
  } catch {
    // A revoked Proxy, or a getter that throws.
  }
  if (!copy) {
    throw new GruError('invalid_argument', `files must be an object of sources by name, got ${describe(files)}`);
  }
  for (const [name, source] of Object.entries(copy)) readKind(source, `files['${name.slice(0, 80)}']`);
  return copy;
}
