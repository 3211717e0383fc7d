import { createGru, createModel, type GruModel } from 'gru-wasm';

/** The same weights each time. */
function weights(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

export const INPUT = 3;
export const HIDDEN = 5;

/** A GRU: input `x` of 3 features, output `y` of 5. */
export function gruModel(): Promise<GruModel> {
  return createGru(
    { inputSize: INPUT, hiddenSize: HIDDEN, resetAfter: true },
    {
      kernel: weights(INPUT * 3 * HIDDEN, 1),
      recurrentKernel: weights(HIDDEN * 3 * HIDDEN, 2),
    },
  );
}

/** The same, whose output is a sequence's last hidden values. */
export async function lastModel(): Promise<GruModel> {
  const { spec } = await gruModel();
  return createModel({ ...spec, layers: spec.layers.map((layer) => ({ ...layer, returns: 'last' }) as typeof layer) });
}

const VOCABULARY = 7;
const SIZE = 2;

function taggerLayers(direction: 'forward' | 'reverse') {
  const hidden = (name: string) => weights(3 * SIZE * SIZE, name.length);
  return [
    {
      name: 'words',
      type: 'embedding',
      inputs: ['ids'],
      vocabularySize: VOCABULARY,
      outputSize: SIZE,
      weights: { embeddings: weights(VOCABULARY * SIZE, 5) },
    },
    {
      name: 'rnn',
      type: 'rnn',
      inputs: ['words'],
      inputSize: SIZE,
      hiddenSize: SIZE,
      direction,
      weights: {
        [`${direction}.input`]: hidden('input').subarray(0, SIZE * SIZE),
        [`${direction}.recurrent`]: hidden('recurrent').subarray(0, SIZE * SIZE),
        [`${direction}.bias`]: weights(SIZE, 9),
      },
    },
  ];
}

/** Ids in, two outputs of different layers out. */
export function taggerModel(direction: 'forward' | 'reverse' = 'forward'): Promise<GruModel> {
  return createModel({
    inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
    layers: taggerLayers(direction),
    outputs: ['rnn', 'words'],
  } as unknown as Parameters<typeof createModel>[0]);
}

/** Steps of input for a sequence, its own. */
export const steps = (count: number, seed = 1) => weights(count * INPUT, 100 + seed);
