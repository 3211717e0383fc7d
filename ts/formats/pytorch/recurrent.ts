import { GruError } from '../../base/errors.ts';
import { recurrentWeights } from '../layouts/canonical.ts';
import {
  fromPytorch,
  MODULES,
  PROJECTION,
  type PytorchDirection,
  pytorchLayers,
  RECURRENT_TENSOR,
  type RecurrentType,
  typeByShape,
} from '../layouts/pytorch.ts';
import type { GruSpec, LayerSpec, LstmSpec, RnnSpec } from '../../spec/spec.ts';
import type { PytorchModule } from './forms/module.ts';
import type { PytorchRnn } from './forms/recurrent.ts';
import { splitName } from './names.ts';
import type { TakenTensor, Tensors } from './tensors.ts';

/** A layer of a recurrent module whose weights are still in the file. */
export interface StackLayer {
  spec: Omit<GruSpec, 'weights'> | Omit<LstmSpec, 'weights'> | Omit<RnnSpec, 'weights'>;
  load: () => Promise<LayerSpec>;
}

/** The names of a module's tensors in the file, by PyTorch's names for them. */
export function recurrentTensorNames(
  type: RecurrentType,
  module: PytorchModule,
  tensors: Tensors,
): Record<string, string> {
  if (typeof module !== 'string') {
    const stray = Object.keys(module).find((key) => !RECURRENT_TENSOR.test(key) && !PROJECTION.test(key));
    if (stray !== undefined) {
      throw new GruError(
        'invalid_argument',
        `${type}: '${stray}' is no tensor of ${MODULES[type].module}, like weight_ih_l0 or bias_hh_l0_reverse`,
      );
    }
    return Object.fromEntries(Object.entries(module).map(([key, name]) => [key, tensors.local(name)]));
  }
  const name = tensors.local(module);
  const found = tensors.module(name);
  const prefix = name === '' ? '' : `${name}.`;
  const keys = [...(found?.tensors.keys() ?? [])].filter((key) => RECURRENT_TENSOR.test(key) || PROJECTION.test(key));
  if (keys.length === 0) throw tensors.missing(`${prefix}weight_ih_l0`, `for the ${MODULES[type].module} '${module}'`);
  return Object.fromEntries(keys.map((key) => [key, prefix + key]));
}

const WEIGHTS = [
  { field: 'weightIh', key: 'weight_ih', target: 'input' },
  { field: 'weightHh', key: 'weight_hh', target: 'recurrent' },
  { field: 'biasIh', key: 'bias_ih', target: 'bias' },
  { field: 'biasHh', key: 'bias_hh', target: 'bias' },
] as const;

/**
 * The layers of an nn.GRU, nn.LSTM or nn.RNN, or of a cell, sizes and number of layers from its tensors.
 *
 * @param label Name of the module: its layers are called `<label>_l0`, `<label>_l1`, ...; a cell, and the layer of an nn.GRU that has one
 *   only, are called `<label>`.
 * @throws GruError `invalid_file` for a gap in the layers, directions or biases; `invalid_argument` for a module of another type;
 *   `unsupported` for other shapes and projections.
 */
export function readRecurrent(
  type: RecurrentType,
  label: string,
  names: Record<string, string>,
  tensors: Tensors,
  nonlinearity: PytorchRnn['nonlinearity'] = 'tanh',
): StackLayer[] {
  const what = `${MODULES[type].module} '${label}'`;
  const layers = sortLayers(type, what, names);
  const [first] = layers as [(typeof layers)[0]];
  const hiddenSize = readHiddenSize(type, what, first.forward, tensors);
  const rows = MODULES[type].gates * hiddenSize;
  const hasBias = Object.keys(names).some((key) => key.startsWith('bias'));
  const bidirectional = first.reverse !== undefined;
  const numbered = layers.length > 1 || type !== 'gru';
  let inputSize = tensors.shape(first.forward.weightIh as string)?.[1] ?? -1;
  return layers.map(({ suffix, forward, reverse }, k): StackLayer => {
    const name = numbered ? label + suffix : label;
    if (k > 0) inputSize = (bidirectional ? 2 : 1) * hiddenSize;
    const sizes = { inputSize, hiddenSize };
    const take = (direction: 'forward' | 'reverse', of: PytorchDirection) =>
      WEIGHTS.map(({ field, key, target }): TakenTensor | undefined => {
        const source = of[field] as string | undefined;
        const isBias = target === 'bias';
        if (source === undefined) {
          if (isBias && !hasBias) return undefined;
          const full = `${key}${suffix}${direction === 'reverse' ? '_reverse' : ''}`;
          throw new GruError('invalid_file', `${what}: tensor ${full} is missing`);
        }
        const shape = isBias ? [rows] : [rows, key === 'weight_ih' ? inputSize : hiddenSize];
        const also = type === 'gru' && key === 'bias_hh' ? ' and recurrentBias' : '';
        return tensors.take(source, `${name}/${direction}.${target}${also}`, shape);
      });
    const load = async ([weightIh, weightHh, biasIh, biasHh]: (TakenTensor | undefined)[]) =>
      fromPytorch(
        type,
        {
          weightIh: await weightIh?.floats(),
          weightHh: await weightHh?.floats(),
          biasIh: await biasIh?.floats(),
          biasHh: await biasHh?.floats(),
        },
        sizes,
        suffix,
      );
    const taken = { forward: take('forward', forward), reverse: reverse && take('reverse', reverse) };
    const spec = {
      name,
      type,
      ...sizes,
      ...(type === 'gru' ? { resetAfter: true } : {}),
      ...(type === 'rnn' && nonlinearity !== 'tanh' ? { activation: nonlinearity } : {}),
      ...(bidirectional ? { direction: 'bidirectional' } : {}),
    } as StackLayer['spec'];
    return {
      spec,
      load: async () => ({
        ...spec,
        weights: recurrentWeights({
          forward: await load(taken.forward),
          ...(taken.reverse ? { reverse: await load(taken.reverse) } : {}),
        }),
      }),
    };
  });
}

function sortLayers(type: RecurrentType, what: string, names: Record<string, string>) {
  try {
    return pytorchLayers(type, names);
  } catch (cause) {
    if (!(cause instanceof GruError)) throw cause;
    const code = cause.code === 'invalid_argument' ? 'invalid_file' : cause.code;
    throw new GruError(code, `${what}: ${cause.message}`, { cause });
  }
}

/** From weight_hh, whose shape tells one type of module from another too; -1 where it is missing. */
function readHiddenSize(type: RecurrentType, what: string, { weightHh }: PytorchDirection, tensors: Tensors): number {
  const shape = tensors.shape(weightHh as string);
  if (!shape) return -1;
  const found = typeByShape(shape);
  if (found === type) return shape[1]!;
  const { module, gates } = MODULES[type];
  const given = `${what}: '${String(weightHh)}' has shape [${shape.join(', ')}]`;
  if (found) {
    const [name, tensor] = splitName(weightHh as string);
    const fix = `{ ${found}: ${RECURRENT_TENSOR.test(tensor) ? `'${name}'` : '{ ... }'} }`;
    throw new GruError(
      'invalid_argument',
      `${given}, which is that of ${MODULES[found].module} with a hidden size of ${shape[1]!}: write ${fix}`,
    );
  }
  const known = `${gates === 1 ? '' : `${gates} * `}hidden size, hidden size`;
  throw new GruError('unsupported', `${given}; of ${module} it is [${known}]`);
}
