import { ACTIVATIONS } from '../../ts/layers/activations.ts';
import type { ActivationName, LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { randomLayer } from '../parity/cases.ts';
import type { Choices } from '../random.ts';

/** Layers after `value`, a sequence of rows of `size` numbers, and what they give. */
interface Chain {
  layers: LayerSpec[];
  value: string;
  size: number;
  /** Masks that lie on its axis. */
  masks: string[];
  /** It may have no row yet where steps have come. What pads has none then in a stream; a run pads nothing. */
  lags: boolean;
}

/** The layers that make steps of their own: windows, and steps put before or taken away. */
function windowed(random: Choices, { size, layers, lags }: Chain): { layer: LayerSpec; size: number } {
  const [taps, stride, dilation] = [random.int(1, 4), random.int(1, 3), random.int(1, 2)];
  const padding = random.pick(['valid', 'causal', [random.int(0, (taps - 1) * dilation), 0]] as const);
  const windows = { stride, dilation, padding };
  const name = `l${layers.length}`;
  const outputSize = size * random.int(1, 2);
  const groups = random.chance(0.3) ? size : 1;
  const made: [LayerSpec, number][] = [
    [{ type: 'pool', name, pool: 'max', window: taps, ...windows }, size],
    [{ type: 'pool', name, pool: 'mean', window: taps, ...windows, countPadding: random.chance(0.5) }, size],
    [
      {
        type: 'conv1d',
        name,
        inputSize: size,
        outputSize,
        kernelSize: taps,
        groups,
        ...windows,
        activation: random.pick(['linear', 'relu', 'softmax']),
        weights: {
          kernel: random.floats((outputSize * taps * size) / groups),
          ...(random.chance(0.5) ? { bias: random.floats(outputSize) } : {}),
        },
      },
      outputSize,
    ],
    [{ type: 'upsample', name, factor: random.int(1, 3) }, size],
    [{ type: 'upsample', name, factor: size % 2 === 0 ? 2 : 1, split: true }, size % 2 === 0 ? size / 2 : size],
    [
      {
        type: 'pad',
        name,
        before: random.int(-3, lags ? 0 : 3),
        after: random.int(-3, 0),
        ...random.pick([{ mode: 'edge' as const }, { value: 0.5 }]),
      },
      size,
    ],
  ];
  const [layer, width] = random.pick(made);
  return { layer, size: width };
}

/** The layers of which a step depends on the same step alone. */
function stepwise(random: Choices, { size, layers }: Chain): { layer: LayerSpec; size: number } {
  const name = `l${layers.length}`;
  const outputSize = random.int(1, 4);
  const kept = random.int(1, size);
  const made: [LayerSpec, number][] = [
    [{ type: 'dense', name, inputSize: size, outputSize, weights: { kernel: random.floats(size * outputSize) } }, outputSize],
    [{ type: 'activation', name, activation: random.pick(Object.keys(ACTIVATIONS) as ActivationName[]) }, size],
    [{ type: 'activation', name, activation: 'relu' }, size],
    [{ type: 'scale', name, inputSize: size, weights: { scale: random.floats(size), shift: random.floats(size) } }, size],
    [{ type: 'slice', name, start: random.int(0, size - kept), size: kept }, kept],
    [{ type: 'norm', name, inputSize: size, norm: 'rms', epsilon: 1e-3, weights: {} }, size],
    [{ type: 'reduceFeatures', name, reduce: random.pick(['sum', 'max', 'l2']) }, 1],
    [{ type: 'merge', name, inputs: [], merge: random.pick(['sum', 'max', 'mul']), constantSize: size, weights: { constant: random.floats(size) } }, size],
  ]; // prettier-ignore
  const [layer, width] = random.pick(made);
  return { layer, size: width };
}

function append(random: Choices, chain: Chain): Chain {
  const { layers, value, size, masks } = chain;
  const inputs = [value];
  const name = `l${layers.length}`;
  const next = (layer: LayerSpec, change: Partial<Chain>): Chain => ({
    ...chain,
    value: layer.name,
    ...change,
    layers: [...layers, { ...layer, inputs }],
  });
  const kind = random.int(0, 6);
  if (kind <= 1) {
    const { layer, size: width } = windowed(random, chain);
    return next(layer, { size: width, masks: [], lags: chain.lags || layer.type !== 'upsample' });
  }
  if (kind === 2) {
    const { layer, size: width } = stepwise(random, chain);
    return next(layer, { size: width });
  }
  if (kind === 3) return next({ type: 'masking', name, maskValue: 0 }, { masks: [...masks, `${name}:mask`] });
  if (kind === 4) {
    // Of two values of one axis: before and behind a layer.
    const { layer, size: width } = stepwise(random, chain);
    const joined: LayerSpec = { type: 'merge', name: `l${layers.length + 1}`, merge: 'concat', inputs: [value, layer.name] }; // prettier-ignore
    return {
      ...chain,
      layers: [...layers, { ...layer, inputs }, joined],
      value: joined.name,
      size: size + width,
    };
  }
  const hiddenSize = random.int(1, 5);
  const forward = { direction: undefined, merge: undefined, reversedOutput: undefined };
  const cell: Record<string, unknown> = { ...randomLayer(random, name, size, { hiddenSize }), ...forward };
  const weights = Object.fromEntries(
    Object.entries(cell['weights'] as object).map(([key, values]) => [key.replace('reverse', 'forward'), values]),
  );
  const mask = masks.length > 0 && random.chance(0.8) ? { mask: random.pick(masks) } : {};
  const padded = 'mask' in mask && random.chance(0.5) ? { paddedOutput: random.pick(['zero', 'hold']) } : {};
  return next({ ...cell, weights, ...mask, ...padded } as unknown as LayerSpec, { size: hiddenSize });
}

/** A model that streams, of one output: steps, or a vector of those that have come. */
export function randomModel(random: Choices): ModelSpec {
  const size = random.int(1, 4);
  const ids = random.chance(0.2);
  let chain: Chain = { layers: [], value: 'x', size, masks: [], lags: false };
  if (ids) {
    const weights = { embeddings: random.floats(5 * size) };
    const embedding: LayerSpec = { type: 'embedding', name: 'e', vocabularySize: 5, outputSize: size, maskZero: true, weights }; // prettier-ignore
    chain = { ...chain, layers: [embedding], value: 'e', masks: ['e:mask'] };
  } else if (random.chance(0.6)) {
    chain = { ...chain, layers: [{ type: 'masking', name: 'm', maskValue: 0 }], value: 'm', masks: ['m:mask'] };
  }
  for (let count = random.int(1, 5); count > 0; count--) chain = append(random, chain);
  const { layers } = chain;
  let from = chain.value;
  const last = layers.at(-1)!;
  if (random.chance(0.5)) {
    if ('hiddenSize' in last && random.chance(0.5)) from = `${last.name}:${random.pick(['last', 'forwardState'])}`;
    else {
      layers.push({ type: 'step', name: 'step', inputs: [from], index: -1 });
      from = 'step';
    }
    if (random.chance(0.5)) {
      layers.push({ type: 'activation', name: 'of', inputs: [from], activation: 'tanh' });
      from = 'of';
    }
  }
  const input = ids ? { dtype: 'int32' as const, size: 1 } : { dtype: 'float32' as const, size };
  return { inputs: [{ name: 'x', ...input }], layers, outputs: [{ name: 'y', from }] };
}

/** Rows of which many are masked: those of zeros, or of id 0. */
export function randomInput(random: Choices, { inputs: [input] }: ModelSpec, steps: number): Float32Array | Int32Array {
  const { dtype, size } = input!;
  if (dtype === 'int32') return Int32Array.from({ length: steps }, () => Math.max(0, random.int(-3, 4)));
  const x = random.floats(steps * size);
  for (let t = 0; t < steps; t++) if (random.chance(0.4)) x.fill(0, t * size, (t + 1) * size);
  return x;
}
