import { resolveGraph } from '../../ts/spec/graph.ts';
import { ACTIVATIONS } from '../../ts/layers/activations.ts';
import { LAYERS, useAllKinds } from '../../ts/layers/full.ts';
import { MERGES } from '../../ts/layers/merge.ts';
import type { WeightTensor } from '../../ts/base/weights.ts';
import { padPast } from '../../ts/layers/pad.ts';
import { windowsPast } from '../../ts/layers/windows.ts';
import type {
  Activation,
  ActivationName,
  AttentionSpec,
  LayerSpec,
  PadSpec,
  RecurrentBase,
} from '../../ts/spec/spec.ts';
import { REDUCTIONS } from '../../ts/layers/reduce.ts';
import type { Choices } from '../random.ts';
import type { Run } from './native.ts';

useAllKinds();

const EXTREMES = [0, -0, 1e-45, -1e-40, 1.2e-38, 1e30, -3e38, Infinity, -Infinity, NaN, 39.9, -40.1, 88];

/** Numbers of which a few are extreme. */
function floats(choices: Choices, length: number, scale: number, extreme: boolean): Float32Array {
  const random = choices.fork();
  const values = random.floats(length, scale);
  if (extreme) for (let i = 0; i < length; i++) if (random.chance(0.05)) values[i] = random.pick(EXTREMES);
  return values;
}

function activation(random: Choices): Activation {
  const name = random.pick(Object.keys(ACTIVATIONS) as ActivationName[]);
  const known = ACTIVATIONS[name];
  return {
    name,
    ...(known.alpha !== undefined && random.chance(0.7) ? { alpha: random.next() * 2 - 0.5 } : {}),
    ...(known.beta !== undefined && random.chance(0.7) ? { beta: random.next() * 2 - 0.5 } : {}),
  };
}

export type RecurrentSpec = Extract<LayerSpec, RecurrentBase>;
export type CellType = RecurrentSpec['type'];

export const CELLS: readonly CellType[] = ['gru', 'lstm', 'rnn'];

/** A recurrent layer with random options and weights. */
export function randomLayer(
  random: Choices,
  name: string,
  inputSize: number,
  { types = CELLS, plain = false, hiddenSize = random.int(1, 70) } = {},
): RecurrentSpec {
  const type = random.pick(types);
  const direction = random.pick(['forward', 'reverse', 'bidirectional'] as const);
  const custom = !plain && random.chance(0.4);
  const spec = {
    type,
    name,
    inputSize,
    hiddenSize,
    direction,
    ...(type === 'gru' ? { resetAfter: random.chance(0.5) } : {}),
    ...(direction === 'bidirectional' ? { merge: random.pick(['concat', 'sum', 'mul', 'ave'] as const) } : {}),
    ...(direction === 'reverse' && random.chance(0.3) ? { reversedOutput: true } : {}),
    ...(custom ? { activation: activation(random) } : {}),
    ...(custom && type !== 'rnn' ? { recurrentActivation: activation(random) } : {}),
    ...(custom && random.chance(0.3) ? { clip: 0.1 + random.next() } : {}),
    ...(type === 'lstm' && custom && random.chance(0.5) ? { outputActivation: activation(random) } : {}),
    ...(type === 'lstm' && !plain && random.chance(0.2) ? { inputForget: true } : {}),
    weights: {},
  } as RecurrentSpec;
  const extreme = !plain && random.chance(0.15);
  const scale = 1 / Math.sqrt(hiddenSize);
  const weights: Record<string, Float32Array> = {};
  for (const { key, shape, optional } of LAYERS[type].tensors(spec as never)) {
    const chance = key.endsWith('peepholes') ? 0.3 : plain ? 1 : 0.8;
    const length = shape.reduce((n, d) => n * d, 1);
    if (!optional || random.chance(chance)) weights[key] = floats(random, length, scale, extreme);
  }
  spec.weights = weights;
  return spec;
}

/** Values a row of a recurrent layer's output. */
export function widthOf({ hiddenSize, direction, merge }: RecurrentSpec): number {
  return direction === 'bidirectional' && (merge ?? 'concat') === 'concat' ? 2 * hiddenSize : hiddenSize;
}

