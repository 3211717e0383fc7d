import { GruError } from '../../base/errors.ts';
import { gru } from '../../layers/gru.ts';
import { type DirectionWeights, type RecurrentSizes, recurrentWeights } from './canonical.ts';
import { fromKeras, type KerasDirection, type KerasGruWeights } from './keras.ts';
import { fromPytorch, type PytorchGruWeights, pytorchLayers } from './pytorch.ts';
import { fromTextbook, type TextbookDirection, type TextbookGruWeights } from './textbook.ts';
import type { GruSpec, ModelSpec } from '../../spec/spec.ts';
import { checkOptions, describe, isRecord } from '../../base/tensor.ts';

/** What a GRU built from arrays is like; the meaning of the fields is that of {@link GruSpec}. */
export interface GruConfig {
  inputSize: number;
  hiddenSize: number;
  /** Whether the reset gate is applied after the recurrent product (PyTorch, Keras's default) or before (the textbook). */
  resetAfter: boolean;
  /** Default: `bidirectional` where weights for both directions are given, else `forward`. */
  direction?: GruSpec['direction'] | undefined;
  merge?: GruSpec['merge'] | undefined;
  returns?: GruSpec['returns'] | undefined;
  activation?: GruSpec['activation'] | undefined;
  recurrentActivation?: GruSpec['recurrentActivation'] | undefined;
  clip?: number | undefined;
  /** Name of the layer, default `gru`; the layers of a stack are `gru_l0`, `gru_l1`, ... */
  name?: string | undefined;
}

/** The arrays of a GRU, in the layout of Keras (the default), PyTorch or the textbook. */
export type GruLayout = KerasGruWeights | PytorchGruWeights | TextbookGruWeights;

const CONFIG: (keyof GruConfig)[] = [
  'inputSize',
  'hiddenSize',
  'resetAfter',
  'direction',
  'merge',
  'returns',
  'activation',
  'recurrentActivation',
  'clip',
  'name',
];

/** One layer of the stack, in the canonical form. */
interface Stacked {
  forward: DirectionWeights;
  reverse: DirectionWeights | undefined;
}

/**
 * A spec with input `x`, output `y` and one gru layer, or a stack of them.
 *
 * @throws GruError `invalid_argument`, `invalid_spec`, `shape_mismatch`, `dtype_mismatch`.
 */
export function gruSpec(given: GruConfig, weights: GruLayout): ModelSpec {
  const config = checkOptions('createGru', given, CONFIG);
  if (!isRecord(weights))
    throw new GruError('invalid_argument', `the weights must be an object, got ${describe(weights)}`);
  const { name = 'gru', inputSize, hiddenSize, resetAfter, direction, merge, returns, ...rest } = config;
  const options = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  // Sizes and options first: the layouts rely on them.
  gru.check({ name, type: 'gru', inputSize, hiddenSize, resetAfter, ...options, weights: {} });

  const stack = layers(weights, config);
  const both = stack.some(({ reverse }) => reverse !== undefined);
  if (direction !== undefined && (direction === 'bidirectional') !== both) {
    const got = both ? 'both directions' : 'one direction';
    throw new GruError('invalid_argument', `direction is '${direction}', but the weights are those of ${got}`);
  }
  const actual = both ? 'bidirectional' : (direction ?? 'forward');
  if (stack.length > 1 && merge !== undefined && merge !== 'concat') {
    throw new GruError('invalid_argument', `merge '${merge}' is for one layer: the layers of a stack concatenate`);
  }
  const specs = stack.map(({ forward, reverse }, k): GruSpec => {
    const last = k === stack.length - 1;
    return {
      name: stack.length > 1 ? `${name}_l${k}` : name,
      type: 'gru',
      inputSize: layerInput(config, k, both),
      hiddenSize,
      resetAfter,
      ...(actual === 'forward' ? {} : { direction: actual }),
      ...(merge === undefined ? {} : { merge }),
      ...(last && returns !== undefined ? { returns } : {}),
      ...options,
      weights: recurrentWeights(actual === 'reverse' ? { reverse: forward } : { forward, ...(reverse && { reverse }) }),
    };
  });
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: inputSize }],
    layers: specs,
    outputs: [{ name: 'y', from: specs.at(-1)!.name }],
  };
}

function layerInput({ inputSize, hiddenSize }: RecurrentSizes, k: number, both: boolean): number {
  if (k === 0) return inputSize;
  return both ? 2 * hiddenSize : hiddenSize;
}

function layers(weights: GruLayout, config: GruConfig): Stacked[] {
  const { resetAfter } = config;
  switch (weights.layout) {
    case undefined:
    case 'keras':
      return [
        directions(weights, ['kernel', 'recurrentKernel', 'bias'], (w, name) =>
          fromKeras(w as unknown as KerasDirection, config, resetAfter, name),
        ),
      ];
    case 'textbook':
      if (resetAfter) throw new GruError('invalid_argument', "the layout 'textbook' goes with resetAfter: false");
      return [
        directions(weights, ['updateGate', 'resetGate', 'candidateHidden'], (w, name) =>
          fromTextbook(w as unknown as TextbookDirection, config, name),
        ),
      ];
    case 'pytorch': {
      if (!resetAfter) throw new GruError('invalid_argument', "the layout 'pytorch' goes with resetAfter: true");
      const found = pytorchLayers(weights);
      return found.map(({ suffix, forward, reverse }, k) => {
        const sizes = { inputSize: layerInput(config, k, reverse !== undefined), hiddenSize: config.hiddenSize };
        return {
          forward: fromPytorch(forward, sizes, suffix),
          reverse: reverse && fromPytorch(reverse, sizes, `${suffix}_reverse`),
        };
      });
    }
    default:
      throw new GruError(
        'invalid_argument',
        `layout must be keras, pytorch or textbook, got ${describe((weights as { layout: unknown }).layout)}`,
      );
  }
}

/** Reads `{ ...tensors }` or `{ forward: { ...tensors }, reverse: { ...tensors } }`. */
function directions(
  weights: KerasGruWeights | TextbookGruWeights,
  keys: string[],
  convert: (weights: Record<string, unknown>, name: string) => DirectionWeights,
): Stacked {
  const given: Record<string, unknown> = { ...weights };
  delete given['layout'];
  const read = (value: unknown, name: string) => {
    if (!isRecord(value)) {
      throw new GruError(
        'invalid_argument',
        `${name.slice(0, -1)}: expected ${keys.join(', ')}, got ${describe(value)}`,
      );
    }
    const stray = Object.keys(value).find((key) => !keys.includes(key));
    if (stray !== undefined) {
      throw new GruError(
        'invalid_argument',
        `${name}${stray}: unknown in the layout '${weights.layout ?? 'keras'}'; known: ${keys.join(', ')}`,
      );
    }
    return convert(value, name);
  };
  if (!('forward' in given || 'reverse' in given)) return { forward: read(given, ''), reverse: undefined };
  const stray = Object.keys(given).find((key) => key !== 'forward' && key !== 'reverse');
  if (stray !== undefined) {
    throw new GruError('invalid_argument', `'${stray}' cannot stand beside forward and reverse`);
  }
  return { forward: read(given['forward'], 'forward.'), reverse: read(given['reverse'], 'reverse.') };
}
