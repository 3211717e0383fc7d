import { GruError } from '../../base/errors.ts';
import type { LayerKind } from '../../layers/kind.ts';
import type { AnyLayer } from '../../layers/spec.ts';
import { type DirectionWeights, type RecurrentSizes, recurrentWeights } from './canonical.ts';

import { fromPytorch, pytorchLayers, RECURRENT_TENSOR, type RecurrentType } from './pytorch.ts';
import type { LayerSpec, ModelSpec, RecurrentBase } from '../../spec/spec.ts';
import { checkOptions, describe, isRecord } from '../../base/tensor.ts';

/** What every recurrent layer built from arrays is like; the meaning of the fields is that of {@link RecurrentBase}. */
export interface RecurrentConfig {
  /** Features of a step. */
  inputSize: number;
  /** Units: values of a hidden state, in one direction. */
  hiddenSize: number;
  /** Default: `bidirectional` where weights for both directions are given, else `forward`. */
  direction?: RecurrentBase['direction'] | undefined;
  /** How the two directions of a bidirectional layer become one value. Default `concat`. */
  merge?: RecurrentBase['merge'] | undefined;
  /** What the output is: all hidden states, or the last one. Default `sequence`. */
  returns?: RecurrentBase['returns'] | undefined;
  /** The function of the candidate; of an rnn that of the state. Default `tanh`. */
  activation?: RecurrentBase['activation'] | undefined;
  /** Bounds the input of every activation of a gate or candidate to [-clip, clip]. Default: no bound. */
  clip?: number | undefined;
  /** Name of the layer, by default that of its type; the layers of a stack are `<name>_l0`, `<name>_l1`, ... */
  name?: string | undefined;
}

const SHARED = ['inputSize', 'hiddenSize', 'direction', 'merge', 'returns', 'activation', 'clip', 'name'];

/** One layer of a stack in the canonical form. */
export interface StackedLayer {
  /** Of the only direction, or the first of both. */
  forward: DirectionWeights;
  reverse: DirectionWeights | undefined;
}

/** Reads the arrays of one layout. */
export type Layout<C extends RecurrentConfig> = (weights: Record<string, unknown>, config: C) => StackedLayer[];

/** How a type of recurrent layer is built from arrays. */
export interface Builder<C extends RecurrentConfig> {
  /** The function that builds it, for errors. */
  maker: string;
  type: RecurrentType;
  check: LayerKind<AnyLayer>['check'];
  /** Fields of its config beyond those of {@link RecurrentConfig}. */
  fields: readonly Exclude<keyof C, keyof RecurrentConfig>[];
  layouts: Record<string, Layout<C>> & { keras: Layout<C> };
}

/**
 * A spec with input `x`, output `y` and one recurrent layer, or a stack of them.
 *
 * @throws GruError `invalid_argument`, `invalid_spec`, `shape_mismatch`, `dtype_mismatch`; `unsupported` for projections.
 */
export function recurrentSpec<C extends RecurrentConfig>(
  { maker, type, check, fields, layouts }: Builder<C>,
  given: C,
  weights: unknown,
): ModelSpec {
  const config = checkOptions(maker, given as object, [...SHARED, ...fields] as string[], 'config field') as C;
  if (!isRecord(weights)) {
    throw new GruError('invalid_argument', `the weights must be an object, got ${describe(weights)}`);
  }
  checkNames(maker, weights);
  const { name = type, inputSize, hiddenSize, direction, merge, returns, ...rest } = config;
  const options = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  // Sizes and options first: the layouts rely on them.
  check({ name, type, inputSize, hiddenSize, ...options, weights: {} } as AnyLayer);

  const { layout = 'keras', ...arrays } = weights;
  if (typeof layout !== 'string' || !Object.hasOwn(layouts, layout)) {
    const known = Object.keys(layouts).join(', ');
    throw new GruError('invalid_argument', `layout must be one of ${known}, got ${describe(layout)}`);
  }
  const stack = layouts[layout]!(arrays, config);
  const both = stack.some(({ reverse }) => reverse !== undefined);
  if (direction !== undefined && (direction === 'bidirectional') !== both) {
    const got = both ? 'both directions' : 'one direction';
    throw new GruError('invalid_argument', `direction is '${direction}', but the weights are those of ${got}`);
  }
  const actual = both ? 'bidirectional' : (direction ?? 'forward');
  if (stack.length > 1 && merge !== undefined && merge !== 'concat') {
    throw new GruError('invalid_argument', `merge '${merge}' is for one layer: the layers of a stack concatenate`);
  }
  const layers = stack.map(({ forward, reverse }, k) => ({
    name: stack.length > 1 ? `${name}_l${k}` : name,
    type,
    inputSize: layerInput(config, k, both),
    hiddenSize,
    ...(actual === 'forward' ? {} : { direction: actual }),
    ...(merge === undefined ? {} : { merge }),
    ...(k === stack.length - 1 && returns !== undefined ? { returns } : {}),
    ...options,
    weights: recurrentWeights(actual === 'reverse' ? { reverse: forward } : { forward, ...(reverse && { reverse }) }),
  }));
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: inputSize }],
    layers: layers as LayerSpec[],
    outputs: [{ name: 'y', from: layers.at(-1)!.name }],
  };
}

