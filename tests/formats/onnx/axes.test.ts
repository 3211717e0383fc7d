import { describe, expect, test } from 'vitest';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { BACKENDS } from '../../backends.ts';
import { expectError } from '../../facade/helpers.ts';
import { numbers } from '../../facade/helpers.ts';
import { onnxModel, tensor, type Node } from './build.ts';

const f32 = (name: string, ...shape: number[]) => tensor(name, shape, numbers(shape.reduce((n, d) => n * d, 1)));
const gru = (x: string, name: string, more: string[] = []): Node => ({
  op: 'GRU',
  inputs: [x, `${name}.W`, `${name}.R`, ...more],
  outputs: [`${name}.Y`, `${name}.H`],
  name,
  attributes: { hidden_size: 3 },
});
const weights = (name: string) => [f32(`${name}.W`, 1, 9, 4), f32(`${name}.R`, 1, 9, 3)];
const info = (name: string, time: string) => ({ name, shape: [time, 'batch', 4] });

/** An encoder whose last state the decoder starts from. */
const translator = {
  nodes: [gru('source', 'encoder'), gru('target', 'decoder', ['', '', 'encoder.H'])],
  inputs: [info('source', 'from'), info('target', 'to')],
  outputs: ['decoder.Y', 'encoder.Y'],
  initializers: [...weights('encoder'), ...weights('decoder')],
};

describe.each(BACKENDS)('an encoder and a decoder on $name', ({ api }) => {
  test('have steps of their own', async () => {
    using model = await api.loadModel(onnxModel(translator));
    expect(model.inputs.map(({ axis }) => axis)).toEqual(['source', 'target']);
    for (const [from, to] of [
      [5, 2],
      [1, 4],
    ] as const) {
      const source = { data: numbers(from * 2 * 4), shape: [from, 2, 4] };
      const target = { data: numbers(to * 2 * 4, 7), shape: [to, 2, 4] };
      const got = runOnnx(model, { source, target });
      expect([got['encoder.Y']!.shape, got['decoder.Y']!.shape]).toEqual([
        [from, 1, 2, 3],
        [to, 1, 2, 3],
      ]);
    }
    const wrong = { source: { data: numbers(24), shape: [3, 2, 4] }, target: { data: numbers(24), shape: [2, 3, 4] } };
    await expectError(() => runOnnx(model, wrong), 'shape_mismatch', "'target'", 'batch');
  });
});

test('sequence_lens in such a graph is refused by name', async () => {
  const lengths = { name: 'lens', shape: ['batch'], dtype: 6 };
  const [encoder, decoder] = [gru('source', 'encoder', ['', 'lens']), gru('target', 'decoder', ['', 'lens'])];
  const model = { ...translator, nodes: [encoder, decoder], inputs: [...translator.inputs, lengths] };
  await expectError(() => readOnnx(onnxModel(model)), 'unsupported', "'lens'", "'source', 'target'");
});
