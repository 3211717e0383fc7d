import type { LayerSpec } from '../../spec/spec.ts';
import { recurrentWeights } from '../layouts/canonical.ts';
import { fromKeras, gatesFromKeras } from '../layouts/keras.ts';
import { transpose } from '../layouts/canonical.ts';
import type { RtLayer } from './layer.ts';

/** How a type of layer becomes layers of the spec, the last of which gives its value. Weights lie as Keras has them. */
interface RtKind {
  /** Fields besides those of every layer. */
  fields?: readonly string[];
  read(layer: RtLayer): LayerSpec | LayerSpec[];
}

const dense: RtKind = {
  read(layer) {
    const { name, inputSize, outputSize } = layer;
    layer.checkArrays(1, 2);
    const activation = layer.activation();
    const kernel = transpose(layer.array(0, 'kernel', [inputSize, outputSize]), inputSize, outputSize);
    const bias = layer.arrays === 2 ? { bias: layer.array(1, 'bias', [outputSize]) } : {};
    return { name, type: 'dense', inputSize, outputSize, ...(activation ? { activation } : {}), weights: { kernel, ...bias } }; // prettier-ignore
  },
};

/** RTNeural computes tanh whatever the file says, so another activation has no one meaning. */
function checkTanh(layer: RtLayer): void {
  const activation = layer.activation();
  if (activation !== undefined && activation !== 'tanh') {
    throw layer.unsupported(`its activation is '${activation}'; RTNeural knows tanh only`);
  }
}

const gru: RtKind = {
  read(layer) {
    const { name, inputSize, outputSize: hiddenSize } = layer;
    layer.checkArrays(2, 3);
    checkTanh(layer);
    const weights = {
      kernel: layer.array(0, 'forward.input', [inputSize, 3 * hiddenSize]),
      recurrentKernel: layer.array(1, 'forward.recurrent', [hiddenSize, 3 * hiddenSize]),
      bias: layer.arrays === 3 ? layer.array(2, 'forward.bias and recurrentBias', [2, 3 * hiddenSize]) : undefined,
    };
    const forward = fromKeras(weights, { inputSize, hiddenSize }, true);
    return { name, type: 'gru', inputSize, hiddenSize, resetAfter: true, weights: recurrentWeights({ forward }) }; // prettier-ignore
  },
};

const lstm: RtKind = {
  read(layer) {
    const { name, inputSize, outputSize: hiddenSize } = layer;
    layer.checkArrays(2, 3);
    checkTanh(layer);
    const weights = {
      kernel: layer.array(0, 'forward.input', [inputSize, 4 * hiddenSize]),
      recurrentKernel: layer.array(1, 'forward.recurrent', [hiddenSize, 4 * hiddenSize]),
      bias: layer.arrays === 3 ? layer.array(2, 'forward.bias', [4 * hiddenSize]) : undefined,
    };
    const forward = gatesFromKeras(weights, { inputSize, hiddenSize }, 4);
    return { name, type: 'lstm', inputSize, hiddenSize, weights: recurrentWeights({ forward }) };
  },
};

const activation: RtKind = {
  read(layer) {
    layer.checkArrays(0);
    layer.checkKeepsSize();
    return { name: layer.name, type: 'activation', activation: layer.activation() ?? 'linear' };
  },
};

/** The types of layers, as RTNeural's exporter names them. */
export const KINDS: Readonly<Record<string, RtKind>> = {
  dense,
  'time-distributed-dense': dense,
  gru,
  lstm,
  activation,
};
