import { GruError } from '../../base/errors.ts';
import type { Activation, InputSpec, ValueRef } from '../../spec/spec.ts';
import { describe, isRecord } from '../../base/tensor.ts';
import { MODULES } from '../layouts/pytorch.ts';

/**
 * A module of the state dict: the start of its tensors' names, without the last dot (`encoder.gru`; '' for tensors without a
 * prefix); or, where tensors are not named as PyTorch does, their names by those that PyTorch uses:
 * `{ weight_ih: 'enc_w_ih', weight_hh: 'enc_w_hh', bias_ih: 'enc_b_ih', bias_hh: 'enc_b_hh' }`.
 */
export type PytorchModule = string | Record<string, string>;

interface PytorchLayerBase {
  /** Name of the layer. Default: the module's name, or the kind of layer. */
  name?: string | undefined;
  /** What it reads: a layer, a port of one (`gru:last`), or an input. Default: the layer before, at first the model's input. */
  from?: ValueRef | undefined;
}

/** `nn.Embedding`. */
export interface PytorchEmbedding extends PytorchLayerBase {
  embedding: PytorchModule;
}

/** What all recurrent modules have. */
interface PytorchRecurrent extends PytorchLayerBase {
  /**
   * What the next layer reads. `sequence` (the default): `output`. `last`: the last layer's final states `h_n`, those of
   * the two directions one after the other (`torch.cat((h_n[-2], h_n[-1]), 1)`). `output[:, -1]` of two directions is
   * another value: see {@link PytorchStep}.
   */
  returns?: 'sequence' | 'last' | undefined;
  /**
   * Where the initial hidden states come from: the name of a recurrent module with as many layers and directions (its final states),
   * values of one row a sequence in the order of `h_0`, or the name of a tensor of the state dict (a learned `h_0` of one sequence).
   * Default: zeros, or what `run` is given.
   */
  initialState?: ValueRef | ValueRef[] | undefined;
}

/** `nn.GRU` (all its layers and directions, counted from the tensors) or `nn.GRUCell` (run over a sequence). */
export interface PytorchGru extends PytorchRecurrent {
  gru: PytorchModule;
}

/** `nn.LSTM` (all its layers and directions, counted from the tensors) or `nn.LSTMCell` (run over a sequence). */
export interface PytorchLstm extends PytorchRecurrent {
  lstm: PytorchModule;
  /**
   * Where the initial cell states come from, as `initialState` says it of `c_0`. Left out where `initialState` is the name of an
   * LSTM: both of its final states. Left out beside another `initialState`: zeros.
   */
  initialCell?: ValueRef | ValueRef[] | undefined;
}

/** `nn.RNN` (all its layers and directions, counted from the tensors) or `nn.RNNCell` (run over a sequence). */
export interface PytorchRnn extends PytorchRecurrent {
  rnn: PytorchModule;
  /** As the module was made with; a state dict does not say it. Default `tanh`. */
  nonlinearity?: 'tanh' | 'relu' | undefined;
}

/** `nn.Linear`. */
export interface PytorchLinear extends PytorchLayerBase {
  linear: PytorchModule;
  /** What follows it. Default none. */
  activation?: Activation | 'softmax' | undefined;
}

/** `nn.ReLU`, `nn.Tanh`, `nn.Softmax(dim=-1)`, ... */
export interface PytorchActivation extends PytorchLayerBase {
  activation: Activation | 'softmax';
}

/** `output[:, -1]` or `output[:, 0]` (batch first): one step of a sequence. */
export interface PytorchStep extends PytorchLayerBase {
  step: 0 | -1;
}

/** `torch.cat((a, b), -1)`, `a + b`, `a * b`. */
export type PytorchMerge = { name?: string | undefined } & (
  { concat: ValueRef[] } | { sum: ValueRef[] } | { mul: ValueRef[] }
);

/** A line of a module's `forward`. */
export type PytorchLayer =
  | PytorchEmbedding
  | PytorchGru
  | PytorchLstm
  | PytorchRnn
  | PytorchLinear
  | PytorchActivation
  | PytorchStep
  | PytorchMerge;

/**
 * What a state dict does not say.
 *
 * @example
 * loadModel('tagger.pt', { pytorch: { layers: [{ embedding: 'embedding' }, { gru: 'rnn' }, { linear: 'fc' }] } });
 */
export interface PytorchOptions {
  /** The model's `forward`, line by line, in order. May be left out for a file with a single recurrent module. */
  layers?: PytorchLayer[] | undefined;
  /** What the model takes. Default: one input, `input`, as the first layer needs it. */
  inputs?: InputSpec[] | undefined;
  /** What it returns: layers or ports by name. Default: the last layer. */
  outputs?: ValueRef[] | undefined;
  /**
   * Tensors that the model does not need: names of tensors or of modules (all in them), `*` for any characters. All others
   * must be used.
   */
  ignore?: string[] | undefined;
  /** Where in a checkpoint the state dict is: keys joined by dots. Needed when there are several. */
  stateDict?: string | undefined;
}

const RECURRENT = ['name', 'from', 'returns', 'initialState'];