function lengthsOf(random: Choices): { lengths: number[]; timeMajor: boolean } {
  // Mostly 1 to 9; now and then more than a group of the core's.
  const batch = random.chance(0.05) ? random.int(65, 140) : random.int(1, 9);
  const steps = random.int(0, 40);
  const ragged = random.chance(0.3);
  const lengths = Array.from({ length: batch }, () => (ragged ? random.int(0, 40) : steps));
  return { lengths, timeMajor: !ragged && random.chance(0.3) };
}

function runOf(random: Choices, inputSize: number, layers: LayerSpec[], outputs: string[], extreme: boolean): Run {
  const graph = resolveGraph({ inputs: [{ name: 'x', dtype: 'float32', size: inputSize }], layers, outputs });
  const { lengths, timeMajor } = lengthsOf(random);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const x = floats(random, rows * inputSize, random.pick([0.1, 1, 10]), extreme);
  const hidden = graph.states.map(({ size }) => floats(random, lengths.length * size, 1, extreme));
  return { graph, lengths, timeMajor, inputs: [x], hidden };
}

/** One recurrent layer. */
export function layerRun(random: Choices, types = CELLS): Run {
  const inputSize = random.int(1, 70);
  const layer = randomLayer(random, 'layer', inputSize, { types });
  return runOf(random, inputSize, [layer], ['layer', 'layer:last'], random.chance(0.3));
}

/** Values normalized in each way: rows, groups, all steps together; and scaled, one row of weights a step too. */
export function normRun(random: Choices): Run {
  const groups = random.int(1, 5);
  const inputSize = groups * random.int(1, 12);
  const extreme = random.chance(0.2);
  const row = (length = inputSize) => (random.chance(0.7) ? floats(random, length, 2, extreme) : undefined);
  const affine = (length?: number) =>
    Object.fromEntries([['scale', row(length)] as const, ['shift', row(length)] as const].filter(([, w]) => w));
  const layers: LayerSpec[] = [
    {
      type: 'norm',
      name: 'norm',
      inputSize,
      norm: random.pick(['standard', 'variance', 'rms', 'unit']),
      epsilon: random.pick([1e-5, 0, 0.1, 1e-12]),
      groups,
      overTime: random.chance(0.5),
      weights: affine(),
    },
    { type: 'scale', name: 'scale', inputSize, weights: affine() },
    { type: 'scale', name: 'steps', inputs: ['x'], inputSize, steps: 40, weights: affine(40 * inputSize) },
  ];
  return runOf(random, inputSize, layers, ['norm', 'scale', 'steps'], extreme);
}

/** One layer and sequence, of about as many units as the core computes before it writes new hidden values over the old. */
export function wideRun(random: Choices, types = CELLS): Run {
  const inputSize = random.int(1, 20);
  const layer = randomLayer(random, 'layer', inputSize, { types, hiddenSize: random.int(120, 140) });
  const run = runOf(random, inputSize, [layer], ['layer', 'layer:last'], false);
  const length = random.int(1, 20);
  return {
    ...run,
    lengths: [length],
    inputs: [random.floats(length * inputSize)],
    hidden: run.graph.states.map(({ size }) => random.floats(size)),
  };
}

/** One convolution: of a few channels or of many, in groups or not, over more rows than a block has. */
export function convRun(random: Choices): Run {
  const groups = random.chance(0.6) ? 1 : random.int(1, 9);
  const depthwise = random.chance(0.4);
  const inputSize = groups * (depthwise ? 1 : random.int(1, 9));
  const outputSize = groups * random.int(1, random.pick([3, 40]));
  const kernelSize = random.int(1, random.pick([5, 90]));
  const dilation = random.chance(0.6) ? 1 : random.int(1, 9);
  const extreme = random.chance(0.15);
  const stride = random.chance(0.5) ? 1 : random.int(1, 9);
  const span = (kernelSize - 1) * dilation;
  const left = random.int(0, span);
  const right = random.pick([0, span - left, random.int(0, span + 3)]);
  const layer: LayerSpec = {
    type: 'conv1d',
    name: 'layer',
    inputSize,
    outputSize,
    kernelSize,
    stride,
    dilation,
    groups,
    padding: random.pick(['valid', 'same', 'sameLower', 'causal', [left, right]] as const),
    activation: random.chance(0.2) ? 'softmax' : activation(random),
    weights: {
      kernel: floats(random, (outputSize * kernelSize * inputSize) / groups, 0.3, extreme),
      ...(random.chance(0.7) ? { bias: floats(random, outputSize, 1, extreme) } : {}),
    },
  };
  const run = runOf(random, inputSize, [layer], ['layer'], extreme);
  // The last number of a past counts the steps that have come: more of them are other rows.
  for (const [i, { size }] of run.graph.states.entries()) {
    for (let at = size - 1; at < run.hidden[i]!.length; at += size) run.hidden[i]![at] = 0;
  }
  return run;
}

