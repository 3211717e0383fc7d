/** What the specs of all layers speak in. */

/** Whether a value has one row a step or one row a sequence. */
export type ValueKind = 'sequence' | 'vector';

/**
 * Names a value: an input, a layer (its main value), or `layer:port`. A recurrent layer has the ports `sequence`, `last` (final
 * hidden states of its directions, merged), `forwardState` and `reverseState` (final hidden state of one direction), an lstm
 * `forwardCell` and `reverseCell` too; an embedding with `maskZero` and a masking layer have the port `mask`.
 */
export type ValueRef = string;

/** Fields that every layer has. */
export interface LayerBase {
  /** By which other layers, states and errors call it. */
  name: string;
  /** Left out: the layer before, or the first input of the model. */
  inputs?: ValueRef[];
}

/** A layer of any type. */
export interface AnyLayer extends LayerBase {
  type: string;
}

/** An elementwise function, or one of the whole row. */
export type RowActivation = Activation | 'softmax' | 'log_softmax';

/** An elementwise function; alpha and beta where it has such. Equations: ts/layers/activations.ts. */
export type Activation = ActivationName | { name: ActivationName; alpha?: number; beta?: number };

/** An elementwise function by its name, as in ONNX and Keras. Equations: ts/layers/activations.ts. */
export type ActivationName =
  | 'linear'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'hard_sigmoid'
  | 'softsign'
  | 'softplus'
  | 'elu'
  | 'leaky_relu'
  | 'thresholded_relu'
  | 'scaled_tanh'
  | 'affine'
  | 'swish'
  | 'gelu'
  | 'gelu_tanh'
  | 'selu'
  | 'celu'
  | 'mish'
  | 'hard_swish'
  | 'clip'
  | 'shrink'
  | 'tanh_shrink'
  | 'log_sigmoid'
  | 'exp'
  | 'log'
  | 'erf'
  | 'sqrt'
  | 'square'
  | 'abs'
  | 'reciprocal'
  | 'sign'
  | 'round'
  | 'floor'
  | 'ceil'
  | 'squareplus'
  | 'sparse_plus';