/** Fields of each kind of layer, by the field that names the kind. */
const FIELDS: Record<string, readonly string[]> = {
  embedding: ['name', 'from'],
  gru: RECURRENT,
  lstm: [...RECURRENT, 'initialCell'],
  rnn: [...RECURRENT, 'nonlinearity'],
  linear: ['name', 'from', 'activation'],
  activation: ['name', 'from'],
  step: ['name', 'from'],
  concat: ['name'],
  sum: ['name'],
  mul: ['name'],
};

export type PytorchKind =
  'embedding' | 'gru' | 'lstm' | 'rnn' | 'linear' | 'activation' | 'step' | 'concat' | 'sum' | 'mul';

/** Whether a layer is a module of the state dict. */
export function isModule(kind: PytorchKind): boolean {
  return kind === 'embedding' || kind === 'linear' || Object.hasOwn(MODULES, kind);
}

function invalid(message: string): GruError {
  return new GruError('invalid_argument', message);
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Checks what a TypeScript compiler would. @throws GruError `invalid_argument` naming the option. */
export function checkPytorchOptions(options: unknown): asserts options is PytorchOptions {
  if (!isRecord(options)) throw invalid(`pytorch: options must be an object, got ${describe(options)}`);
  const known = ['layers', 'inputs', 'outputs', 'ignore', 'stateDict'];
  const stray = Object.keys(options).find((key) => !known.includes(key));
  if (stray !== undefined) throw invalid(`pytorch: unknown option '${stray}'; known: ${known.join(', ')}`);
  const { layers, inputs, outputs, ignore, stateDict } = options;
  if (layers !== undefined) {
    if (!Array.isArray(layers) || layers.length === 0) {
      throw invalid(`pytorch.layers must be an array of layers, got ${describe(layers)}`);
    }
    layers.forEach((layer: unknown, i) => {
      checkLayer(layer, `pytorch.layers[${i}]`);
    });
  }
  if (inputs !== undefined && !(Array.isArray(inputs) && inputs.every(isRecord))) {
    throw invalid(`pytorch.inputs must be an array of { name, dtype, size }, got ${describe(inputs)}`);
  }
  if (outputs !== undefined && !isStrings(outputs)) throw invalid('pytorch.outputs must be an array of names');
  if (ignore !== undefined && !isStrings(ignore)) throw invalid('pytorch.ignore must be an array of names');
  if (stateDict !== undefined && typeof stateDict !== 'string') {
    throw invalid(`pytorch.stateDict must be a string, got ${describe(stateDict)}`);
  }
}

function checkLayer(layer: unknown, where: string): void {
  if (!isRecord(layer)) throw invalid(`${where} must be an object like { gru: 'gru' }, got ${describe(layer)}`);
  const kind = layerKindOf(layer as unknown as PytorchLayer);
  if (!kind) {
    throw invalid(`${where}: no layer that is supported (${Object.keys(FIELDS).join(', ')}): ${describe(layer)}`);
  }
  const fields = FIELDS[kind]!;
  const stray = Object.keys(layer).find((field) => field !== kind && !fields.includes(field));
  if (stray !== undefined) {
    throw invalid(`${where}: a layer '${kind}' has no field '${stray}'; it has ${fields.join(', ')}`);
  }
  for (const field of ['name', 'from']) {
    const value = layer[field];
    if (value !== undefined && typeof value !== 'string')
      throw invalid(`${where}.${field} must be a string, got ${describe(value)}`);
  }
  const value = layer[kind];
  if (isModule(kind)) {
    if (typeof value !== 'string' && !(isRecord(value) && isStrings(Object.values(value)))) {
      throw invalid(`${where}.${kind} must be the name of a module or names of tensors, got ${describe(value)}`);
    }
  }
  if (['concat', 'sum', 'mul'].includes(kind) && !isStrings(value)) {
    throw invalid(`${where}.${kind} must be an array of names, got ${describe(value)}`);
  }
  const { returns, nonlinearity } = layer;
  if (returns !== undefined && returns !== 'sequence' && returns !== 'last') {
    throw invalid(`${where}.returns must be sequence or last, got ${describe(returns)}`);
  }
  if (nonlinearity !== undefined && nonlinearity !== 'tanh' && nonlinearity !== 'relu') {
    throw invalid(`${where}.nonlinearity must be tanh or relu, got ${describe(nonlinearity)}`);
  }
  for (const field of ['initialState', 'initialCell']) {
    const value = layer[field];
    if (value !== undefined && typeof value !== 'string' && !isStrings(value)) {
      throw invalid(`${where}.${field} must be a name or an array of names, got ${describe(value)}`);
    }
  }
}

/** The kind of a layer. `activation` is one only where it is no field of another kind. */
export function layerKindOf(layer: PytorchLayer): PytorchKind | undefined {
  const kinds = Object.keys(FIELDS).filter((kind) => Object.hasOwn(layer, kind));
  const kind = kinds.length > 1 ? kinds.find((k) => k !== 'activation') : kinds[0];
  return kind as PytorchKind | undefined;
}