/** How tensors are called in the layouts that have to be named. */
const NAMES = { pytorch: RECURRENT_TENSOR, textbook: /Gate$|^candidate/ };

/** @throws GruError `invalid_argument` for names of another layout where none is given: Keras's would say nothing useful of them. */
function checkNames(maker: string, weights: Record<string, unknown>): void {
  for (const [layout, pattern] of Object.entries(NAMES)) {
    const name = Object.keys(weights).find((key) => pattern.test(key));
    if (name === undefined || weights['layout'] !== undefined) continue;
    const text = `${maker}: '${name}' is of another layout than Keras's: give layout: '${layout}' beside it`;
    throw new GruError('invalid_argument', text);
  }
}

function layerInput({ inputSize, hiddenSize }: RecurrentSizes, k: number, both: boolean): number {
  if (k === 0) return inputSize;
  return both ? 2 * hiddenSize : hiddenSize;
}

/**
 * A layout of one layer: `{ ...tensors }` or `{ forward: { ...tensors }, reverse: { ...tensors } }`.
 *
 * @param name Of the layout, for errors.
 * @param convert One direction; its last argument is put before tensors' names in errors.
 */
export function oneLayer<D, C extends RecurrentConfig>(
  name: string,
  keys: readonly (keyof D & string)[],
  convert: (weights: D, config: C, prefix: string) => DirectionWeights,
): Layout<C> {
  return (given, config) => {
    const read = (value: unknown, prefix: string) => {
      if (!isRecord(value)) {
        const what = `${prefix.slice(0, -1)}: expected ${keys.join(', ')}`;
        throw new GruError('invalid_argument', `${what}, got ${describe(value)}`);
      }
      const stray = Object.keys(value).find((key) => !(keys as readonly string[]).includes(key));
      if (stray !== undefined) {
        const text = `${prefix}${stray}: unknown in the layout '${name}'; known: ${keys.join(', ')}`;
        throw new GruError('invalid_argument', text);
      }
      return convert(value as D, config, prefix);
    };
    if (!('forward' in given || 'reverse' in given)) return [{ forward: read(given, ''), reverse: undefined }];
    const stray = Object.keys(given).find((key) => key !== 'forward' && key !== 'reverse');
    if (stray !== undefined) {
      throw new GruError('invalid_argument', `'${stray}' cannot stand beside forward and reverse`);
    }
    return [{ forward: read(given['forward'], 'forward.'), reverse: read(given['reverse'], 'reverse.') }];
  };
}

/** The layout of PyTorch: a state dict, of a whole stack. */
export function stateDict(type: RecurrentType): Layout<RecurrentConfig> {
  return (weights, config) =>
    pytorchLayers(type, weights).map(({ suffix, forward, reverse }, k) => {
      const inputSize = layerInput(config, k, reverse !== undefined);
      const sizes = { inputSize, hiddenSize: config.hiddenSize };
      return {
        forward: fromPytorch(type, forward, sizes, suffix),
        reverse: reverse && fromPytorch(type, reverse, sizes, `${suffix}_reverse`),
      };
    });
}
