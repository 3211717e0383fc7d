import type { RnnSpec } from '../layers/rnn.ts';

/** A layer that numbers the steps of rows of so many values, from 1 on: h' = h + 1. */
export function stepCounter(inputSize: number): Omit<RnnSpec, 'name'> {
  const weights = {
    'forward.input': new Float32Array(inputSize),
    'forward.recurrent': Float32Array.of(1),
    'forward.bias': Float32Array.of(1),
  };
  return { type: 'rnn', inputSize, hiddenSize: 1, activation: 'linear', weights };
}
