import { GruError } from '../../base/errors.ts';
import { type DirectionWeights, foldBiases, type RecurrentSizes, toFloats } from './canonical.ts';

/** The name of a tensor in the state dict of `torch.nn.GRU`, or (without `_l0`) of `torch.nn.GRUCell`. */
export type PytorchKey = `${'weight' | 'bias'}_${'ih' | 'hh'}${'' | `_l${number}` | `_l${number}_reverse`}`;

/**
 * The state dict of a `torch.nn.GRU`: for each layer k `weight_ih_lk` (3 hiddenSize, size of its input), `weight_hh_lk`
 * (3 hiddenSize, hiddenSize), `bias_ih_lk` and `bias_hh_lk` (3 hiddenSize), rows in the gate order r, z, n; the second
 * direction's with `_reverse`. Of a `torch.nn.GRUCell`: the same without `_lk`. `resetAfter` is true there.
 */
export type PytorchGruWeights = { layout: 'pytorch' } & Partial<Record<PytorchKey, ArrayLike<number>>>;

/** Tensors of one direction of one layer. */
export interface PytorchDirection {
  weightIh: unknown;
  weightHh: unknown;
  biasIh?: unknown;
  biasHh?: unknown;
}

/** One direction of one layer to the canonical form. `suffix` ends tensors' names in errors. */
export function fromPytorch(
  { weightIh, weightHh, biasIh, biasHh }: PytorchDirection,
  { inputSize, hiddenSize }: RecurrentSizes,
  suffix = '',
): DirectionWeights {
  const read = (name: string, data: unknown, columns?: number) => {
    const shape = columns === undefined ? [3 * hiddenSize] : [3 * hiddenSize, columns];
    return toZrn(toFloats(`${name}${suffix}`, data, shape));
  };
  return {
    input: read('weight_ih', weightIh, inputSize),
    recurrent: read('weight_hh', weightHh, hiddenSize),
    ...foldBiases(
      biasIh === undefined ? undefined : read('bias_ih', biasIh),
      biasHh === undefined ? undefined : read('bias_hh', biasHh),
      hiddenSize,
      true,
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

/**
 * Sorts a state dict into layers.
 *
 * @throws GruError `invalid_argument` for a key that is none, a gap in the layers, or layers with and without `_reverse`.
 */
export function pytorchLayers(weights: Record<string, unknown>): {
  suffix: string;
  forward: PytorchDirection;
  reverse: PytorchDirection | undefined;
}[] {
  const keys = Object.keys(weights).filter((key) => key !== 'layout' && weights[key] !== undefined);
  const suffixes = new Set<string>();
  for (const key of keys) {
    const match = /^(?:weight|bias)_(?:ih|hh)(_l\d+)?(_reverse)?$/.exec(key);
    if (!match || (match[2] && !match[1])) {
      throw new GruError(
        'invalid_argument',
        `'${key}' is no tensor of a PyTorch GRU, like weight_ih_l0 or bias_hh_l0_reverse`,
      );
    }
    suffixes.add(match[1] ?? '');
  }
  if (suffixes.size === 0) throw new GruError('invalid_argument', 'weight_ih_l0 is missing');
  const isCell = suffixes.has('');
  const bidirectional = keys.some((key) => key.endsWith('_reverse'));
  return Array.from({ length: suffixes.size }, (_, k) => {
    const suffix = isCell ? '' : `_l${k}`;
    if (!suffixes.has(suffix) || (isCell && k > 0)) {
      const what = isCell ? 'weights of a GRUCell and of a GRU are mixed' : `layer ${k} has no weights`;
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
