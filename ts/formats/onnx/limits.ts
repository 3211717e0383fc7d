import { GruError } from '../../errors.ts';

/** Bounds what reading a graph may compute and keep: bytes of constants and of pieces of values. */
export class Budget {
  #left: number;

  constructor(fileBytes: number) {
    this.#left = 24 * 2 ** 20 + 3 * fileBytes;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
    if (!(this.#left >= 0)) {
      throw new GruError('unsupported', 'the ONNX graph computes more constants than a GRU model needs');
    }
  }
}
