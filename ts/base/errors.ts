/** Stable, machine-readable reasons of a {@link GruError}. */
export type GruErrorCode =
  /** An argument has a value that makes no sense here (a negative batch, an unknown option, ...). */
  | 'invalid_argument'
  /** A length or a shape is not the one expected. */
  | 'shape_mismatch'
  /** Data of the wrong kind: ids where features are expected, strings where numbers are expected, ... */
  | 'dtype_mismatch'
  /** An id that is not a whole number inside its embedding. */
  | 'id_out_of_range'
  /** A ModelSpec that contradicts itself or its weights. */
  | 'invalid_spec'
  /** A file that is damaged or is not what it claims to be. */
  | 'invalid_file'
  /** Something valid that gru-wasm does not (or cannot) represent. */
  | 'unsupported'
  /** A layer needs later steps, so the model cannot run step by step; the message names it. */
  | 'not_streamable'
  /** The model or its buffers do not fit into memory. */
  | 'out_of_memory'
  /** Used after `dispose()` or `close()`. */
  | 'disposed'
  /** A pool's queue is full. */
  | 'queue_full'
  /** A call took longer than its `timeout`. */
  | 'timeout'
  /** A worker of a pool died, and so did the one that was to do its work again. */
  | 'worker_lost'
  /** A file or URL could not be read. */
  | 'io'
  /** The engine asked for cannot run here (no WebAssembly SIMD, a wasm binary of another version). */
  | 'backend_unavailable'
  /** A defect of gru-wasm itself. */
  | 'internal';

/**
 * The one class of errors that gru-wasm throws.
 *
 * @example
 * try {
 *   model.run(x);
 * } catch (error) {
 *   if (!(error instanceof GruError && error.code === 'shape_mismatch')) throw error;
 *   console.log(error.message);
 * }
 */
export class GruError extends Error {
  override readonly name = 'GruError';
  /** What went wrong, for programs; `message` says it for people. */
  readonly code: GruErrorCode;

  constructor(code: GruErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What an error names; by a function where the text costs as much as what is checked, which most often holds. */
export type Name = string | (() => string);

export function nameText(name: Name): string {
  return typeof name === 'string' ? name : name();
}
