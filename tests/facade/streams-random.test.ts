import { describe, expect, test } from 'vitest';
import type { GruModel } from '../../ts/api/model.ts';
import { ACTIVATIONS } from '../../ts/layers/activations.ts';
import type { ActivationName, LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { randomLayer } from '../parity/cases.ts';
import { Random } from '../random.ts';

const CASES = 300;
const STEPS = 13;

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
function windowed(random: Random, { size, layers, lags }: Chain): { layer: LayerSpec; size: number } {
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
function stepwise(random: Random, { size, layers }: Chain): { layer: LayerSpec; size: number } {
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

function append(random: Random, chain: Chain): Chain {
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
function randomModel(random: Random): ModelSpec {
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
function randomInput(random: Random, { inputs: [input] }: ModelSpec, steps: number): Float32Array | Int32Array {
  const { dtype, size } = input!;
  if (dtype === 'int32') return Int32Array.from({ length: steps }, () => Math.max(0, random.int(-3, 4)));
  const x = random.floats(steps * size);
  for (let t = 0; t < steps; t++) if (random.chance(0.4)) x.fill(0, t * size, (t + 1) * size);
  return x;
}

function givesVector({ outputs: [output] }: GruModel): boolean {
  return !output!.shape.includes('steps');
}

/** What the model gives of the first steps, by how many they are: the rows of all of them, or their vector. */
function expected(model: GruModel, x: Float32Array | Int32Array, size: number): (steps: number) => number[] {
  const of = (steps: number) => [...model.run(x.subarray(0, steps * size)).output.data];
  const isVector = givesVector(model);
  const all = isVector ? [] : of(x.length / size);
  return isVector ? of : () => all;
}

/** A sequence on its way through streams of any kind, and what has come of it. */
interface Sequence {
  x: Float32Array | Int32Array;
  want: (steps: number) => number[];
  at: number;
  rows: number[];
}

describe('random models: blocks, snapshots and many streams give the bits of the whole run', () => {
  const exact = BACKENDS.filter(({ exact }) => exact);

  test.each(Array.from({ length: CASES / 20 }, (_, i) => i))('of seed %i', async (seed) => {
    for (let n = 0; n < 20; n++) {
      const random = new Random(1000 * seed + n);
      const spec = randomModel(random);
      const models = await Promise.all(exact.map(({ api }) => api.createModel(spec)));
      const what = `seed ${1000 * seed + n}: ${JSON.stringify(spec, (key, value: unknown) => (key === 'weights' ? undefined : value))}`;
      const size = spec.inputs[0]!.size;
      const count = random.int(1, 3);
      const isVector = givesVector(models[0]!);
      const sequences = Array.from({ length: count }, (): Sequence => {
        const x = randomInput(random, spec, random.int(1, STEPS));
        const [want, ...others] = models.map((model) => expected(model, x, size));
        for (const other of others) expect(other(x.length / size), what).toEqual(want!(x.length / size));
        return { x, want: want!, at: 0, rows: [] };
      });
      const blockOf = ({ x, at }: Sequence) => {
        const block = x.subarray(at * size, (at + random.pick([0, 1, 1, 2, 3, STEPS])) * size);
        return block as Float32Array;
      };
      const gave = (sequence: Sequence, steps: number, rows: ArrayLike<number>) => {
        sequence.at += steps;
        sequence.rows = isVector ? Array.from(rows) : [...sequence.rows, ...Array.from(rows)];
        // Of no steps a run pads; a stream has not begun.
        if (sequence.at === 0) return;
        const want = sequence.want(sequence.at);
        expect(sequence.rows, `${what}, after ${sequence.at} steps`).toEqual(want.slice(0, sequence.rows.length));
      };
      const ended = ({ rows, want, x }: Sequence) => {
        expect(rows, what).toEqual(want(x.length / size));
      };

      // One stream after the other, each going on from the snapshot of the last, on any backend.
      for (const sequence of sequences) {
        let stream = models[0]!.createStream();
        while (sequence.at < sequence.x.length / size) {
          const block = blockOf(sequence);
          const single =
            block.length === size && random.chance(0.5) && spec.layers.every(({ type }) => type !== 'pool');
          const rows = single ? stepOf(stream, block) : stream.run(block);
          gave(sequence, block.length / size, rows);
          if (random.chance(0.5)) continue;
          const snapshot = stream.snapshot();
          const next = random.pick(models).createStream();
          if (random.chance(0.3)) next.run(blockOf({ ...sequence, at: 0 }));
          next.restore(snapshot);
          expect(next.snapshot(), what).toEqual(snapshot);
          stream.dispose();
          stream = next;
        }
        ended(sequence);
        stream.dispose();
      }

      // Some of many, in any order, moved about by snapshots.
      for (const model of models) {
        using streams = model.createStreams(count + 2);
        const places = sequences.map((sequence, i) => {
          Object.assign(sequence, { at: 0, rows: [] });
          return i;
        });
        while (sequences.some(({ at, x }) => at < x.length / size)) {
          const chosen = places.map((_, i) => i).filter(() => random.chance(0.7));
          if (random.chance(0.5)) chosen.reverse();
          const blocks = chosen.map((i) => blockOf(sequences[i]!));
          const results = streams.runMany(chosen.map((i) => places[i]!), blocks); // prettier-ignore
          results.forEach((rows, i) => {
            gave(sequences[chosen[i]!]!, blocks[i]!.length / size, rows);
          });
          const moved = random.int(0, count - 1);
          const free = Array.from({ length: count + 2 }, (_, i) => i).filter((i) => !places.includes(i));
          const to = random.pick([places[moved]!, ...free]);
          const snapshot = streams.snapshot(places[moved]!);
          if (random.chance(0.5)) streams.reset(places[moved]);
          streams.restore(to, snapshot);
          places[moved] = to;
        }
        sequences.forEach(ended);
      }
      for (const model of models) model.dispose();
    }
  });
});

/** A step, or the block that it is where the output has no row a step. */
function stepOf(stream: ReturnType<GruModel['createStream']>, x: Float32Array): Float32Array {
  try {
    return stream.step(x);
  } catch {
    return stream.run(x);
  }
}
