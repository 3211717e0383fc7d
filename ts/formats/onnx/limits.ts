import { GruError } from '../../base/errors.ts';

/** Bytes that what reads a file of so many may compute and keep. */
export const boundOf = (fileBytes: number): number => 24 * 2 ** 20 + 3 * fileBytes;

/** Bounds what reading a graph may compute and keep: bytes of constants and of pieces of values. */
export class Budget {
  #left: number;
  readonly #whole: Budget | undefined;

  /** @param whole one that this is a part of */
  constructor(bytes: number, whole?: Budget) {
    this.#left = bytes;
    this.#whole = whole;
  }

  /** @throws GruError `unsupported` when that is too much, `invalid_file` for sizes that cannot be: a damaged file's. */
  spend(bytes: number): void {
    if (!(bytes >= 0)) throw new GruError('invalid_file', 'the ONNX graph makes a constant of a size that cannot be');
    this.#whole?.spend(bytes);
    this.#left -= bytes;
    if (!(this.#left >= 0)) {
      throw new GruError('unsupported', 'the ONNX graph computes more constants than a recurrent model needs');
    }
  }
}
