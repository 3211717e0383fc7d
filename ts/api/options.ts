import type { GruError } from '../base/errors.ts';
import type { Precision } from '../formats/precision.ts';
import type { ImportOptions } from '../formats/report.ts';
import type { LoadProgress } from '../io/progress.ts';
import type { ModelFiles } from '../io/source.ts';

/** Options of `createModel`, `createGru`, `createLstm` and `createRnn`. */
export interface ModelOptions {
  /** What computes. `auto`, the default: wasm where it runs, else JavaScript. */
  backend?: 'auto' | 'wasm' | 'js' | undefined;
  /**
   * Use the baseline wasm build, whose results are the same bits on every machine (and those of the JS backend), instead of
   * relaxed SIMD, which is faster. Default false.
   */
  deterministic?: boolean | undefined;
  /**
   * Node only, experimental: turn on V8's `--experimental-wasm-revectorize` for the whole process before the core is compiled.
   * Batches of 6 rows and more then run about twice as fast as without it on Node 24 and later, with the same bits. Must be asked for by
   * the first model of the process. Default false.
   */
  revectorize?: boolean | undefined;
  /**
   * Called where `backend: 'auto'` takes JavaScript because wasm does not run here, with the reason. Left out: the first time is told
   * by `console.warn`. `backend: 'js'` asks for JavaScript, which nothing is told of.
   */
  onFallback?: ((reason: GruError) => void) | undefined;
}

/** Options of `inspect`: how a file is read. `keras`, `pytorch` and `onnx` say what a file of that format does not. */
export interface ReadOptions extends ImportOptions {
  /** Aborts reading; the promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Files that the model file names (shards, external data), where they are not beside it: by that name. */
  files?: ModelFiles | undefined;
  /**
   * Most bytes that are read: of the file, of those beside it, and of what they unpack to, together. More end with a GruError
   * `io`. A whole number from 1; default 2 GiB (2 ** 31).
   */
  maxBytes?: number | undefined;
  /** Called while files are read, with the bytes so far and, where it is known, their number in all. The load is rejected with what it throws. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** Options of `loadModel`. */
export interface LoadOptions extends ModelOptions, ReadOptions {
  /**
   * What the weights that products are made with become: `f32`, or integers with a scale a row, `i16` or `i8`, which products are then made
   * of: smaller and faster, less precise (docs/precision.md). For all layers that have such weights, or by the name of a layer, as
   * `autoPrecision` of `gru-wasm/precision` finds it. Left out: what the file has.
   */
  precision?: Precision | undefined;
}

export const MODEL_OPTIONS = ['backend', 'deterministic', 'revectorize', 'onFallback'] as const;
export const READ_OPTIONS = ['signal', 'files', 'maxBytes', 'onProgress', 'keras', 'pytorch', 'onnx'] as const;

/** What some entries take beside the options of all. */
export interface EntryOptions {
  wasm?: unknown;
  formats?: unknown;
}
