/**
 * The canonical, serialisable description of a model: a small graph of layers by name. Importers produce it, `save()`
 * writes it, both backends compile it. All weights are float32 and output-major: one row of memory an output unit.
 */
export interface ModelSpec {
  /** What the model takes. */
  inputs: InputSpec[];
  /** In an order in which each layer comes after those it reads. */
  layers: LayerSpec[];
  /** What `run` returns. A string stands for `{ name, from: name }`. Left out: the last layer. */
  outputs?: (string | OutputSpec)[];
}

/** An input of a model. */
export interface InputSpec {
  name: string;
  /** `float32` features or `int32` ids. */
  dtype: 'float32' | 'int32';
  /** Features a row; 1 for ids. */
  size: number;
  /** `sequence` (the default): one row a step, (batch, steps, size). `vector`: one row a sequence, (batch, size). */
  kind?: ValueKind;
}

/** An output of a model: a name for a layer's value. */
export interface OutputSpec {
  name: string;
  from: ValueRef;
}

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
  name: string;
  /** Left out: the layer before, or the first input of the model. */
  inputs?: ValueRef[];
}

/** An elementwise function; alpha and beta where it has such. Equations: ts/layers/activations.ts. */
export type Activation = ActivationName | { name: ActivationName; alpha?: number; beta?: number };

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
  | 'affine';

/** ids (rows) -> (rows, outputSize): row `id` of the table. */
export interface EmbeddingSpec extends LayerBase {
  type: 'embedding';
  /** Number of ids: valid ones are 0 .. vocabularySize - 1. */
  vocabularySize: number;
  outputSize: number;
  /** Id 0 is padding; the layer gets a port `mask` that is 0 there. */
  maskZero?: boolean;
  /** embeddings: (vocabularySize, outputSize). */
  weights: { embeddings: Float32Array };
}

/** (rows, inputSize) -> (rows, outputSize): activation(kernel x + bias). */
export interface DenseSpec extends LayerBase {
  type: 'dense';
  inputSize: number;
  outputSize: number;
  /** Default `linear`. `softmax` is over the row. */
  activation?: Activation | 'softmax';
  /** kernel: (outputSize, inputSize), output-major; bias: (outputSize). */
  weights: { kernel: Float32Array; bias?: Float32Array };
}

/** An elementwise function, or softmax over the row. */
export interface ActivationSpec extends LayerBase {
  type: 'activation';
  activation: Activation | 'softmax';
}

/** Elementwise combination of two or more inputs of one kind and size, or their concatenation along the row. */
export interface MergeSpec extends LayerBase {
  type: 'merge';
  inputs: ValueRef[];
  merge: 'concat' | 'sum' | 'mul' | 'ave';
}

/** Passes its input on and gives, at the port `mask`, 0 for each row in which every value equals `maskValue`, else 1. */
export interface MaskingSpec extends LayerBase {
  type: 'masking';
  maskValue: number;
}

/** What all recurrent layers have: directions over one sequence value, and a state from step to step. */
export interface RecurrentBase extends LayerBase {
  inputSize: number;
  hiddenSize: number;
  /** Default `forward`. */
  direction?: 'forward' | 'reverse' | 'bidirectional';
  /** How the two directions of a bidirectional layer become one value. Default `concat`. */
  merge?: 'concat' | 'sum' | 'mul' | 'ave';
  /** What the layer's main value is: all hidden states, or the last one. Default `sequence`. */
  returns?: 'sequence' | 'last';
  /** Reverse direction only: leave the output in the order of processing (Keras's go_backwards). Default false. */
  reversedOutput?: boolean;
  /** Default `tanh`. */
  activation?: Activation;
  /** Bounds the input of every activation of a gate or candidate to [-clip, clip]. */
  clip?: number;
  /**
   * Where the initial states come from, one vector value (batch, hiddenSize) each: the hidden states of the directions, then an
   * lstm's cell states. Left out: kept by the state.
   */
  initialState?: ValueRef[];
  /** A mask value (port `mask`): a step whose mask is 0 keeps the state. */
  mask?: ValueRef;
  /** What the output is at masked steps. Default `hold`: the output of the step before (zero at first). */
  paddedOutput?: 'zero' | 'hold';
}

