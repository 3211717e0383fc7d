import type { GruWeights, LayerSpec, ModelSpec } from '../ts/spec/spec.ts';
import { GATES } from './cases.ts';
import type { Task } from './engine.ts';

/** The task as a model of ours. */
export function specOf({ case: c, layers }: Task): ModelSpec {
  const { inputSize, hiddenSize, cell, resetAfter } = c;
  const x: ModelSpec['inputs'] = [{ name: 'x', dtype: 'float32', size: inputSize }];
  if (c.heads !== undefined) {
    const inputs = ['x', 'x', 'x'];
    const scale = Math.sqrt(c.heads / inputSize);
    return { inputs: x, layers: [{ name: 'attention', type: 'attention', inputs, inputSize, heads: c.heads, scale }] };
  }
  if (c.taps !== undefined) {
    const { input: kernel, bias } = layers[0]![0]!;
    const sizes = { inputSize, outputSize: hiddenSize, kernelSize: c.taps };
    const weights = { kernel, bias };
    return { inputs: x, layers: [{ name: 'conv1d', type: 'conv1d', ...sizes, padding: 'causal', weights }] };
  }
  if (c.kind === 'dense') {
    const { input: kernel, bias } = layers[0]![0]!;
    const outputSize = GATES[cell] * hiddenSize;
    return { inputs: x, layers: [{ name: 'dense', type: 'dense', inputSize, outputSize, weights: { kernel, bias } }] };
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
      const layer = {
        name: `${cell}${i}`,
        inputSize: i === 0 ? inputSize : layers[i - 1]!.length * hiddenSize,
        hiddenSize,
        direction: directions.length === 2 ? ('bidirectional' as const) : ('forward' as const),
        weights,
      };
      return cell === 'gru' ? { ...layer, type: cell, resetAfter } : { ...layer, type: cell };
    }),
  };
}
