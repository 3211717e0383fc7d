import type { GruSpec, GruWeights, LayerSpec, ModelSpec } from '../ts/spec/spec.ts';
import type { Task } from './engine.ts';

/** The task as a model of ours. */
export function specOf({ case: c, layers }: Task): ModelSpec {
  const { inputSize, hiddenSize, resetAfter } = c;
  const x: ModelSpec['inputs'] = [{ name: 'x', dtype: 'float32', size: inputSize }];
  if (c.kind === 'dense') {
    const { input: kernel, bias } = layers[0]![0]!;
    const weights = { kernel, bias };
    return { inputs: x, layers: [{ name: 'dense', type: 'dense', inputSize, outputSize: 3 * hiddenSize, weights }] };
  }
  return {
    inputs: x,
    layers: layers.map((directions, i): LayerSpec => {
      const weights: GruWeights = {};
      directions.forEach((w, d) => {
        const direction = d === 0 ? 'forward' : 'reverse';
        weights[`${direction}.input`] = w.input;
        weights[`${direction}.recurrent`] = w.recurrent;
        weights[`${direction}.bias`] = w.bias;
        if (w.recurrentBias) weights[`${direction}.recurrentBias`] = w.recurrentBias;
      });
      const layer: GruSpec = {
        name: `gru${i}`,
        type: 'gru',
        inputSize: i === 0 ? inputSize : layers[i - 1]!.length * hiddenSize,
        hiddenSize,
        resetAfter,
        direction: directions.length === 2 ? 'bidirectional' : 'forward',
        weights,
      };
      return layer;
    }),
  };
}