/** A layer that keeps a past, in the middle of a stream: of windows of any form, or one that puts or takes away steps. */
export function streamRun(random: Choices): Run {
  const inputSize = random.int(1, 9);
  const [taps, stride, dilation] = [random.int(1, 6), random.int(1, 5), random.int(1, 3)];
  const padding = random.pick(['valid', 'causal', [random.int(0, (taps - 1) * dilation), 0]] as const);
  const windows = { stride, dilation, padding };
  const [held, before] = [random.int(0, 6), random.int(-6, 6)];
  const layer = random.pick([
    {
      type: 'conv1d',
      inputSize,
      outputSize: 2,
      kernelSize: taps,
      ...windows,
      weights: { kernel: random.floats(2 * taps * inputSize) },
    },
    { type: 'pool', pool: 'max', window: taps, ...windows },
    { type: 'pool', pool: 'mean', window: taps, ...windows, countPadding: random.chance(0.5) },
    { type: 'pad', before, after: -held, ...random.pick([{ mode: 'edge' }, { value: 0.5 }]) },
  ]);
  const run = runOf(random, inputSize, [{ ...layer, name: 'layer' } as LayerSpec], ['layer'], random.chance(0.2));
  const seen = random.int(0, 30);
  const past =
    layer.type === 'pad' ? padPast({ name: 'layer', ...layer } as PadSpec) : windowsPast({ taps, ...windows });
  const { lag, period } = past;
  // The last number of a past counts the steps that have come.
  const count = seen < lag ? seen : lag + ((seen - lag) % period);
  for (const [i, { size }] of run.graph.states.entries()) {
    for (let at = size - 1; at < run.hidden[i]!.length; at += size) run.hidden[i]![at] = count;
  }
  return { ...run, seen };
}

/** A number that divides another. */
function divisor(random: Choices, size: number): number {
  return random.pick(Array.from({ length: size }, (_, i) => i + 1).filter((n) => size % n === 0));
}

/**
 * Masking, three recurrent layers of which one is masked and one starts from values of the graph (its cell states too), a merge, a
 * dense layer and an activation over embedded ids.
 */
