import { describe, expect, test } from 'vitest';
import { readPytorch, type PytorchLayer } from '../../ts/formats/pytorch.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { refusalOf } from './refusal.ts';

/** An nn.Conv1d of 2 channels (or 2 groups of 2), 4 outputs and 3 taps. */
const file = writeSafetensors(
  Object.fromEntries(
    Object.entries({ 'c.weight': [4, 2, 3], 'c.bias': [4] }).map(([name, shape]) => {
      const data = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i + 1);
      return [name, { dtype: 'F32' as const, shape, data }];
    }),
  ),
);
const read = async (line: object) => {
  const layers = [{ conv1d: 'c', ...line } as PytorchLayer];
  return (await readPytorch(file, { options: { pytorch: { layers } } })).spec;
};

describe('{ conv1d }', () => {
  test.each<[object, object]>([
    [{}, { inputSize: 2, outputSize: 4, kernelSize: 3, stride: 1, dilation: 1, groups: 1, padding: [0, 0] }],
    [{ stride: 2 }, { stride: 2 }],
    [{ dilation: 3 }, { dilation: 3 }],
    [{ groups: 2 }, { groups: 2, inputSize: 4 }],
    [{ padding: 2 }, { padding: [2, 2] }],
    [{ padding: [2, 0] }, { padding: [2, 0] }],
    [{ padding: 'same' }, { padding: 'same' }],
    [{ padding: 'valid' }, { padding: 'valid' }],
    [{ padding: 'causal', padding_mode: 'zeros' }, { padding: 'causal' }],
    [{ activation: 'relu' }, { activation: 'relu' }],
  ])('%j', async (line, wanted) => {
    const { inputs, layers } = await read(line);
    expect(layers[0]).toMatchObject({ name: 'c', type: 'conv1d', ...wanted });
    expect(inputs[0]!.size).toBe('groups' in line ? 4 : 2);
  });

  test('taps come before channels', async () => {
    const { layers } = await read({});
    const { kernel, bias } = (layers[0] as { weights: Record<string, Float32Array> }).weights;
    expect([...kernel!.subarray(0, 6)]).toEqual([1, 4, 2, 5, 3, 6]);
    expect([...bias!]).toEqual([1, 2, 3, 4]);
  });

  test.each<[object, RegExp]>([
    [{ padding_mode: 'reflect' }, /unsupported: conv1d 'c': padding_mode "reflect" is not supported/],
    [{ padding: 'same', stride: 2 }, /conv1d 'c': padding 'same' is for stride 1/],
    [{ padding: 'full' }, /padding/],
    [{ padding: -1 }, /padding/],
    [{ padding: [1] }, /padding/],
    [{ stride: 0 }, /stride/],
    [{ dilation: 1.5 }, /dilation/],
    [{ groups: '2' }, /groups/],
    [{ odd: 1 }, /odd/],
  ])('refused: %j', async (line, message) => {
    expect(await refusalOf(read(line))).toMatch(message);
  });

  test('a state dict that holds it is suggested to be wired so', async () => {
    const refused = await refusalOf(readPytorch(file, { options: {} }));
    expect(refused).toMatch(/conv1d: 'c'|Conv1d/);
  });
});
