import { type GruApi, inspectFile, modelFromFile, modelFromSpec } from './api.ts';
import type { FindBackend } from './origin.ts';
import type { LoadOptions, ReadOptions } from './options.ts';
import type { ReadFiles } from './read.ts';
import { bringTracer } from './tracer.ts';
import { gruFromArrays, lstmFromArrays, rnnFromArrays } from './arrays.ts';
import { jsBackend } from '../backends/js/index.ts';
import type { WasmBinaries } from '../backends/wasm/index.ts';
import { packed } from '../backends/wasm/packed.ts';
import { unpack } from '../backends/wasm/unpack.ts';
import { GruError } from '../base/errors.ts';
import { lengthOf } from '../base/foreign.ts';
import { describe, isArrayLike, isRecord } from '../base/tensor.ts';
import { type ModelFormat, native } from '../formats/format.ts';
import { textbook } from '../formats/textbook.ts';
import type { ModelSource } from '../io/source.ts';
import { wasmOrJs } from './fallback.ts';
import type { Inspection } from './inspect.ts';
import type { GruModel } from './model.ts';
import { readerOf } from './read.ts';
import { useAllKinds } from '../layers/full.ts';
import { traceLayer } from './trace.ts';

useAllKinds();
bringTracer({ traceLayer });

/** Which files can be read: nothing is loaded on demand here. */
export interface StaticFormats {
  /**
   * Formats of files beside gru-wasm's own, in any order: `keras`, `onnx`, `pytorch`, `rtneural`, `tfjs`, each from
   * `gru-wasm/formats/<name>`. Default none.
   */
  formats?: readonly ModelFormat[] | undefined;
}

const binaries: WasmBinaries = {
  baseline: () => unpack(packed, 'baseline').then(WebAssembly.compile),
  relaxed: () => unpack(packed, 'relaxed').then(WebAssembly.compile),
};

const find: FindBackend = (options) => wasmOrJs(options, binaries, () => jsBackend);

/** More than there are. A sparse array may be of any length, and `every` passes over its holes. */
const MANY = 64;

/** The reader of the formats given, which the other options do without. */
function reader({ formats = [] }: StaticFormats = {}): ReadFiles {
  const isList = isArrayLike(formats) && lengthOf(formats, 'formats') <= MANY;
  const given = isList ? Array.from<unknown>(formats) : [undefined];
  if (given.every(isFormat)) return readerOf([native, textbook, ...given]);
  const stray = isList ? given.find((format) => !isFormat(format)) : formats;
  throw new GruError(
    'invalid_argument',
    `formats must be an array of what gru-wasm/formats/* give (import { keras } from 'gru-wasm/formats/keras'; formats: [keras]), got ${isList ? 'in it ' : ''}${describe(stray)}`,
  );
}

function isFormat(value: unknown): value is ModelFormat {
  return isRecord(value) && typeof value['detect'] === 'function' && typeof value['reader'] === 'function';
}

/**
 * `loadModel` of `gru-wasm`, without `import()`: for service workers and extensions, where that is forbidden, and scripts of one file.
 *
 * @throws GruError as `loadModel` of `gru-wasm`; `invalid_file` for a format that is not among `options.formats`.
 *
 * @example
 * import { loadModel } from 'gru-wasm/static';
 * import { keras } from 'gru-wasm/formats/keras';
 * const model = await loadModel('speech.keras', { formats: [keras] });
 */
export async function loadModel(source: ModelSource, options?: LoadOptions & StaticFormats): Promise<GruModel> {
  return modelFromFile(find, () => reader(options), source, options, ['formats']);
}

/** `inspect` of `gru-wasm`, without `import()`: see {@link loadModel}. */
export async function inspect(source: ModelSource, options?: ReadOptions & StaticFormats): Promise<Inspection> {
  return inspectFile(() => reader(options), source, options, ['formats']);
}

/** `createModel` of `gru-wasm`, without `import()`. */
export const createModel: GruApi['createModel'] = (spec, options) => modelFromSpec(find, spec, options);
/** `createGru` of `gru-wasm`, without `import()`. */
export const createGru: GruApi['createGru'] = (config, weights, options) =>
  gruFromArrays(find, config, weights, options);
/** `createLstm` of `gru-wasm`, without `import()`. */
export const createLstm: GruApi['createLstm'] = (config, weights, options) =>
  lstmFromArrays(find, config, weights, options);
/** `createRnn` of `gru-wasm`, without `import()`. */
export const createRnn: GruApi['createRnn'] = (config, weights, options) =>
  rnnFromArrays(find, config, weights, options);
