import { type DirectionWeights, foldBiases, type RecurrentSizes } from './canonical.ts';

/** Weights of one direction as Keras 2's CuDNNGRU and CuDNNLSTM hold them: a gate's matrix is cuDNN's own under another shape. */
export interface CudnnDirection {
  /** (inputSize, gates * hiddenSize): the block of each gate, read row by row, is (hiddenSize, inputSize). */
  kernel: Float32Array;
  /** (hiddenSize, gates * hiddenSize): the block of each gate is to be multiplied from the left. */
  recurrentKernel: Float32Array;
  /** (2 gates * hiddenSize): input biases, then recurrent ones. */
  bias?: Float32Array | undefined;
}

/** cuDNN's arrays to the canonical form, whose gates come in the same order. A GRU of cuDNN applies its reset gate after the product. */
export function fromCudnn(
  { kernel, recurrentKernel, bias }: CudnnDirection,
  { inputSize, hiddenSize }: RecurrentSizes,
  gates: number,
  resetAfter: boolean,
): DirectionWeights {
  const columns = gates * hiddenSize;
  return {
    input: stackBlocks(kernel, inputSize, hiddenSize, gates),
    recurrent: stackBlocks(recurrentKernel, hiddenSize, hiddenSize, gates),
    ...foldBiases(bias?.slice(0, columns), bias?.slice(columns), hiddenSize, resetAfter),
  };
}

/** (rows, gates * width), blocks side by side -> the same blocks one after the other. */
function stackBlocks(data: Float32Array, rows: number, width: number, gates: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let gate = 0; gate < gates; gate++) {
    for (let row = 0; row < rows; row++) {
      const from = (row * gates + gate) * width;
      out.set(data.subarray(from, from + width), (gate * rows + row) * width);
    }
  }
  return out;
}
