import { resolveGraph } from '../../ts/spec/graph.ts';
import { ACTIVATIONS } from '../../ts/layers/activations.ts';
import { directions } from '../../ts/layers/recurrent.ts';
import type { Activation, ActivationName, GruSpec, GruWeights, LayerSpec } from '../../ts/spec/spec.ts';
import type { Choices } from '../random.ts';
import type { Run } from './native.ts';

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

/** A gru layer with random options and weights. */
export function randomGru(
  random: Choices,
  name: string,
  inputSize: number,
  plain = false,
  hiddenSize = random.int(1, 70),
): GruSpec {
  const direction = random.pick(['forward', 'reverse', 'bidirectional'] as const);
  const custom = !plain && random.chance(0.4);
  const spec: GruSpec = {
    type: 'gru',
    name,
    inputSize,
    hiddenSize,
    resetAfter: random.chance(0.5),
    direction,
    ...(direction === 'bidirectional' ? { merge: random.pick(['concat', 'sum', 'mul', 'ave'] as const) } : {}),
    ...(direction === 'reverse' && random.chance(0.3) ? { reversedOutput: true } : {}),
    ...(custom ? { activation: activation(random), recurrentActivation: activation(random) } : {}),
    ...(custom && random.chance(0.3) ? { clip: 0.1 + random.next() } : {}),
    weights: {},
  };
  const extreme = !plain && random.chance(0.15);
  const scale = 1 / Math.sqrt(hiddenSize);
  const weights: GruWeights = {};
  for (const d of directions(spec)) {
    weights[`${d}.input`] = floats(random, 3 * hiddenSize * inputSize, scale, extreme);
    weights[`${d}.recurrent`] = floats(random, 3 * hiddenSize * hiddenSize, scale, extreme);
    if (plain || random.chance(0.8)) weights[`${d}.bias`] = floats(random, 3 * hiddenSize, scale, extreme);
    if (spec.resetAfter && (plain || random.chance(0.8))) {
      weights[`${d}.recurrentBias`] = floats(random, hiddenSize, scale, extreme);
    }
  }
  spec.weights = weights;
  return spec;
}

/** Values a row of a gru layer's output. */
export function widthOf({ hiddenSize, direction, merge }: GruSpec): number {
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

/** One gru layer. */
export function gruRun(random: Choices): Run {
  const inputSize = random.int(1, 70);
  const gru = randomGru(random, 'gru', inputSize);
  return runOf(random, inputSize, [gru], ['gru', 'gru:last'], random.chance(0.3));
}

/** One gru layer and sequence, of about as many units as the core computes before it writes new hidden values over the old. */
export function wideRun(random: Choices): Run {
  const inputSize = random.int(1, 20);
  const gru = randomGru(random, 'gru', inputSize, false, random.int(120, 140));
  const run = runOf(random, inputSize, [gru], ['gru', 'gru:last'], false);
  const length = random.int(1, 20);
  return {
    ...run,
    lengths: [length],
    inputs: [random.floats(length * inputSize)],
    hidden: run.graph.states.map(({ size }) => random.floats(size)),
  };
}

/** Masking, two gru layers of which one is masked, a merge, a dense layer and an activation over embedded ids. */
export function graphRun(random: Choices): Run {
  const size = random.int(1, 12);
  const first = { ...randomGru(random, 'first', size, true), mask: 'embedding:mask' };
  if (random.chance(0.5)) Object.assign(first, { paddedOutput: random.pick(['zero', 'hold']) });
  const second = randomGru(random, 'second', widthOf(first), true);
  const outputSize = random.int(1, 50);
  const start = random.int(0, outputSize - 1);
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
    { type: 'merge', name: 'joined', inputs: ['first', 'second'], merge: 'concat' },
    {
      type: 'dense',
      name: 'dense',
      inputSize: widthOf(first) + widthOf(second),
      outputSize,
      activation: random.chance(0.3) ? 'softmax' : activation(random),
      weights: {
        kernel: random.floats(outputSize * (widthOf(first) + widthOf(second)), 0.3),
        ...(random.chance(0.7) ? { bias: random.floats(outputSize) } : {}),
      },
    },
    { type: 'activation', name: 'activation', activation: activation(random) },
    { type: 'merge', name: 'twice', inputs: ['dense', 'activation'], merge: random.pick(['sum', 'mul', 'ave']) },
    { type: 'masking', name: 'masking', inputs: ['embedding'], maskValue: 0 },
    { type: 'slice', name: 'slice', inputs: ['twice'], start, size: random.int(1, outputSize - start) },
    { type: 'step', name: 'start', inputs: ['slice'], index: 0 },
    { type: 'step', name: 'end', inputs: ['slice'], index: -1 },
  ];
  const graph = resolveGraph({
    inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
    layers,
    outputs: ['twice', 'first', 'second:last', 'masking:mask', 'slice', 'start', 'end'],
  });
  const { lengths, timeMajor } = lengthsOf(random);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const own = random.fork();
  const ids = Int32Array.from({ length: rows }, () => (own.chance(0.3) ? 0 : own.int(0, 6)));
  const hidden = graph.states.map(({ size }) => random.floats(lengths.length * size));
  return { graph, lengths, timeMajor, inputs: [ids], hidden };
}