/** The weights of a recurrent layer: those of the directions that it has, by direction and tensor. */
export type RecurrentWeights<K extends string> = Partial<Record<`${'forward' | 'reverse'}.${K}`, Float32Array>>;

/**
 * A GRU layer. With x_t the input row and h the hidden state:
 *
 *     z = recurrentActivation(Wz x + bz + Rz h)
 *     r = recurrentActivation(Wr x + br + Rr h)
 *     n = activation(Wn x + bn + Rn (r * h))              resetAfter: false, the textbook's form
 *     n = activation(Wn x + bn + r * (Rn h + recurrentBias))   resetAfter: true (PyTorch, cuDNN, Keras's default)
 *     h' = z * h + (1 - z) * n
 *
 * Sources: Cho et al. 2014 (arXiv:1406.1078) for the first form; torch.nn.GRU's documentation for the second.
 */
export interface GruSpec extends RecurrentBase {
  type: 'gru';
  resetAfter: boolean;
  /** Default `sigmoid`. */
  recurrentActivation?: Activation;
  weights: GruWeights;
}

/**
 * Rows in gate order z, r, n. input: (3 hiddenSize, inputSize); recurrent: (3 hiddenSize, hiddenSize); bias: (3 hiddenSize);
 * recurrentBias, with resetAfter only: (hiddenSize), the candidate's. (Biases of z and r add up: importers fold them.)
 */
export type GruWeights = RecurrentWeights<'input' | 'recurrent' | 'bias' | 'recurrentBias'>;

/**
 * An LSTM layer. With x_t the input row, h the hidden and c the cell state, and p the peephole weights (0 where there are none):
 *
 *     i = recurrentActivation(Wi x + bi + Ri h + pi * c)
 *     f = recurrentActivation(Wf x + bf + Rf h + pf * c)        with inputForget: f = 1 - i
 *     g = activation(Wg x + bg + Rg h)
 *     c' = f * c + i * g
 *     o = recurrentActivation(Wo x + bo + Ro h + po * c')
 *     h' = o * outputActivation(c')
 *
 * Sources: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; peepholes and inputForget as the ONNX operator
 * LSTM has them.
 */
export interface LstmSpec extends RecurrentBase {
  type: 'lstm';
  /** Default `sigmoid`. */
  recurrentActivation?: Activation;
  /** Default: that of `activation`. */
  outputActivation?: Activation;
  /** Couples the forget gate to the input gate: f = 1 - i. Default false. */
  inputForget?: boolean;
  weights: LstmWeights;
}

/**
 * Rows in gate order i, f, g, o. input: (4 hiddenSize, inputSize); recurrent: (4 hiddenSize, hiddenSize); bias: (4 hiddenSize), the
 * sum of a file's two; peepholes: (3 hiddenSize) in the order i, f, o.
 */
export type LstmWeights = RecurrentWeights<'input' | 'recurrent' | 'bias' | 'peepholes'>;

/** A simple RNN layer: h' = activation(W x + b + R h). Source: Elman 1990; torch.nn.RNN's documentation. */
export interface RnnSpec extends RecurrentBase {
  type: 'rnn';
  weights: RnnWeights;
}

/** input: (hiddenSize, inputSize); recurrent: (hiddenSize, hiddenSize); bias: (hiddenSize), the sum of a file's two. */
export type RnnWeights = RecurrentWeights<'input' | 'recurrent' | 'bias'>;

/** One step of each sequence, as a vector: zeros for a sequence without steps. */
export interface StepSpec extends LayerBase {
  type: 'step';
  /** The first step or the last. */
  index: 0 | -1;
}

/** Neighbouring values of each row: `start` .. `start + size - 1`. */
export interface SliceSpec extends LayerBase {
  type: 'slice';
  start: number;
  size: number;
}

export type LayerSpec =
  | EmbeddingSpec
  | DenseSpec
  | ActivationSpec
  | MergeSpec
  | MaskingSpec
  | GruSpec
  | StepSpec
  | SliceSpec
  | LstmSpec
  | RnnSpec;
