import type { Conv1dSpec, PadSpec } from '../spec/spec.ts';

/** A transposed convolution: y[t stride + k dilation - left] is the sum of weight(k) x[t]; of T steps it makes T stride + more. */
export interface TransposedConv {
  inputSize: number;
  outputSize: number;
  kernelSize: number;
  stride: number;
  /** 1 where the stride is more. */
  dilation: number;
  left: number;
  more: number;
  /** Of a tap, from a channel to an output. */
  weight: (tap: number, output: number, channel: number) => number;
  bias: Float32Array | undefined;
}

/** A convolution whose rows are `factor` steps side by side, and what is cut away once they are apart. */
export interface ConvOfParts {
  conv: Omit<Conv1dSpec, 'type' | 'name' | 'inputs' | 'padding'> & { padding: [number, number] };
  factor: number;
  crop: Required<Pick<PadSpec, 'before' | 'after'>>;
}

/** How many q there are behind the last step, and what is cut away of all parts of them. */
export function extentOf({ stride, left, more }: Pick<TransposedConv, 'stride' | 'left' | 'more'>): {
  behind: number;
  crop: ConvOfParts['crop'];
} {
  const behind = Math.max(Math.ceil((more + left) / stride), 0);
  return { behind, crop: { before: 0 - left, after: left + more - behind * stride } };
}

/** y[s q + p - left] is the sum over j of weight(s j + p) x[q - j]: a convolution that gives all p of q, with as many q behind the last step as are read. */
export function convOfParts(given: TransposedConv): ConvOfParts {
  const { inputSize, outputSize, kernelSize, stride, dilation, weight, bias } = given;
  const taps = Math.ceil(kernelSize / stride);
  const { behind, crop } = extentOf(given);
  const kernel = new Float32Array(stride * outputSize * taps * inputSize);
  let at = 0;
  for (let row = 0; row < stride * outputSize; row++) {
    for (let i = 0; i < taps; i++) {
      const tap = stride * (taps - 1 - i) + Math.floor(row / outputSize);
      for (let c = 0; c < inputSize; c++) kernel[at++] = tap < kernelSize ? weight(tap, row % outputSize, c) : 0;
    }
  }
  const ofRows = bias && Float32Array.from({ length: stride * outputSize }, (_, row) => bias[row % outputSize]!);
  const own = { inputSize, outputSize: stride * outputSize, kernelSize: taps, dilation };
  return {
    conv: { ...own, padding: [(taps - 1) * dilation, behind], weights: { kernel, ...(ofRows && { bias: ofRows }) } },
    factor: stride,
    crop,
  };
}
