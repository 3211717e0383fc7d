import { createModel } from 'gru-wasm';
import { expect, test } from 'vitest';
import { idsFirst } from '../../ts/formats/ids-first.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { expectError, gruLayer, numbers } from '../facade/helpers.ts';

/** A GRU, then rows of a table by ids that are computed: n + 1. */
const spec: ModelSpec = {
  inputs: [
    { name: 'x', dtype: 'float32', size: 3 },
    { name: 'n', dtype: 'float32', size: 1 },
  ],
  layers: [
    gruLayer('gru', 3, 4),
    { type: 'activation', name: 'next', inputs: ['n'], activation: { name: 'affine', alpha: 1, beta: 1 } },
    { type: 'ids', name: 'ids' },
    { type: 'embedding', name: 'words', vocabularySize: 5, outputSize: 2, weights: { embeddings: numbers(10) } },
    { type: 'merge', name: 'both', inputs: ['gru', 'words'], merge: 'concat' },
  ],
};
const step = (n: number) => ({ x: numbers(3), n: Float32Array.of(n) });

test('a stream keeps its states where a computed id is none', async () => {
  const ordered = idsFirst(spec);
  expect(ordered.layers.map(({ name }) => name)).toEqual(['next', 'ids', 'words', 'gru', 'both']);
  for (const backend of ['wasm', 'js'] as const) {
    const [model, asGiven] = [await createModel(ordered, { backend }), await createModel(spec, { backend })];
    const [stream, other] = [model.createStream(), asGiven.createStream()];
    expect(stream.step(step(3))).toEqual(other.step(step(3)));
    const before = stream.hiddenState;
    await expectError(() => stream.step(step(4)), 'id_out_of_range');
    expect(stream.hiddenState).toEqual(before);
    // What it is for: the GRU has run by then.
    await expectError(() => other.step(step(4)), 'id_out_of_range');
    expect(other.hiddenState).not.toEqual(before);
  }
});

test('a model without such ids stays as it is', () => {
  const { inputs, layers } = spec;
  const plain = { inputs: inputs.slice(0, 1), layers: layers.slice(0, 1) };
  expect(idsFirst(plain)).toBe(plain);
});