export function graphRun(random: Choices, types = CELLS): Run {
  const size = random.int(1, 12);
  const first = { ...randomLayer(random, 'first', size, { types, plain: true }), mask: 'embedding:mask' };
  if (random.chance(0.5)) Object.assign(first, { paddedOutput: random.pick(['zero', 'hold']) });
  const second = randomLayer(random, 'second', widthOf(first), { types, plain: true });
  const third = randomLayer(random, 'third', widthOf(second), { types, plain: true, hiddenSize: widthOf(first) });
  third.initialState = LAYERS[third.type].slots!(third as never, []).map(() => 'first:last');
  const outputSize = random.int(1, 50);
  const start = random.int(0, outputSize - 1);
  const steps = random.int(1, 9);
  const layers: LayerSpec[] = [
    {
      type: 'embedding',
      name: 'embedding',
      vocabularySize: 7,
      outputSize: size,
      maskZero: true,
      weights: { embeddings: random.floats(7 * size) },
    },
    first,
    second,
    third,
    { type: 'merge', name: 'joined', inputs: ['first', 'second'], merge: 'concat' },
    {
      type: 'dense',
      name: 'dense',
      inputSize: widthOf(first) + widthOf(second),
      outputSize,
      activation: random.chance(0.3) ? random.pick(['softmax', 'log_softmax'] as const) : activation(random),
      weights: {
        kernel: random.floats(outputSize * (widthOf(first) + widthOf(second)), 0.3),
        ...(random.chance(0.7) ? { bias: random.floats(outputSize) } : {}),
      },
    },
    { type: 'activation', name: 'activation', activation: activation(random) },
    {
      type: 'scale',
      name: 'scaled',
      inputs: ['dense'],
      inputSize: outputSize,
      weights: { shift: random.floats(outputSize) },
    },
    {
      type: 'norm',
      name: 'normal',
      inputSize: outputSize,
      norm: 'standard',
      epsilon: 1e-3,
      overTime: random.chance(0.5),
      weights: { scale: random.floats(outputSize) },
    },
    { type: 'merge', name: 'twice', inputs: ['dense', 'activation'], merge: random.pick(['sum', 'mul', 'ave']) },
    { type: 'masking', name: 'masking', inputs: ['embedding'], maskValue: 0 },
    { type: 'slice', name: 'slice', inputs: ['twice'], start, size: random.int(1, outputSize - start) },
    { type: 'step', name: 'start', inputs: ['slice'], index: 0 },
    { type: 'step', name: 'end', inputs: ['slice'], index: -1 },
    ...REDUCTIONS.map((reduce): LayerSpec => ({
      type: 'reduce',
      name: reduce,
      inputs: ['twice'],
      reduce,
      ...(reduce === 'std' && random.chance(0.5) ? { correction: 0 } : {}),
      ...(random.chance(0.5) ? { mask: 'masking:mask' } : {}),
    })),
    { type: 'flatten', name: 'flat', inputs: ['twice'], steps },
    ...[{ like: 'ids' }, { steps }].flatMap((on, i): LayerSpec[] => [
      { type: 'unflatten', name: `cut${i}`, inputs: ['flat'], transposed: random.chance(0.5), ...on, steps },
      { type: 'repeat', name: `repeated${i}`, inputs: ['mean'], ...on },
    ]),
    {
      type: 'pool',
      name: 'pooled',
      inputs: ['twice'],
      ...(random.chance(0.5) ? { pool: 'max' } : { pool: 'mean', countPadding: random.chance(0.5) }),
      window: random.int(1, 5),
      stride: random.int(1, 4),
      dilation: random.int(1, 3),
      padding: random.pick(['valid', 'causal', 'same', 'sameLower', [random.int(0, 3), random.int(0, 3)]]),
    },
    { type: 'reverse', name: 'reversed', inputs: ['twice'] },
    { type: 'sine', name: 'waved', inputs: ['twice'], cosine: random.chance(0.5) },
    { type: 'upsample', name: 'upsampled', inputs: ['twice'], factor: random.int(1, 3) },
    { type: 'upsample', name: 'split', inputs: ['twice'], factor: divisor(random, outputSize), split: true },
    {
      type: 'pad',
      name: 'padded',
      inputs: ['twice'],
      before: random.int(-3, 3),
      after: random.int(-3, 3),
      ...random.pick([{ mode: 'edge' }, { mode: 'reflect' }, { value: random.next() }]),
    },
  ];
  const graph = resolveGraph({
    inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
    layers,
    outputs: [
      'twice',
      'first',
      'second:last',
      'third',
      'third:last',
      'masking:mask',
      'slice',
      'start',
      'end',
      'normal',
      ...[
        ...REDUCTIONS,
        'flat',
        'cut0',
        'repeated0',
        'cut1',
        'repeated1',
        'pooled',
        'upsampled',
        'split',
        'padded',
        'reversed',
        'waved',
      ],
    ],
  });
  const { lengths, timeMajor } = lengthsOf(random);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const own = random.fork();
  const ids = Int32Array.from({ length: rows }, () => (own.chance(0.3) ? 0 : own.int(0, 6)));
  const hidden = graph.states.map(({ size }) => random.floats(lengths.length * size));
  return { graph, lengths, timeMajor, inputs: [ids], hidden };
}

/**
 * Merges of a sequence, a vector, rows of one number and constants in every way, reductions, functions of rows, and ids that are computed and
 * read again.
 */
