import type { LayerSpec } from '../../spec/spec.ts';
import { batchNorm } from '../batch-norm.ts';
import { recurrentWeights } from '../layouts/canonical.ts';
import { fromKeras, gatesFromKeras, type KerasDirection } from '../layouts/keras.ts';
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

/** The arrays of a recurrent layer of so many gates. @param bias What the last one is, and its shape before the columns. */
function readRecurrent(layer: RtLayer, gates: number, bias: string, rows: readonly number[]): KerasDirection {
  const { inputSize, outputSize } = layer;
  layer.checkArrays(2, 3);
  checkTanh(layer);
  const columns = gates * outputSize;
  return {
    kernel: layer.array(0, 'forward.input', [inputSize, columns]),
    recurrentKernel: layer.array(1, 'forward.recurrent', [outputSize, columns]),
    bias: layer.arrays === 3 ? layer.array(2, bias, [...rows, columns]) : undefined,
  };
}

const gru: RtKind = {
  read(layer) {
    const { name, inputSize, outputSize: hiddenSize } = layer;
    const weights = readRecurrent(layer, 3, 'forward.bias and recurrentBias', [2]);
    const forward = fromKeras(weights, { inputSize, hiddenSize }, true);
    return { name, type: 'gru', inputSize, hiddenSize, resetAfter: true, weights: recurrentWeights({ forward }) }; // prettier-ignore
  },
};

const lstm: RtKind = {
  read(layer) {
    const { name, inputSize, outputSize: hiddenSize } = layer;
    const weights = readRecurrent(layer, 4, 'forward.bias', []);
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

/** Causal, as RTNeural computes it from sample to sample. */
const conv1d: RtKind = {
  fields: ['kernel_size', 'dilation', 'groups'],
  read(layer) {
    const { name, inputSize, outputSize } = layer;
    layer.checkArrays(1, 2);
    const activation = layer.activation();
    const [kernelSize, dilation, groups] = [layer.count('kernel_size'), layer.count('dilation', 1), layer.count('groups', 1)]; // prettier-ignore
    if (inputSize % groups !== 0) throw layer.invalid(`${inputSize} channels do not make ${groups} groups`);
    const inputs = inputSize / groups;
    const given = layer.array(0, 'kernel', [kernelSize, inputs, outputSize]);
    const kernel = transpose(given, kernelSize * inputs, outputSize);
    const bias = layer.arrays === 2 ? { bias: layer.array(1, 'bias', [outputSize]) } : {};
    return {
      name,
      type: 'conv1d',
      inputSize,
      outputSize,
      kernelSize,
      dilation,
      groups,
      padding: 'causal',
      ...(activation ? { activation } : {}),
      weights: { kernel, ...bias },
    };
  },
};

/** gamma (x - mean) / sqrt(variance + epsilon) + beta; gamma and beta may be left out. */
const batchnorm: RtKind = {
  fields: ['epsilon'],
  read(layer) {
    const { name, inputSize } = layer;
    layer.checkArrays(2, 4);
    layer.checkKeepsSize();
    const epsilon = layer.number('epsilon');
    const isAffine = layer.arrays === 4;
    const array = (index: number, target: string) => layer.array(index, target, [inputSize]);
    const [gamma, beta] = isAffine ? [array(0, 'scale'), array(1, 'shift')] : [];
    const [mean, variance] = isAffine ? [array(2, 'shift'), array(3, 'scale')] : [array(0, 'shift'), array(1, 'scale')];
    const affine = batchNorm({ gamma, beta, mean, variance }, epsilon);
    const weights = { scale: Float32Array.from(affine.scale), shift: Float32Array.from(affine.shift) };
    const spec: LayerSpec = { name, type: 'scale', inputSize, weights };
    return [spec, ...after(layer)];
  },
};

const prelu: RtKind = {
  read(layer) {
    const { name, inputSize } = layer;
    layer.checkArrays(1);
    layer.checkKeepsSize();
    const constant = layer.array(0, 'constant', [1, inputSize]);
    // What it reads is said by those who put the layers in a row.
    const spec: LayerSpec = { name, type: 'merge', merge: 'prelu', inputs: [], constantSize: inputSize, weights: { constant } }; // prettier-ignore
    return [spec, ...after(layer)];
  },
};

/** The activation behind a layer that has none in it. */
function after(layer: RtLayer): LayerSpec[] {
  const activation = layer.activation();
  return activation ? [{ name: `${layer.name}_${activation}`, type: 'activation', activation }] : [];
}

/** The types of layers, as RTNeural's exporter names them. */
export const KINDS: Readonly<Record<string, RtKind>> = {
  dense,
  'time-distributed-dense': dense,
  gru,
  lstm,
  activation,
  conv1d,
  batchnorm,
  prelu,
};
