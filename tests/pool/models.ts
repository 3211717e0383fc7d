import type { GruModel, ModelOptions, ModelSpec } from 'gru-wasm';
import { createModel } from 'gru-wasm';

/** Numbers in [-1, 1), the same ones for the same seed. */
export function numbers(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export const SIZE = 24;

/** A GRU large enough for a few sequences to be shared out. */
export async function plain(options: ModelOptions = {}, hiddenSize = 256): Promise<GruModel> {
  return createModel(
    {
      inputs: [{ name: 'x', dtype: 'float32', size: SIZE }],
      layers: [
        {
          name: 'gru',
          type: 'gru',
          inputSize: SIZE,
          hiddenSize,
          resetAfter: true,
          weights: {
            'forward.input': numbers(3 * hiddenSize * SIZE, 2),
            'forward.recurrent': numbers(3 * hiddenSize * hiddenSize, 3),
          },
        },
      ],
    },
    options,
  );
}

/** Ids, features and one vector a sequence; a bidirectional and a forward GRU; sequences and a vector come out. */
export async function wide(options: ModelOptions = {}): Promise<GruModel> {
  const H = 64;
  const gru = (name: string, inputs: string[], inputSize: number, both: boolean) => ({
    name,
    type: 'gru' as const,
    inputs,
    inputSize,
    hiddenSize: H,
    resetAfter: true,
    ...(both && { direction: 'bidirectional' as const }),
    weights: Object.fromEntries(
      (both ? ['forward', 'reverse'] : ['forward']).flatMap((d) => [
        [`${d}.input`, numbers(3 * H * inputSize, 4)],
        [`${d}.recurrent`, numbers(3 * H * H, d.length)],
      ]),
    ) as Record<'forward.input' | 'forward.recurrent', Float32Array>,
  });
  const spec: ModelSpec = {
    inputs: [
      { name: 'ids', dtype: 'int32', size: 1 },
      { name: 'x', dtype: 'float32', size: SIZE },
      { name: 'v', dtype: 'float32', size: 8, kind: 'vector' },
    ],
    layers: [
      {
        name: 'embedded',
        type: 'embedding',
        inputs: ['ids'],
        vocabularySize: 40,
        outputSize: 8,
        weights: { embeddings: numbers(320) },
      },
      { name: 'joined', type: 'merge', merge: 'concat', inputs: ['embedded', 'x'] },
      gru('both', ['joined'], SIZE + 8, true),
      gru('one', ['both'], 2 * H, false),
      {
        name: 'scores',
        type: 'dense',
        inputs: ['v'],
        inputSize: 8,
        outputSize: 3,
        weights: { kernel: numbers(24) },
      },
    ],
    outputs: ['one', 'both', 'scores'],
  };
  return createModel(spec, options);
}
