/** How far a load is. */
export interface LoadProgress {
  /** Bytes read so far, of the model file and of those beside it. */
  loaded: number;
  /** Bytes of the files that have been begun; undefined where a server does not say. Grows with each file beside the model's. */
  total: number | undefined;
}

/** Counts what a load reads, for the option `onProgress`. */
export class ReadProgress {
  readonly #report: (progress: LoadProgress) => void;
  #loaded = 0;
  #total: number | undefined = 0;
  #thrown: { error: unknown } | undefined;

  constructor(report: (progress: LoadProgress) => void) {
    this.#report = report;
  }

  /** A file is begun, of so many bytes. */
  begin(bytes: number | undefined): void {
    this.#total = bytes === undefined || this.#total === undefined ? undefined : this.#total + bytes;
  }

  /** So many bytes more have been read. */
  add(bytes: number): void {
    this.#loaded += bytes;
    try {
      this.#report({ loaded: this.#loaded, total: this.#total });
    } catch (error) {
      this.#thrown = { error };
      throw error;
    }
  }

  /** Whether the callback threw it. It ends the load, as itself: the file is not to blame. */
  threw(error: unknown): boolean {
    return this.#thrown !== undefined && Object.is(error, this.#thrown.error);
  }
}