export function elementwiseRun(random: Choices): Run {
  const size = random.int(1, 11);
  const operand = (from: string) => {
    const constantSize = random.pick([undefined, 1, size]);
    const constant = constantSize !== undefined && floats(random, constantSize, 2, true);
    const others = random.pick([['vector'], ['one'], ['x', 'vector'], ['mean', 'one', 'x'], []]);
    return {
      inputs: random.chance(0.5) ? [from, ...others] : [...others, from],
      ...(constant ? { constantSize, constantFirst: random.chance(0.5), weights: { constant } } : {}),
      // One value alone is no merge.
      ...(!constant && others.length === 0 ? { inputs: [from, from] } : {}),
    };
  };
  const layers: LayerSpec[] = [
    { type: 'reduceFeatures', name: 'mean', inputs: ['x'], reduce: 'mean' },
    ...MERGES.flatMap((merge): LayerSpec[] => [
      { type: 'merge', name: merge, merge, ...operand('x') },
      { type: 'merge', name: `${merge} of vectors`, merge, ...operand('vector'), inputs: ['vector', 'one', 'vector'] },
    ]),
    ...(['sum', 'prod', 'max', 'min', 'l2'] as const).map((reduce): LayerSpec => ({
      type: 'reduceFeatures',
      name: `${reduce} of row`,
      inputs: [random.pick(['x', 'vector'])],
      reduce,
    })),
    { type: 'activation', name: 'rows', inputs: ['pow'], activation: random.pick(['softmax', 'log_softmax'] as const) },
    { type: 'argmax', name: 'first', inputs: ['x'] },
    { type: 'argmax', name: 'last', inputs: ['vector'], last: true },
    { type: 'activation', name: 'tens', inputs: ['mean'], activation: { name: 'affine', alpha: 10, beta: 0 } },
    { type: 'ids', name: 'ids of steps', inputs: ['tens'] },
    { type: 'ids', name: 'ids of one', inputs: ['one'] },
    { type: 'oneHot', name: 'one of x', inputs: ['first'], size },
    { type: 'oneHot', name: 'one of more', inputs: ['last'], size: size + 3 },
  ];
  const graph = resolveGraph({
    inputs: [
      { name: 'x', dtype: 'float32', size },
      { name: 'vector', dtype: 'float32', size, kind: 'vector' },
      { name: 'one', dtype: 'float32', size: 1, kind: 'vector' },
    ],
    layers,
    outputs: layers.map(({ name }) => name),
  });
  const { lengths, timeMajor } = lengthsOf(random);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const extreme = random.chance(0.5);
  const inputs = [rows * size, lengths.length * size, lengths.length].map((length) =>
    floats(random, length, 2, extreme),
  );
  return { graph, lengths, timeMajor, inputs, hidden: [] };
}

/** An attention layer with random options. */
function randomAttention(
  random: Choices,
  name: string,
  inputs: [string, string, string],
  inputSize: number,
  heads: number,
) {
  const additive = random.chance(0.4);
  return {
    type: 'attention',
    name,
    inputs,
    inputSize,
    heads,
    ...(additive ? { score: 'additive' } : {}),
    ...(additive && random.chance(0.5) ? { weights: { factors: random.floats(inputSize) } } : {}),
    ...(random.chance(0.5) ? { scale: random.next() } : {}),
    ...(random.chance(0.5) ? { withoutKeys: random.pick(['zero', 'average']) } : {}),
  } as AttentionSpec;
}

/** Attention over the steps of a sequence in all its forms, softmax over them and weighted sums, of masked rows too. */
export function attentionRun(random: Choices): Run {
  const heads = random.pick([1, 1, 2, 3]);
  const [inputSize, valueSize] = [heads * random.int(1, 30), heads * random.int(1, 30)];
  const size = random.int(1, 8);
  const extreme = random.chance(0.2);
  const dense = (name: string, outputSize: number): LayerSpec => ({
    type: 'dense',
    name,
    inputs: ['x'],
    inputSize: size,
    outputSize,
    weights: { kernel: floats(random, outputSize * size, random.pick([0.1, 1, 10]), extreme) },
  });
  const mask = random.chance(0.5) ? { mask: 'masking:mask' } : {};
  const layers: LayerSpec[] = [
    { type: 'masking', name: 'masking', inputs: ['x'], maskValue: 0 },
    dense('query', inputSize),
    dense('key', inputSize),
    dense('value', valueSize),
    dense('scores', heads),
    { type: 'step', name: 'last', inputs: ['query'], index: -1 },
    {
      ...randomAttention(random, 'by_step', ['query', 'key', 'value'], inputSize, heads),
      ...mask,
      ...(random.chance(0.5) ? { causal: true } : {}),
      ...(random.chance(0.3) ? { queryMask: 'masking:mask' } : {}),
    },
    { ...randomAttention(random, 'by_last', ['last', 'key', 'value'], inputSize, heads), ...mask },
    { type: 'timeSoftmax', name: 'weights', inputs: ['scores'], ...mask },
    { type: 'weightedSum', name: 'pooled', inputs: ['weights', 'value'] },
  ];
  const run = runOf(random, size, layers, ['by_step', 'by_last', 'weights', 'pooled'], extreme);
  const [x] = run.inputs as [Float32Array];
  const own = random.fork();
  for (let row = 0; row < x.length; row += size) if (own.chance(0.3)) x.fill(0, row, row + size);
  return run;
}

