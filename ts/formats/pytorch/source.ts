/** A tensor of a state dict, whatever kind of file it is in. */
export interface SourceTensor {
  /** As PyTorch has it. */
  shape: number[];
  /** As PyTorch calls it: `float32`, `bfloat16`, ... */
  dtype: string;
  /**
   * The values as float32, in row-major order; perhaps a view of the file, so to be copied before it is kept.
   *
   * @throws GruError `invalid_file` when the data are not there, `unsupported` when they are no numbers or too many.
   */
  floats(): Promise<Float32Array>;
}

/** What a file holds at one name: a tensor, or something else in Python's words. */
export type StateEntry = SourceTensor | string;

/** Names and tensors, in the order of the file. */
export type StateDict = Map<string, StateEntry>;
