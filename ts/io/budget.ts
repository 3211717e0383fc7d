import { GruError } from '../base/errors.ts';
import { describe } from '../base/tensor.ts';

/** Default of the option `maxBytes`: 2 GiB. A wasm memory holds 4, and weights are in it besides the file. */
export const DEFAULT_MAX_BYTES = 2 ** 31;

/** What one load may still read: its file, the files beside it, and what they unpack to. */
export class ReadBudget {
  readonly maxBytes: number;
  #left: number;

  /** @throws GruError `invalid_argument`. */
  constructor(maxBytes: number = DEFAULT_MAX_BYTES) {
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
      throw new GruError('invalid_argument', `maxBytes must be a whole number from 1, got ${describe(maxBytes)}`);
    }
    this.maxBytes = maxBytes;
    this.#left = maxBytes;
  }

  /** @throws GruError `io` when as many bytes are more than what is left. */
  check(bytes: number, what: string): void {
    if (bytes <= this.#left) return;
    const rest = this.#left < this.maxBytes ? `, of which ${this.#left} are left` : '';
    throw new GruError(
      'io',
      `${what} has ${bytes} bytes or more, a load reads ${this.maxBytes} at most${rest}: raise the option maxBytes if the file is trusted`,
    );
  }

  spend(bytes: number, what: string): void {
    this.check(bytes, what);
    this.#left -= bytes;
  }
}
