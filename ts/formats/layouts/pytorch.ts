import type { Numbers } from '../../base/tensor.ts';
import { GruError } from '../../base/errors.ts';
import { checkGates, type DirectionWeights, foldBiases, type RecurrentSizes, toFloats } from './canonical.ts';

/** The modules of PyTorch by the layer that they become, and how many gates they have: rows of weight_hh for each of its columns. */
export const MODULES = {
  rnn: { module: 'nn.RNN', gates: 1 },
  gru: { module: 'nn.GRU', gates: 3 },
  lstm: { module: 'nn.LSTM', gates: 4 },
} as const;

export type RecurrentType = keyof typeof MODULES;

/** The name of a tensor in the state dict of `torch.nn.GRU` and its like, or (without `_l0`) of `torch.nn.GRUCell`. */
export type PytorchKey = `${'weight' | 'bias'}_${'ih' | 'hh'}${'' | `_l${number}` | `_l${number}_reverse`}`;

/**
 * The state dict of a `torch.nn.GRU`, `nn.LSTM` or `nn.RNN`: for each layer k `weight_ih_lk` (gates * hiddenSize, size of its input),
 * `weight_hh_lk` (gates * hiddenSize, hiddenSize), `bias_ih_lk` and `bias_hh_lk` (gates * hiddenSize); the second direction's with
 * `_reverse`. Rows are gates: 3 of a GRU in the order r, z, n (`resetAfter` is true there), 4 of an LSTM in the order i, f, g, o, 1 of
 * an RNN. Of a `GRUCell`, `LSTMCell` or `RNNCell`: the same without `_lk`.
 */
export type PytorchWeights = { layout: 'pytorch' } & Partial<Record<PytorchKey, Numbers>>;

/** Tensors of one direction of one layer. */
export interface PytorchDirection {
  weightIh: unknown;
  weightHh: unknown;
  biasIh?: unknown;
  biasHh?: unknown;
}

/** One direction of one layer to the canonical form. `suffix` ends tensors' names in errors. */
export function fromPytorch(
  type: RecurrentType,
  { weightIh, weightHh, biasIh, biasHh }: PytorchDirection,
  { inputSize, hiddenSize }: RecurrentSizes,
  suffix = '',
): DirectionWeights {
  const { gates } = MODULES[type];
  checkGates(gates, { inputSize, hiddenSize }, `weight_hh${suffix}`, weightHh, weightIh);
  const rows = gates * hiddenSize;
  const read = (name: string, data: unknown, columns?: number) => {
    const floats = toFloats(`${name}${suffix}`, data, columns === undefined ? [rows] : [rows, columns]);
    return type === 'gru' ? toZrn(floats) : floats;
  };
  return {
    input: read('weight_ih', weightIh, inputSize),
    recurrent: read('weight_hh', weightHh, hiddenSize),
    ...foldBiases(
      biasIh === undefined ? undefined : read('bias_ih', biasIh),
      biasHh === undefined ? undefined : read('bias_hh', biasHh),
      hiddenSize,
      type === 'gru',
    ),
  };
}

/** Swaps the first two thirds, in place: r, z, n -> z, r, n. */
function toZrn(data: Float32Array): Float32Array {
  const third = data.length / 3;
  const reset = data.slice(0, third);
  data.copyWithin(0, third, 2 * third);
  data.set(reset, third);
  return data;
}

/** A tensor of nn.GRU and its like or, without `_lk`, of nn.GRUCell. */
export const RECURRENT_TENSOR = /^(?:weight|bias)_(?:ih|hh)(?:(_l\d+)(?:_reverse)?)?$/;

/** The type of recurrent module with such a weight_hh. */
export function typeByShape([rows, columns, ...more]: readonly number[]): RecurrentType | undefined {
  if (rows === undefined || columns === undefined || more.length > 0) return undefined;
  return (Object.keys(MODULES) as RecurrentType[]).find((type) => rows === MODULES[type].gates * columns);
}

/** What nn.LSTM has with `proj_size`: the matrix that makes its hidden states smaller than its cells. */
export const PROJECTION = /^weight_hr_l\d+(?:_reverse)?$/;

/** The error for the matrix of a projection. */
export function projectionError(name: string): GruError {
  return new GruError(
    'unsupported',
    `'${name}' projects the hidden state of an nn.LSTM (proj_size), which is not supported; supported: nn.LSTM without proj_size`,
  );
}

/**
 * Sorts a state dict into layers.
 *
 * @throws GruError `invalid_argument` for a key that is none, a gap in the layers, or layers with and without `_reverse`;
 *   `unsupported` for a projection.
 */
export function pytorchLayers(
  type: RecurrentType,
  weights: Record<string, unknown>,
): {
  suffix: string;
  forward: PytorchDirection;
  reverse: PytorchDirection | undefined;
}[] {
  const { module } = MODULES[type];
  const keys = Object.keys(weights).filter((key) => weights[key] !== undefined);
  const suffixes = new Set<string>();
  for (const key of keys) {
    if (PROJECTION.test(key)) throw projectionError(key);
    const match = RECURRENT_TENSOR.exec(key);
    if (!match) {
      const text = `'${key}' is no tensor of ${module}, like weight_ih_l0 or bias_hh_l0_reverse`;
      throw new GruError('invalid_argument', text);
    }
    suffixes.add(match[1] ?? '');
  }
  if (suffixes.size === 0) throw new GruError('invalid_argument', 'weight_ih_l0 is missing');
  const isCell = suffixes.has('');
  const bidirectional = keys.some((key) => key.endsWith('_reverse'));
  return Array.from({ length: suffixes.size }, (_, k) => {
    const suffix = isCell ? '' : `_l${k}`;
    if (!suffixes.has(suffix) || (isCell && k > 0)) {
      const what = isCell ? `weights of ${module}Cell and of ${module} are mixed` : `layer ${k} has no weights`;
      throw new GruError('invalid_argument', `${what}: got ${keys.join(', ')}`);
    }
    const direction = (end: string): PytorchDirection => ({
      weightIh: weights[`weight_ih${suffix}${end}`],
      weightHh: weights[`weight_hh${suffix}${end}`],
      biasIh: weights[`bias_ih${suffix}${end}`],
      biasHh: weights[`bias_hh${suffix}${end}`],
    });
    return { suffix, forward: direction(''), reverse: bidirectional ? direction('_reverse') : undefined };
  });
}
