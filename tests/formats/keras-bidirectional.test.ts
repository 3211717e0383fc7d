import { describe, expect, test } from 'vitest';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { useAllKinds } from '../../ts/layers/full.ts';

useAllKinds();

/** What a change by mutation testing had left unseen: what comes behind both directions, and what fits neither. */

type Json = Record<string, unknown>;
const SIZE = 3;

const gru = (name: string, units: number, more: Json = {}): Json => ({
  class_name: 'GRU',
  config: {
    name,
    units,
    activation: 'tanh',
    recurrent_activation: 'sigmoid',
    reset_after: false,
    return_sequences: true,
    ...more,
  },
});

/** A Bidirectional of these, and a Dense that says how wide it takes it to be. */
function read(forward: Json, units: number, backward: Json | undefined, backwardUnits: number, more: Json, dense = 1) {
  const shape: [string, number[]][] = [
    ['forward_r', units] as const,
    [backward ? 'b' : 'backward_r', backwardUnits] as const,
  ].flatMap(([name, n]): [string, number[]][] => [
    [`y/${name}/kernel`, [SIZE, 3 * n]],
    [`y/${name}/recurrent_kernel`, [n, 3 * n]],
    [`y/${name}/bias`, [3 * n]],
  ]);
  const weights = [...shape, ['d/kernel', [dense, 1]] as [string, number[]]];
  const wrapped = { name: 'y', layer: forward, ...(backward ? { backward_layer: backward } : {}), ...more };
  const layers = [
    { class_name: 'Bidirectional', config: { ...wrapped, batch_input_shape: [null, null, SIZE] } },
    { class_name: 'Dense', config: { name: 'd', units: 1, activation: 'linear', use_bias: false } },
  ];
  const count = weights.reduce((sum, [, s]) => sum + s.reduce((n, d) => n * d, 1), 0);
  const root = {
    format: 'layers-model',
    modelTopology: { class_name: 'Sequential', config: { name: 'm', layers } },
    weightsManifest: [{ paths: ['w'], weights: weights.map(([name, s]) => ({ name, shape: s, dtype: 'float32' })) }],
  };
  const shard = new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer);
  return readTfjs(new TextEncoder().encode(JSON.stringify(root)), { sidecar: () => Promise.resolve(shard) });
}

describe.each([
  ['one layer of both directions', undefined, 2],
  ['a layer each', gru('b', 2, { go_backwards: true, activation: 'relu' }), 2],
])('%s', (_, backward, units) => {
  test.each([
    ['concat', 4],
    ['sum', 2],
    ['mul', 2],
    ['ave', 2],
  ])('merged by %s is %i wide for what follows', async (merge_mode, width) => {
    const { spec } = await read(gru('r', 2), 2, backward, units, { merge_mode }, width);
    resolveGraph(spec);
    expect(spec.layers.at(-1)).toMatchObject({ type: 'dense', inputSize: width });
    const wrong = read(gru('r', 2), 2, backward, units, { merge_mode }, width + 1);
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_file' });
  });
});

test('directions of differing units are joined, and not added', async () => {
  const backward = gru('b', 5, { go_backwards: true });
  const { spec } = await read(gru('r', 2), 2, backward, 5, { merge_mode: 'concat' }, 7);
  resolveGraph(spec);
  expect(spec.layers.at(-1)).toMatchObject({ inputSize: 7 });
  await expect(read(gru('r', 2), 2, backward, 5, { merge_mode: 'sum' }, 2)).rejects.toThrow(
    'merge_mode "sum" of directions of 2 and 5 units',
  );
});

test('a field that nobody knows is refused', async () => {
  await expect(read(gru('r', 2), 2, undefined, 2, { merge_mode: 'concat', odd: 1 }, 4)).rejects.toThrow("'odd'");
});