/** Attention of the steps of one axis to those of another. */
export function crossAttentionRun(random: Choices): Run {
  const heads = random.pick([1, 2]);
  const sizes = [heads * random.int(1, 20), heads * random.int(1, 20)] as const;
  const layer = {
    ...randomAttention(random, 'attention', ['query', 'key', 'value'], sizes[0], heads),
    mask: 'mask',
    ...(random.chance(0.3) ? { causal: true } : {}),
    ...(random.chance(0.3) ? { queryMask: 'queries' } : {}),
  };
  const input = (name: string, size: number, axis: string) => ({ name, dtype: 'float32' as const, size, axis });
  const inputs = [
    input('query', sizes[0], 'time'),
    input('queries', 1, 'time'),
    input('key', sizes[0], 'source'),
    input('value', sizes[1], 'source'),
    input('mask', 1, 'source'),
  ];
  // Each input is read by a layer.
  const layers: LayerSpec[] = [layer, { type: 'activation', name: 'read', inputs: ['queries'], activation: 'tanh' }];
  const graph = resolveGraph({ inputs, layers, outputs: ['attention', 'read'] });
  const run = onTwoAxes(random, graph);
  const isMask = (i: number) => ['queries', 'mask'].includes(inputs[i]!.name);
  run.inputs = run.inputs.map((values, i) => (isMask(i) ? values.map((value) => Number(value > -0.5)) : values));
  return run;
}

/** Data of a graph whose sequences on the second axis have other lengths. */
function onTwoAxes(random: Choices, graph: Run['graph']): Run {
  const { lengths, timeMajor } = lengthsOf(random);
  const steps = random.int(0, 60);
  const sourceLengths = lengths.map(() => (timeMajor ? steps : random.int(0, 60)));
  const rows = [lengths, sourceLengths].map((all) => all.reduce((sum, length) => sum + length, 0));
  const inputs = graph.inputs.map(({ size, axis }) => floats(random, rows[axis]! * size, 1, false));
  const hidden = graph.states.map(({ size }) => floats(random, lengths.length * size, 1, false));
  return { graph, lengths, sourceLengths, timeMajor, inputs, hidden };
}

/** An encoder, and a decoder on another axis that starts from its final states, of any cell and direction. */
export function encoderDecoderRun(random: Choices, types: readonly CellType[] = CELLS): Run {
  const hiddenSize = random.int(1, 40);
  const sizes = [random.int(1, 20), random.int(1, 20)] as const;
  const encoder = { ...randomLayer(random, 'encoder', sizes[0], { types, hiddenSize }), inputs: ['source'] };
  const decoder = {
    ...randomLayer(random, 'decoder', sizes[1], { types: [encoder.type], hiddenSize }),
    inputs: ['target'],
  };
  const ports = LAYERS[encoder.type].ports(
    encoder as never,
    [{ kind: 'sequence', dtype: 'float32', size: sizes[0] }],
    [],
  );
  const states = ports.slice(2).map(({ port }) => `encoder:${port}`);
  decoder.initialState = LAYERS[decoder.type].slots!(decoder as never, []).map(() => random.pick(states));
  const input = (name: string, size: number, axis: string) => ({ name, dtype: 'float32' as const, size, axis });
  const inputs = [input('target', sizes[1], 'time'), input('source', sizes[0], 'source')];
  const graph = resolveGraph({ inputs, layers: [encoder, decoder], outputs: ['decoder', 'decoder:last', 'encoder'] });
  return onTwoAxes(random, graph);
}

