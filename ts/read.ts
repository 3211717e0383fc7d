import { readModel } from './formats/index.ts';
import type { ImportedModel, ImportOptions } from './formats/report.ts';
import { inspectModel, type Inspection } from './inspect.ts';
import { filesBeside, type ModelFiles, type ModelSource, readSource, sourceName } from './source.ts';

/** Options of `inspect`: how a file is read. `keras`, `pytorch` and `onnx` say what a file of that format does not. */
export interface ReadOptions extends ImportOptions {
  /** Aborts reading; the promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Files that the model file names (shards, external data), where they are not beside it: by that name. */
  files?: ModelFiles | undefined;
}

/** Reads a model file of any known format. */
export async function read(source: ModelSource, { signal, files = {}, ...rest }: ReadOptions): Promise<ImportedModel> {
  const { keras, pytorch, onnx } = rest;
  const options = Object.fromEntries(
    Object.entries({ keras, pytorch, onnx }).filter(([, value]) => value !== undefined),
  );
  const name = sourceName(source);
  const sidecar = filesBeside(source, files, signal);
  return readModel(await readSource(source, signal), { options, sidecar, ...(name === undefined ? {} : { name }) });
}

/** Says what a model file holds. */
export async function inspectSource(source: ModelSource, options: ReadOptions): Promise<Inspection> {
  return inspectModel(await read(source, options));
}
