import { GruError } from '../../base/errors.ts';
import { recurrentWeights } from '../layouts/canonical.ts';
import { fromPytorch, pytorchLayers, type PytorchDirection } from '../layouts/pytorch.ts';
import type { GruSpec } from '../../spec/spec.ts';
import { GRU_TENSOR, moduleKind } from './modules.ts';
import type { PytorchModule } from './options.ts';
import type { TakenTensor, Tensors } from './tensors.ts';

/** A gru layer of the spec whose weights are still in the file. */
export interface PendingGru {
  spec: Omit<GruSpec, 'weights'>;
  load: () => Promise<GruSpec>;
}

/** The names of a module's tensors in the file, by PyTorch's names for them. */
export function gruTensorNames(module: PytorchModule, tensors: Tensors): Record<string, string> {
  if (typeof module !== 'string') {
    const stray = Object.keys(module).find((key) => !GRU_TENSOR.test(key));
    if (stray !== undefined) {
      throw new GruError(
        'invalid_argument',
        `gru: '${stray}' is no tensor of nn.GRU, like weight_ih_l0 or bias_hh_l0_reverse`,
      );
    }
    return Object.fromEntries(Object.entries(module).map(([key, name]) => [key, tensors.local(name)]));
  }
  const name = tensors.local(module);
  const found = tensors.module(name);
  const keys = [...(found?.tensors.keys() ?? [])].filter((key) => GRU_TENSOR.test(key));
  const prefix = name === '' ? '' : `${name}.`;
  if (!found || keys.length === 0) throw tensors.missing(`${prefix}weight_ih_l0`, `for the GRU '${module}'`);
  const kind = moduleKind(found);
  if (kind === 'LSTM' || kind === 'RNN') {
    throw new GruError(
      'unsupported',
      `module '${module}' is an nn.${kind}, by the shape of its weight_hh; supported: nn.GRU, nn.GRUCell`,
    );
  }
  return Object.fromEntries(keys.map((key) => [key, prefix + key]));
}

const WEIGHTS = [
  { field: 'weightIh', key: 'weight_ih', target: 'input' },
  { field: 'weightHh', key: 'weight_hh', target: 'recurrent' },
  { field: 'biasIh', key: 'bias_ih', target: 'bias' },
  { field: 'biasHh', key: 'bias_hh', target: 'bias and recurrentBias' },
] as const;

/**
 * The layers of an nn.GRU or nn.GRUCell, sizes and number of layers from its tensors.
 *
 * @param label Name of the GRU: its layers are called so, or `<label>_l0`, `<label>_l1`, ... when there are several.
 * @throws GruError `invalid_file` for a gap in the layers, directions or biases; `unsupported` for other shapes.
 */
export function readGru(label: string, names: Record<string, string>, tensors: Tensors): PendingGru[] {
  let layers: ReturnType<typeof pytorchLayers>;
  try {
    layers = pytorchLayers(names);
  } catch (cause) {
    throw cause instanceof GruError
      ? new GruError('invalid_file', `GRU '${label}': ${cause.message}`, { cause })
      : cause;
  }
  const hasBias = Object.keys(names).some((key) => key.startsWith('bias'));
  const bidirectional = layers[0]?.reverse !== undefined;
  let inputSize = -1;
  let hiddenSize = -1;
  return layers.map(({ suffix, forward, reverse }): PendingGru => {
    const layerName = layers.length > 1 ? label + suffix : label;
    const take = (direction: 'forward' | 'reverse', of: PytorchDirection) =>
      WEIGHTS.map(({ field, key, target }): TakenTensor | undefined => {
        const name = of[field] as string | undefined;
        const isBias = key.startsWith('bias');
        if (name === undefined) {
          if (isBias && !hasBias) return undefined;
          const full = `${key}${suffix}${direction === 'reverse' ? '_reverse' : ''}`;
          throw new GruError('invalid_file', `GRU '${label}': tensor ${full} is missing`);
        }
        const rows = hiddenSize < 0 ? -1 : 3 * hiddenSize;
        const shape = isBias ? [rows] : [rows, key === 'weight_ih' ? inputSize : hiddenSize];
        return tensors.take(name, `${layerName}/${direction}.${target}`, shape);
      });
    const readSizes = (of: PytorchDirection) => {
      const hh = tensors.shape(of.weightHh as string);
      const ih = tensors.shape(of.weightIh as string);
      if (hh?.length === 2 && hh[0] === 3 * hh[1]!) hiddenSize = hh[1]!;
      else if (hh) {
        const gates = hh.length === 2 ? ` (${hh[0]! / hh[1]!} gates: nn.LSTM has 4, nn.RNN 1)` : '';
        throw new GruError(
          'unsupported',
          `'${String(of.weightHh)}' has shape [${hh.join(', ')}], of nn.GRU [3 hidden size, hidden size]${gates}`,
        );
      }
      inputSize = ih?.[1] ?? -1;
    };
    if (hiddenSize < 0) readSizes(forward);
    else inputSize = (bidirectional ? 2 : 1) * hiddenSize;
    const taken = { forward: take('forward', forward), reverse: reverse && take('reverse', reverse) };
    const sizes = { inputSize, hiddenSize };
    const spec = {
      name: layerName,
      type: 'gru',
      ...sizes,
      resetAfter: true,
      ...(bidirectional ? { direction: 'bidirectional' as const } : {}),
    } as const;
    const direction = async ([weightIh, weightHh, biasIh, biasHh]: (TakenTensor | undefined)[]) =>
      fromPytorch(
        {
          weightIh: await weightIh?.floats(),
          weightHh: await weightHh?.floats(),
          biasIh: await biasIh?.floats(),
          biasHh: await biasHh?.floats(),
        },
        sizes,
        suffix,
      );
    return {
      spec,
      load: async () => ({
        ...spec,
        weights: recurrentWeights({
          forward: await direction(taken.forward),
          ...(taken.reverse ? { reverse: await direction(taken.reverse) } : {}),
        }),
      }),
    };
  });
}