/** Layers to which every step of a sequence is one of its own: recurrent ones both ways, a convolution, a pool, attention. */
export function nestedRun(random: Choices, types: readonly CellType[] = CELLS): Run {
  const [steps, size] = [random.int(1, 7), random.int(1, 9)];
  const units = random.int(1, 9);
  const cell = { ...randomLayer(random, 'cell', size, { types }), inputs: ['cut'] };
  const layers: LayerSpec[] = [
    { type: 'unflatten', name: 'cut', inputs: ['x'], steps, transposed: random.chance(0.5), each: true },
    cell,
    {
      type: 'conv1d',
      name: 'conv',
      inputs: ['cut'],
      inputSize: size,
      outputSize: units,
      kernelSize: random.int(1, 4),
      stride: random.int(1, 3),
      padding: random.pick(['same', 'causal'] as const),
      weights: { kernel: new Float32Array(0) },
    },
    {
      type: 'pool',
      name: 'pooled',
      inputs: ['conv'],
      pool: random.pick(['max', 'mean'] as const),
      window: 2,
      padding: 'same',
    },
    { type: 'reduce', name: 'mean', inputs: ['pooled'], reduce: 'mean' },
    { type: 'merge', name: 'centred', inputs: ['pooled', 'mean'], merge: 'sub' },
    {
      type: 'norm',
      name: 'normal',
      inputs: ['centred'],
      inputSize: units,
      norm: 'standard',
      epsilon: 1e-3,
      overTime: true,
      weights: {},
    },
    { type: 'attention', name: 'attended', inputs: ['mean', 'normal', 'pooled'], inputSize: units },
    { type: 'repeat', name: 'repeated', inputs: ['mean'], steps: 3, each: true },
    { type: 'merge', name: 'both', inputs: ['repeated', 'attended'], merge: 'concat' },
    { type: 'flatten', name: 'flat', inputs: ['both'], steps: 3 },
    { ...randomLayer(random, 'over', units, { types }), inputs: ['attended'] },
  ];
  const conv = layers[2] as Extract<LayerSpec, { type: 'conv1d' }>;
  conv.weights.kernel = random.floats(units * conv.kernelSize * size, 0.5);
  return runOf(random, steps * size, layers, ['cell:last', 'mean', 'attended', 'flat', 'over'], false);
}

/** Rows of integers of any size, with a scale each. */
function integers(random: Choices, [rows = 1, ...row]: number[]): WeightTensor {
  const length = rows * row.reduce((n, d) => n * d, 1);
  const draws = random.fork();
  const scales = draws.floats(rows, random.pick([1e-2, 1e-5]));
  if (random.chance(0.2)) scales[0] = 0;
  return random.chance(0.5)
    ? { dtype: 'i16', data: Int16Array.from(draws.floats(length, 32767)), scales }
    : { dtype: 'i8', data: Int8Array.from(draws.floats(length, 127)), scales };
}

/** Products of integers alone, which are so few that all rows leave levels enough: a dense layer and a convolution, without a function. */
export function integerProductRun(random: Choices): Run {
  const [inputSize, size, outputSize] = [random.int(1, 60), random.int(1, 15), random.int(1, 70)];
  const kernelSize = random.int(1, 4);
  const weights = (shape: number[]) => ({ kernel: integers(random, shape), bias: random.floats(shape[0]!) });
  const layers: LayerSpec[] = [
    { type: 'dense', name: 'first', inputSize, outputSize: size, weights: weights([size, inputSize]) },
    {
      type: 'conv1d',
      name: 'second',
      inputSize: size,
      outputSize,
      kernelSize,
      padding: 'causal',
      weights: weights([outputSize, kernelSize, size]),
    },
  ];
  return runOf(random, inputSize, layers, ['first', 'second'], random.chance(0.2));
}

/** Layers some of whose weights are integers. */
export function integerRun(random: Choices): Run {
  const run = random.pick([layerRun, wideRun, graphRun, convRun, nestedRun])(random);
  const layers = run.graph.nodes.map(({ layer, kind }): LayerSpec => {
    if (!('weights' in layer)) return layer;
    const slots = kind.tensors(layer).filter(({ quantizable }) => quantizable && random.chance(0.8));
    const changed = slots.map(({ key, shape }) => [key, integers(random, shape)] as const);
    return { ...layer, weights: { ...layer.weights, ...Object.fromEntries(changed) } } as LayerSpec;
  });
  return { ...run, graph: resolveGraph({ ...run.graph.spec, layers }) };
}

/** What makes runs from their first step on, of weights in float32: together they have layers of every kind. */
export const MAKERS = [layerRun, graphRun, normRun, convRun, attentionRun, crossAttentionRun, encoderDecoderRun, elementwiseRun, nestedRun]; // prettier-ignore
